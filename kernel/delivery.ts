/**
 * How the data messages of a thread's own actor are delivered over its lives. It is declared in the spec of the
 * thread, because it outlives any one life of the actor.
 */
import { SpillwayError } from './errors.ts';

export const DELIVERY_GUARANTEES = ['at_most_once', 'at_least_once'] as const;
export type DeliveryGuarantee = (typeof DELIVERY_GUARANTEES)[number];

/** What becomes of data messages that wait in the lanes when a new life begins. */
export const RESTART_POLICIES = ['keep', 'dead_letter'] as const;
export type RestartPolicy = (typeof RESTART_POLICIES)[number];

export interface DeliverySpec {
  /**
   * `at_most_once` (default): what a life had in hand when it ended is not handled again. `at_least_once`: it is,
   * by the next life, so handlers must bear it; see `MessageContext.redeliveries`.
   */
  readonly guarantee?: DeliveryGuarantee;
  /** With `at_least_once`: how often a message is handled again before it is given up as `poisoned`. Default 3. */
  readonly maxRedeliveries?: number;
  /** `keep` (default): the next life handles what waits. `dead_letter`: it is given up as `restarted`. */
  readonly onRestart?: RestartPolicy;
}

const KEYS = ['guarantee', 'maxRedeliveries', 'onRestart'];
const DEFAULT_MAX_REDELIVERIES = 3;
/** More is no bound any more: each of them has cost a life. */
const MAX_REDELIVERIES = 1_000;

/**
 * Fills in the defaults.
 * @throws SpillwayError `delivery_invalid` with `details` `path`, `expected` and `found`, for unknown keys, values out
 *   of range, and what contradicts itself
 */
export function completeDelivery(spec: DeliverySpec = {}): Required<DeliverySpec> {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) throw invalid('delivery', 'an object', spec);
  const unknown = Reflect.ownKeys(spec).find((name) => !KEYS.includes(String(name)));
  if (unknown !== undefined) throw invalid('delivery', `an object with no other keys than ${KEYS.join(', ')}`, String(unknown));
  const { guarantee = 'at_most_once', onRestart = 'keep' } = spec;
  if (!DELIVERY_GUARANTEES.includes(guarantee)) throw invalid('delivery.guarantee', `one of ${DELIVERY_GUARANTEES.join(', ')}`, guarantee);
  if (!RESTART_POLICIES.includes(onRestart)) throw invalid('delivery.onRestart', `one of ${RESTART_POLICIES.join(', ')}`, onRestart);
  if (guarantee === 'at_least_once' && onRestart === 'dead_letter') {
    throw invalid('delivery.onRestart', 'keep with the guarantee at_least_once, which gives nothing up that waits', onRestart);
  }
  if (guarantee === 'at_most_once' && spec.maxRedeliveries !== undefined) {
    throw invalid('delivery.maxRedeliveries', 'left out with the guarantee at_most_once, which delivers nothing again', spec.maxRedeliveries);
  }
  const { maxRedeliveries = DEFAULT_MAX_REDELIVERIES } = spec;
  if (!Number.isInteger(maxRedeliveries) || maxRedeliveries < 0 || maxRedeliveries > MAX_REDELIVERIES) {
    throw invalid('delivery.maxRedeliveries', `a whole number from 0 to ${MAX_REDELIVERIES}`, maxRedeliveries);
  }
  return { guarantee, maxRedeliveries, onRestart };
}

/**
 * Whether an actor can be given what its thread declares.
 * @throws SpillwayError `delivery_invalid` where its messages leave their lanes before they are handled
 */
export function requireInLane(name: string, definition: { readonly mailbox?: unknown; readonly stashCapacity?: number }): void {
  const [path, why] =
    definition.mailbox !== undefined ? ['mailbox', 'takes messages out of their lanes before they are handled'] :
    (definition.stashCapacity ?? 0) > 0 ? ['stashCapacity', 'keeps messages whose handler has ended'] : [];
  if (path === undefined) return;
  throw new SpillwayError('delivery_invalid', `Actor ${name} is to get its messages at_least_once, but declares ${path}, which ${why}; leave out one of the two.`, {
    details: { path, expected: 'left out with delivery.guarantee at_least_once', found: 'declared' },
  });
}

function invalid(path: string, expected: string, found: unknown): SpillwayError {
  const shown = typeof found === 'string' ? JSON.stringify(found) : typeof found === 'object' && found !== null ? 'an object' : String(found);
  return new SpillwayError('delivery_invalid', `${path} must be ${expected}, and is ${shown}. Correct it in the spec of the actor's thread.`, {
    details: { path, expected, found: shown },
  });
}
