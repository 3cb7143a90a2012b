/** A thread as its host keeps it through all its lives, and what the host is given to make them. */
import type { MessagePort } from 'node:worker_threads';
import type { LaneSizes } from './lanes.ts';
import type { LogWriter } from './log.ts';
import type { ThreadRemains } from './remains.ts';
import type { ThreadBoot } from './thread-boot.ts';
import type { LinkedThread } from './thread-links.ts';
import type { Started, ThreadExit, ThreadSpec } from './thread-spec.ts';
import type { WatchedThread } from './watchdog.ts';
import type { ThreadWorker } from './worker.ts';

export interface Hosted extends LinkedThread {
  /** What it shows of itself. */
  readonly shown: WatchedThread;
  incarnation: number;
  alive: boolean;
  worker: ThreadWorker | undefined;
  /** Stops that wait for the end of the worker. One that makes native calls may be told to stop again and again. */
  stops: Set<() => void>;
  port: MessagePort | undefined;
  /** What it said of its own end. */
  lastWords: ThreadExit | undefined;
  /** What its former life has left; undefined while it lives. */
  remains: ThreadRemains | undefined;
  onStarted: ((started: Started) => void) | undefined;
  /** It has started with nothing to do and is about to end. */
  isIgnored: boolean;
  onExit: ((exit: ThreadExit) => void) | undefined;
}

/** What the host does outside of the system's shared memory; the test kit does it without threads. */
export interface HostTools {
  newWorker(boot: ThreadBoot, spec: ThreadSpec): ThreadWorker;
  /** Whether the next life of such a thread could begin at once, because another stands by for it. */
  isReady?(spec: ThreadSpec): boolean;
  /** The place of such a thread was given up. */
  removed?(spec: ThreadSpec): void;
  readonly writer: Pick<LogWriter, 'write'>;
  /** Default: `Board.create`. */
  newBoard?(): SharedArrayBuffer;
  /** Of the lanes whose sizes no spec names. */
  readonly laneSizes?: LaneSizes;
  /** Answers administrative calls for the guardian's own thread. */
  serveAdmin?(port: MessagePort): void;
}
