/** What a consumer says of one subscription, completed and checked before anything is asked for. */
import type { Address } from '../address.ts';
import { SpillwayError } from '../errors.ts';
import { CANCEL_MODES, type CancelMode } from './stage-protocol.ts';

export interface SubscriptionOptions {
  /** Events that may be in flight: asked for, and not handled. Default 1,000. */
  readonly maxDemand?: number;
  /** More is asked for once this few are in flight; 0 or more and below `maxDemand`. Default: half of it. */
  readonly minDemand?: number;
  /** Default permanent. */
  readonly cancel?: CancelMode;
  /** Of a producer that partitions: which one. Default: the first that nobody has. */
  readonly partition?: number;
}

export interface SubscriptionSpec extends SubscriptionOptions {
  /** The producer: a name that can be resolved, or an address. */
  readonly to: string | Address;
}

export interface CompleteSubscription extends SubscriptionOptions {
  readonly to: string | Address;
  readonly maxDemand: number;
  readonly minDemand: number;
  readonly cancel: CancelMode;
}

const MAX_DEMAND_DEFAULT = 1_000;
/** A consumer holds this many events at once; a larger number is a mistake in a unit. */
const MAX_DEMAND_MOST = 2 ** 20;
const KEYS = ['to', 'maxDemand', 'minDemand', 'cancel', 'partition'];

/** @throws SpillwayError `stage_invalid` naming the option */
export function completeSubscription(spec: SubscriptionSpec): CompleteSubscription {
  const unknown = Object.keys(spec).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw stageInvalid(`subscription.${unknown}`, `one of ${KEYS.join(', ')}`, unknown);
  const { to, maxDemand = MAX_DEMAND_DEFAULT, cancel = 'permanent', partition } = spec;
  if (typeof to !== 'string' && typeof to !== 'number') throw stageInvalid('subscription.to', 'the name or the address of a producer', to);
  requireInteger('subscription.maxDemand', maxDemand, 1, MAX_DEMAND_MOST);
  const { minDemand = Math.floor(maxDemand / 2) } = spec;
  requireInteger('subscription.minDemand', minDemand, 0, maxDemand - 1);
  if (!CANCEL_MODES.includes(cancel)) throw stageInvalid('subscription.cancel', `one of ${CANCEL_MODES.join(', ')}`, cancel);
  return { to, maxDemand, minDemand, cancel, ...(partition === undefined ? {} : { partition }) };
}

/** @throws SpillwayError `stage_invalid` */
export function requireInteger(path: string, value: unknown, min: number, max: number): void {
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return;
  throw stageInvalid(path, `a whole number from ${min} to ${max}`, value);
}

export function stageInvalid(path: string, expected: string, found: unknown): SpillwayError {
  return new SpillwayError('stage_invalid', `${path} of a stage must be ${expected}, and is ${String(found)}.`, { details: { path, expected } });
}
