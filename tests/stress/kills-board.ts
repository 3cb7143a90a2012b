/** What kills.ts and its threads share: a block of words for each life, and what all of them found. */
import { Doorbell, SharedCounters, SharedWords } from 'atomics-ring-buffer';

export const FOUND = ['delivered', 'redelivered', 'torn', 'misordered'] as const;

/** The last life after whose start a record was handled, and when, in microseconds modulo 2^31. */
export const RECOVERY = ['atUs', 'life'] as const;

/**
 * One thread's words. `order`: 1 when the thread may attach, 2 when it should finish. `doing`: 1 in the
 * middle of a claim or a poll. `progress`: records that it has committed, or handled. `stuck`: 1 when it
 * sticks in the middle of an operation, as it was told to. `incarnation`: the one it succeeds, then its own.
 */
const LIFE = ['order', 'bell', 'doing', 'progress', 'stuck', 'incarnation'] as const;

export interface KillsTask {
  readonly kind: 'spsc' | 'mpsc';
  readonly side: 'producer' | 'consumer';
  readonly ring: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly life: SharedArrayBuffer;
  /** Which thread this is, from 1 on; a producer's records have it as their kind. */
  readonly number: number;
  /** After so many records the thread sticks where it is, in the middle of a claim or of a handler. */
  readonly stickAfter: number | undefined;
}

export interface Board {
  readonly found: SharedCounters<(typeof FOUND)[number]>;
  readonly recovery: SharedWords<(typeof RECOVERY)[number]>;
  /** By the number of a producer, how many of its records were handled; written by consumers only. */
  readonly handled: Int32Array;
}

export function boardBytes(lives: number): number {
  return SharedCounters.bytes(FOUND) + SharedWords.bytes(RECOVERY) + (lives + 1) * 4;
}

export function openBoard(board: SharedArrayBuffer): Board {
  const recoveryAt = SharedCounters.bytes(FOUND);
  return {
    found: new SharedCounters(board, 0, FOUND),
    recovery: new SharedWords(board, recoveryAt, RECOVERY),
    handled: new Int32Array(board, recoveryAt + SharedWords.bytes(RECOVERY)),
  };
}

export type Life = SharedWords<(typeof LIFE)[number]>;

export function makeLife(): SharedArrayBuffer {
  return new SharedArrayBuffer(SharedWords.bytes(LIFE));
}

export function openLife(life: SharedArrayBuffer): Life {
  return new SharedWords(life, 0, LIFE);
}

export function bellOf(life: Life): Doorbell {
  return new Doorbell(...life.place('bell'));
}

/** Microseconds of the process's clock, which all of its threads share, modulo 2^31. */
export function nowUs(): number {
  return Number((process.hrtime.bigint() / 1_000n) & 0x7fff_ffffn);
}
