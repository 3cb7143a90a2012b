/**
 * Child specs and supervisor flags: plain data, in OTP's words. What they mean is said here; that they are
 * well-formed is checked as a whole before anything starts (spec-check.ts).
 */
import type { ActorSource, DeliverySpec, HeapLimits, LaneSizes, ProcessSpec, ThreadSpec } from '../kernel/index.ts';

/**
 * When a child that has ended is started again.
 *
 *              after a stop of its own   after a shutdown   after a crash
 *   permanent  restarted                 restarted          restarted
 *   transient  not restarted             not restarted      restarted
 *   temporary  not restarted             not restarted      not restarted
 */
export type Restart = 'permanent' | 'transient' | 'temporary';

/**
 * Where a child runs. One word, and nothing else in the spec or the actor changes with it.
 *
 *   inline   on the thread of the supervision tree itself: the quickest to restart. It must never hold its thread,
 *            which would hold all restarts
 *   pool     with others on one of the threads that the system keeps for it
 *   thread   on a thread of its own
 *   process  in a process of its own, for what may take its process down
 */
export type Placement = 'inline' | 'pool' | 'thread' | 'process';

interface AnyChild {
  /** Unique among the children; with the ids of the supervisors above, the name by which others resolve the actor. */
  readonly id: string;
  /** Default: permanent. */
  readonly restart?: Restart;
  /** Whether its end by itself may end its supervisor; see `autoShutdown`. Not for permanent children. Default: false. */
  readonly significant?: boolean;
  /** Milliseconds that the child may take to finish what waits and to stop. Default: 5,000; of a supervisor, as long as its children take. */
  readonly shutdownMs?: number;
  /** It is ended at once instead. Not for what makes native calls on a thread. */
  readonly brutalKill?: boolean;
  /** Milliseconds that a start may take until the child says that it is ready, which its `start` does by returning. Default: 60,000. */
  readonly startMs?: number;
  /** What differs from its supervisor's. */
  readonly backoff?: Partial<BackoffFlags>;
}

export interface ChildSpec extends AnyChild {
  readonly type?: 'worker';
  readonly start: ActorSource;
  /** Default: thread. */
  readonly placement?: Placement;
  /** Whether it makes native calls; its thread is then never terminated. Default: false. */
  readonly native?: boolean;
  /** Bounds of its thread's JavaScript heap, in Node's words; what is not given is Node's default. */
  readonly resourceLimits?: HeapLimits;
  /** Capacity and marks of the lanes into it; what is not given is the kernel's default. */
  readonly mailbox?: Partial<LaneSizes>;
  /** How its data messages are delivered over its lives. Default: each at most once. */
  readonly delivery?: DeliverySpec;
  /** How many started threads wait for its next lives, with its module loaded and what it prepares. Default: none. */
  readonly standby?: number;
  /** With the placement `process`: what that is granted. Default: what a process of this user may, without a sandbox. */
  readonly process?: ProcessSpec;
  /** How long one of its handlers may hold the thread before that is ended, as crashed. Default: it is only told. */
  readonly hungAfterMs?: number;
}

/** A supervisor among the children of another. */
export interface SupervisorChildSpec extends AnyChild, Partial<SupervisorSetup> {
  readonly type: 'supervisor';
  /** Names a `defineSupervisor` that says at each start what flags and children there are; in place of both. */
  readonly start?: ActorSource;
}

export type AnyChildSpec = ChildSpec | SupervisorChildSpec;

/** What a supervisor is made of. */
export interface SupervisorSetup {
  /** What is not given is the default. */
  readonly flags: Partial<SupervisorFlags>;
  /** From left to right in the order of their start. With `simple_one_for_one` exactly one: what its children are made after. */
  readonly children: readonly AnyChildSpec[];
}

/**
 * What is restarted when a child has failed.
 *
 *   one_for_one         the child alone
 *   one_for_all         all children
 *   rest_for_one        the child and those that were started after it
 *   simple_one_for_one  the child alone; the children are all of one kind and come and go
 */
export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'simple_one_for_one';

/** Which ends of significant children, by themselves, end the supervisor: none, the first, or the last. */
export type AutoShutdown = 'never' | 'any_significant' | 'all_significant';

export interface SupervisorFlags {
  readonly strategy: Strategy;
  /** More restarts than this within the period, and the supervisor gives up. */
  readonly intensity: number;
  readonly periodMs: number;
  readonly backoff: BackoffFlags;
  readonly autoShutdown: AutoShutdown;
}

export interface BackoffFlags {
  /** Delay before the first restart. */
  readonly minMs: number;
  /** The delay doubles with every restart up to this. */
  readonly maxMs: number;
  /** Each delay is multiplied by a random factor from 1 - jitter to 1 + jitter. 0 to 1. */
  readonly jitter: number;
  /** A child that has lived for so long begins anew at `minMs`. Default: the mean of `minMs` and `maxMs`. */
  readonly resetMs?: number;
}

export const DEFAULT_CHILD = { restart: 'permanent', shutdownMs: 5_000, startMs: 60_000, placement: 'thread', native: false } as const;

export const DEFAULT_FLAGS: SupervisorFlags = {
  strategy: 'one_for_one',
  intensity: 3,
  periodMs: 5_000,
  backoff: { minMs: 10, maxMs: 2_000, jitter: 0.2 },
  autoShutdown: 'never',
};

/** As long as a wait may be: about 24 days, which is what a timer takes. */
export const FOREVER_MS = 2 ** 31 - 1;

export function isSupervisor(spec: AnyChildSpec): spec is SupervisorChildSpec {
  return spec.type === 'supervisor';
}

/** How long a child may take to stop. */
export function shutdownMsOf(spec: AnyChildSpec): number {
  return Math.min(FOREVER_MS, spec.shutdownMs ?? (isSupervisor(spec) ? FOREVER_MS : DEFAULT_CHILD.shutdownMs));
}

/** With the defaults of what it leaves out. */
export function completeSpec(spec: AnyChildSpec): AnyChildSpec {
  const { restart, startMs, placement } = DEFAULT_CHILD;
  const stop = spec.brutalKill === true ? {} : { shutdownMs: shutdownMsOf(spec) };
  return { ...(isSupervisor(spec) ? {} : { type: 'worker', placement }), restart, significant: false, startMs, ...stop, ...spec };
}

const PASSED_ON = ['mailbox', 'resourceLimits', 'delivery', 'standby', 'hungAfterMs'] as const;

/** A worker's spec as the kernel is told it. */
export function threadSpecOf(spec: ChildSpec, name: string): ThreadSpec {
  const { start, native = DEFAULT_CHILD.native, placement } = spec;
  const given = Object.fromEntries(PASSED_ON.map((key) => [key, spec[key]]).filter(([, value]) => value !== undefined)) as Pick<ChildSpec, (typeof PASSED_ON)[number]>;
  return { name, source: start, native, ...given, ...(placement === 'process' ? { process: spec.process ?? {} } : {}) };
}
