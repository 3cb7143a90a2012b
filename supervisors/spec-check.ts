/**
 * Checks specs and flags as a whole before anything starts. Unknown keys are refused, because a misspelt
 * one would silently mean the default.
 */
import type { JtdSchema } from 'atomics-ring-buffer';
import { DEFAULT_LANE_SIZES, MIN_HUNG_AFTER_MS, SpillwayError, completeDelivery, completeProcess, untypedValue, validatorOf, type LaneSizes } from '../kernel/index.ts';
import { DEFAULT_FLAGS, isSupervisor, type AnyChildSpec, type BackoffFlags, type ChildSpec, type SupervisorFlags, type SupervisorSetup } from './child-spec.ts';
import type { DynamicChild } from './children.ts';
import type { PoolThreadsSpec } from './pool-threads.ts';

/** A kernel message with its envelope takes less than 128 bytes, and a record may take half its lane. */
const MIN_LANE_BYTES = 1_024;
/** Where the high mark stands that is not given. */
const DEFAULT_HIGH_PART = 0.75;
/** What a ring takes at the most. */
const MAX_LANE_BYTES = 2 ** 30;
/** Supervisors below supervisors. */
const MAX_DEPTH = 16;

const SOURCE = {
  properties: { module: { type: 'string' }, export: { type: 'string' } },
  optionalProperties: { args: {} },
} as const;
const BACKOFF = { minMs: { type: 'float64' }, maxMs: { type: 'float64' }, jitter: { type: 'float64' }, resetMs: { type: 'float64' } } as const;
const ANY_CHILD = {
  restart: { enum: ['permanent', 'transient', 'temporary'] },
  significant: { type: 'boolean' },
  shutdownMs: { type: 'float64' },
  brutalKill: { type: 'boolean' },
  startMs: { type: 'float64' },
  backoff: { optionalProperties: BACKOFF },
} as const;

const CHILD_SCHEMA = {
  properties: { id: { type: 'string' }, start: SOURCE },
  optionalProperties: {
    ...ANY_CHILD,
    type: { enum: ['worker'] },
    placement: { enum: ['inline', 'pool', 'thread', 'process'] },
    native: { type: 'boolean' },
    resourceLimits: {
      optionalProperties: { maxYoungGenerationSizeMb: { type: 'float64' }, maxOldGenerationSizeMb: { type: 'float64' } },
    },
    mailbox: {
      optionalProperties: {
        controlBytes: { type: 'uint32' },
        dataBytes: { type: 'uint32' },
        telemetryBytes: { type: 'uint32' },
        highMarkBytes: { type: 'uint32' },
        lowMarkBytes: { type: 'uint32' },
      },
    },
    hungAfterMs: { type: 'float64' },
    delivery: {},
    standby: { type: 'uint32' },
    process: {},
  },
} as const;

const POOL_SCHEMA = {
  optionalProperties: { threads: { type: 'uint32' }, hungAfterMs: { type: 'float64' }, resourceLimits: CHILD_SCHEMA.optionalProperties.resourceLimits },
} as const;

const SUPERVISOR_SCHEMA = {
  properties: { id: { type: 'string' }, type: { enum: ['supervisor'] } },
  optionalProperties: { ...ANY_CHILD, start: SOURCE, flags: {}, children: { elements: {} } },
} as const;

const SETUP_SCHEMA = { optionalProperties: { flags: {}, children: { elements: {} } } } as const;
const DYNAMIC_SCHEMA = { optionalProperties: { id: { type: 'string' }, args: {} } } as const;

const { minMs, maxMs, jitter, resetMs } = BACKOFF;
const FLAGS_SCHEMA = {
  properties: {
    strategy: { enum: ['one_for_one', 'one_for_all', 'rest_for_one', 'simple_one_for_one'] },
    intensity: { type: 'uint32' },
    periodMs: { type: 'float64' },
    backoff: { properties: { minMs, maxMs, jitter }, optionalProperties: { resetMs } },
    autoShutdown: { enum: ['never', 'any_significant', 'all_significant'] },
  },
} as const;

/** What only an actor with a thread or process to itself can have. */
const OWN_THREAD_KEYS = ['native', 'resourceLimits', 'mailbox', 'delivery', 'standby', 'process', 'hungAfterMs'] as const;
/** Each is a thread that only waits. */
const MAX_STANDBY = 16;

export interface CheckedSetup {
  readonly flags: SupervisorFlags;
  readonly children: readonly AnyChildSpec[];
}

/** @throws SpillwayError `spec_invalid`, `child_exists` */
export function checkSetup({ flags = {}, children = [] }: Partial<SupervisorSetup>, depth = 0): CheckedSetup {
  if (depth > MAX_DEPTH) throw invalid(`Supervisors nest deeper than ${MAX_DEPTH}.`);
  if (!Array.isArray(children)) throw invalid('The children of a supervisor must be a list of child specs.');
  const complete = completeFlags(flags);
  if (complete.strategy === 'simple_one_for_one' && children.length !== 1) {
    throw invalid(`A supervisor with simple_one_for_one has exactly one child spec, after which its children are made; got ${children.length}.`);
  }
  checkChildren(children, complete, depth);
  return { flags: complete, children: children as readonly AnyChildSpec[] };
}

/** What an init says. @throws SpillwayError `spec_invalid`, `child_exists` */
export function checkInit(setup: unknown, depth: number): CheckedSetup {
  check('What the supervisor is made of', SETUP_SCHEMA, setup);
  try {
    return checkSetup(untypedValue.copy(setup) as Partial<SupervisorSetup>, depth);
  } catch (error) {
    if ((error as SpillwayError).code !== 'value_refused') throw error;
    throw new SpillwayError('spec_invalid', `What the supervisor is made of must be plain data: ${(error as Error).message}`, { cause: error });
  }
}

/** What differs from the template, of a child that is made after one. @throws SpillwayError `spec_invalid` */
export function checkDynamic(given: unknown): asserts given is DynamicChild {
  check('What differs from the template', DYNAMIC_SCHEMA, given);
}

/** Specs of children of one supervisor. @throws SpillwayError `spec_invalid`, `child_exists` */
export function checkChildren(specs: readonly unknown[], flags: SupervisorFlags, depth = 0): asserts specs is readonly AnyChildSpec[] {
  const ids = new Set<string>();
  for (const spec of specs) {
    checkChild(spec, depth);
    const { id, significant, restart } = spec;
    if (significant === true && restart !== 'transient' && restart !== 'temporary') throw invalid(`Child ${id}: a permanent child cannot be significant, since it never ends by itself.`);
    if (significant === true && flags.autoShutdown === 'never') throw invalid(`Child ${id}: significant means nothing where autoShutdown is never; set it to any_significant or all_significant.`);
    if (ids.has(id)) throw new SpillwayError('child_exists', `Two children have the id '${id}'.`);
    ids.add(id);
  }
}

function checkChild(given: unknown, depth: number): asserts given is AnyChildSpec {
  const isOfSupervisor = typeof given === 'object' && given !== null && (given as AnyChildSpec).type === 'supervisor';
  check('Child spec', isOfSupervisor ? SUPERVISOR_SCHEMA : CHILD_SCHEMA, given);
  const spec = given as AnyChildSpec;
  const { id, shutdownMs, startMs, brutalKill, backoff } = spec;
  if (id === '') throw invalid('A child spec needs an id that is not empty.');
  if (id.includes('/') && isOfSupervisor) throw invalid(`Child ${id}: the id of a supervisor has no slash, which stands between it and its children's.`);
  if (shutdownMs !== undefined && !(shutdownMs > 0)) throw invalid(`Child ${id}: shutdownMs must be above zero; got ${shutdownMs}.`);
  if (startMs !== undefined && !(startMs > 0 && startMs < Infinity)) throw invalid(`Child ${id}: startMs must be above zero and finite; got ${startMs}.`);
  if (brutalKill === true && shutdownMs !== undefined) throw invalid(`Child ${id}: brutalKill leaves no time for shutdownMs; give one of them.`);
  if (backoff !== undefined) checkBackoff(`Child ${id}: backoff`, { ...DEFAULT_FLAGS.backoff, ...backoff });
  if (isSupervisor(spec)) {
    if (spec.start !== undefined && (spec.flags !== undefined || spec.children !== undefined)) throw invalid(`Child ${id}: give either start, or flags and children.`);
    if (spec.start === undefined) checkSetup(spec, depth + 1);
  } else checkWorker(spec);
}

function checkWorker(spec: ChildSpec): void {
  const { id, placement = 'thread', hungAfterMs } = spec;
  if (placement === 'inline' || placement === 'pool') {
    const key = OWN_THREAD_KEYS.find((name) => spec[name] !== undefined);
    if (key !== undefined) throw invalid(`Child ${id}: ${key} is for an actor that has a thread to itself, and this one is placed ${placement}.`);
  }
  if (spec.brutalKill === true && spec.native === true && placement === 'thread') throw invalid(`Child ${id}: a thread that makes native calls cannot be killed without its process; place it in a process.`);
  if (hungAfterMs !== undefined && !(hungAfterMs >= MIN_HUNG_AFTER_MS && hungAfterMs < Infinity)) throw invalid(`Child ${id}: hungAfterMs must be a number of milliseconds from ${MIN_HUNG_AFTER_MS} on; got ${hungAfterMs}.`);
  if (spec.standby !== undefined && spec.standby > MAX_STANDBY) throw invalid(`Child ${id}: standby must be a whole number from 0 to ${MAX_STANDBY}; got ${spec.standby}.`);
  if (spec.standby !== undefined && placement === 'process') throw invalid(`Child ${id}: standby is for threads; a process is started anew.`);
  if (spec.process !== undefined && placement !== 'process') throw invalid(`Child ${id}: process says what a process is granted, and this child is placed ${placement}.`);
  checkMailbox(id, { ...DEFAULT_LANE_SIZES, ...spec.mailbox });
  checkByKernel(id, 'delivery', spec.delivery, completeDelivery);
  checkByKernel(id, 'process', spec.process, completeProcess);
}

/** What the kernel understands it checks itself. */
function checkByKernel<T>(id: string, key: string, value: T | undefined, complete: (value: T) => unknown): void {
  if (value === undefined) return;
  try {
    complete(value);
  } catch (error) {
    throw new SpillwayError('spec_invalid', `Child ${id}: ${key}: ${(error as Error).message}`, { cause: error });
  }
}

function checkMailbox(id: string, sizes: LaneSizes): void {
  for (const key of ['controlBytes', 'dataBytes', 'telemetryBytes'] as const) {
    const bytes = sizes[key];
    if (!Number.isInteger(Math.log2(bytes)) || bytes < MIN_LANE_BYTES || bytes > MAX_LANE_BYTES) {
      throw invalid(`Child ${id}: mailbox.${key} must be a power of two from ${MIN_LANE_BYTES} to ${MAX_LANE_BYTES}; got ${bytes}.`);
    }
  }
  const { dataBytes } = sizes;
  const highMarkBytes = sizes.highMarkBytes ?? dataBytes * DEFAULT_HIGH_PART;
  // A low mark at the high one, or above it, would have the lane pressured and not pressured with every record.
  const isLowBelow = sizes.lowMarkBytes === undefined || (sizes.lowMarkBytes > 0 && sizes.lowMarkBytes < highMarkBytes);
  if (!(isLowBelow && highMarkBytes > 0 && highMarkBytes <= dataBytes)) {
    throw invalid(
      `Child ${id}: the mailbox's marks must satisfy 0 < lowMarkBytes < highMarkBytes <= dataBytes (${dataBytes}); got low ${sizes.lowMarkBytes ?? 'none'}, high ${sizes.highMarkBytes ?? `none, so ${highMarkBytes}`}.`,
    );
  }
}

/** @param most threads that the system has room for. @throws SpillwayError `spec_invalid` */
export function checkPool(pool: PoolThreadsSpec, most: number): void {
  check('The pool', POOL_SCHEMA, pool);
  const { threads = 1, ...spec } = pool;
  if (threads < 1 || threads > most) throw invalid(`The pool: threads must be a whole number from 1 to ${most}, which maxThreads leaves; got ${threads}.`);
  checkWorker({ ...spec, id: 'pool', start: { module: '', export: '' } });
}

/** Fills in the defaults. @throws SpillwayError `spec_invalid` */
export function completeFlags(flags: Partial<SupervisorFlags>): SupervisorFlags {
  if (typeof flags !== 'object' || flags === null || Array.isArray(flags)) throw invalid(`Supervisor flags must be an object; got ${JSON.stringify(flags)}.`);
  const complete = { ...DEFAULT_FLAGS, ...flags };
  check('Supervisor flags', FLAGS_SCHEMA, complete);
  if (!(complete.periodMs > 0 && complete.periodMs < Infinity)) throw invalid(`periodMs must be above zero and finite; got ${complete.periodMs}.`);
  checkBackoff('backoff', complete.backoff);
  return complete;
}

function checkBackoff(what: string, backoff: BackoffFlags): void {
  const { minMs: min, maxMs: max, jitter: part, resetMs: reset = 1 } = backoff;
  if (!(min >= 0 && max >= min && part >= 0 && part <= 1 && reset > 0)) {
    throw invalid(`${what} must satisfy 0 <= minMs <= maxMs, 0 <= jitter <= 1 and 0 < resetMs; got ${JSON.stringify(backoff)}.`);
  }
}

/** Compiled at the first use: a thread that only runs an actor checks no specs. */
const validators = new Map<JtdSchema, (value: unknown) => void>();

function check(what: string, schema: JtdSchema, value: unknown): void {
  let validate = validators.get(schema);
  if (validate === undefined) validators.set(schema, (validate = validatorOf(schema)));
  try {
    validate(value);
  } catch (error) {
    const { path, expected, found } = (error as SpillwayError).details;
    throw new SpillwayError('spec_invalid', `${what}: ${String(path) || 'it'} must be ${String(expected)}, and is ${String(found)}.`, { cause: error });
  }
}

function invalid(message: string): SpillwayError {
  return new SpillwayError('spec_invalid', message);
}
