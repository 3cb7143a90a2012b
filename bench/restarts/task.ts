/** What is measured of one restart, in every way that there is to restart something. */

export const WAYS = [
  'light actor',
  'thread, standby',
  'thread',
  'thread, nothing compiled',
  'process',
  'Erlang process',
  'piscina',
  'bare Worker',
] as const;
export type Way = (typeof WAYS)[number];

/** Milliseconds of the machine's monotonic clock. */
export interface Restart {
  /** The last thing that the code which fails does. */
  readonly faultMs: number;
  /** Whoever restarts it knows of it. */
  readonly detectedMs: number;
  /** The next message or task is handled. */
  readonly readyMs: number;
  /** The steps between, for threads. */
  readonly steps?: Steps;
}

/** Where the time of a thread's restart goes. Before the fault for what a thread that stood by had done already. */
export interface Steps {
  /** The actor has been told to release what it holds. */
  readonly releasedMs: number;
  /** The isolate runs Node's own code to its end. */
  readonly bootedMs: number;
  /** The kernel and what the actor's module imports are loaded. */
  readonly loadedMs: number;
  /** The actor's `start` is called. */
  readonly startedMs: number;
}

export interface Report {
  readonly restarts: readonly Restart[];
  /** Of what was handed over and not answered when its receiver died; none where it outlives that. */
  readonly lost: number;
  /** Of the promises for it: neither kept nor broken when all else was over. */
  readonly hanging: number;
  /** Handed over before each fault. */
  readonly waiting: number;
}

/** Messages or tasks that wait behind the one that fails. */
export const WAITING = 10;
