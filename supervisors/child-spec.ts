/**
 * Child specs and supervisor flags: plain data, in OTP's words, checked as a whole before anything
 * starts. Unknown keys are refused, because a misspelt one would silently mean the default.
 */
import type { JtdSchema } from 'atomics-ring-buffer';
import { DEFAULT_LANE_SIZES, SpillwayError, validatorOf, type ActorSource, type HeapLimits, type LaneSizes } from '../kernel/index.ts';

/**
 * When a child that has ended is started again.
 *
 *              after a stop of its own   after a crash
 *   permanent  restarted                 restarted
 *   transient  not restarted             restarted
 *   temporary  not restarted             not restarted
 */
export type Restart = 'permanent' | 'transient' | 'temporary';

/** Where a child runs. One word, and nothing else in the spec or the actor changes with it. */
export type Placement = 'thread';

export interface ChildSpec {
  /** Unique among the children; also the name by which others resolve the actor. */
  readonly id: string;
  readonly start: ActorSource;
  /** Default: permanent. */
  readonly restart?: Restart;
  /** Milliseconds that the child may take to finish what waits and to stop. Default: 5,000. */
  readonly shutdownMs?: number;
  /** Default: thread. */
  readonly placement?: Placement;
  /** Whether it makes native calls; its thread is then never terminated. Default: false. */
  readonly native?: boolean;
  /** Bounds of its thread's JavaScript heap, in Node's words; what is not given is Node's default. */
  readonly resourceLimits?: HeapLimits;
  /** Capacity and marks of the lanes into it; what is not given is the kernel's default. */
  readonly mailbox?: Partial<LaneSizes>;
}

export interface SupervisorFlags {
  /** one_for_one: a child that ends is restarted alone. */
  readonly strategy: 'one_for_one';
  /** More restarts than this within the period, and the supervisor gives up. */
  readonly intensity: number;
  readonly periodMs: number;
  readonly backoff: BackoffFlags;
}

export interface BackoffFlags {
  /** Delay before the first restart. */
  readonly minMs: number;
  /** The delay doubles with every restart up to this. */
  readonly maxMs: number;
  /** Each delay is multiplied by a random factor from 1 - jitter to 1 + jitter. 0 to 1. */
  readonly jitter: number;
}

export const DEFAULT_CHILD = { restart: 'permanent', shutdownMs: 5_000, placement: 'thread', native: false } as const;

export const DEFAULT_FLAGS: SupervisorFlags = {
  strategy: 'one_for_one',
  intensity: 3,
  periodMs: 5_000,
  backoff: { minMs: 10, maxMs: 2_000, jitter: 0.2 },
};

/** A kernel message with its envelope takes less than 128 bytes, and a record may take half its lane. */
const MIN_LANE_BYTES = 1_024;
/** Where the high mark stands that is not given. */
const DEFAULT_HIGH_PART = 0.75;
/** What a ring takes at the most. */
const MAX_LANE_BYTES = 2 ** 30;

const CHILD_SCHEMA = {
  properties: {
    id: { type: 'string' },
    start: {
      properties: { module: { type: 'string' }, export: { type: 'string' } },
      optionalProperties: { args: {} },
    },
  },
  optionalProperties: {
    restart: { enum: ['permanent', 'transient', 'temporary'] },
    shutdownMs: { type: 'float64' },
    placement: { enum: ['thread'] },
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
  },
} as const;

const FLAGS_SCHEMA = {
  properties: {
    strategy: { enum: ['one_for_one'] },
    intensity: { type: 'uint32' },
    periodMs: { type: 'float64' },
    backoff: {
      properties: { minMs: { type: 'float64' }, maxMs: { type: 'float64' }, jitter: { type: 'float64' } },
    },
  },
} as const;

/** @throws SpillwayError `spec_invalid`, `child_exists` */
export function validateChildren(specs: readonly unknown[]): asserts specs is readonly ChildSpec[] {
  const ids = new Set<string>();
  for (const spec of specs) {
    check('Child spec', CHILD_SCHEMA, spec);
    const { id, shutdownMs = DEFAULT_CHILD.shutdownMs, mailbox } = spec as ChildSpec;
    if (id === '') throw invalid('A child spec needs an id that is not empty.');
    if (!(shutdownMs > 0)) throw invalid(`Child ${id}: shutdownMs must be above zero; got ${shutdownMs}.`);
    checkMailbox(id, { ...DEFAULT_LANE_SIZES, ...mailbox });
    if (ids.has(id)) throw new SpillwayError('child_exists', `Two children have the id '${id}'.`);
    ids.add(id);
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

/** Fills in the defaults. @throws SpillwayError `spec_invalid` */
export function completeFlags(flags: Partial<SupervisorFlags>): SupervisorFlags {
  const complete = { ...DEFAULT_FLAGS, ...flags };
  check('Supervisor flags', FLAGS_SCHEMA, complete);
  const { periodMs, backoff } = complete;
  if (!(periodMs > 0)) throw invalid(`periodMs must be above zero; got ${periodMs}.`);
  if (!(backoff.minMs >= 0 && backoff.maxMs >= backoff.minMs && backoff.jitter >= 0 && backoff.jitter <= 1)) {
    throw invalid(`backoff must satisfy 0 <= minMs <= maxMs and 0 <= jitter <= 1; got ${JSON.stringify(backoff)}.`);
  }
  return complete;
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
