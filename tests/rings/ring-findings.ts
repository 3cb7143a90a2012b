/** What threads.test.ts and its threads share: what a thread is told, and the board on which it leaves what it found. */
import { SharedCounters, SharedWords } from 'atomics-ring-buffer';

export const FINDINGS = ['delivered', 'torn', 'misordered', 'wakeUps', 'stuck'] as const;
export const ORDERS = ['stop'] as const;
export const BOARD_BYTES = SharedCounters.bytes(FINDINGS) + SharedWords.bytes(ORDERS);
/** What one poll takes at most, and so what one death can have delivered again. */
export const POLL_LIMIT = 16;
export const MAX_PAYLOAD_BYTES = 100;

export interface RingThreadData {
  readonly role: 'produce' | 'consume' | 'consumeAsync' | 'ping' | 'pong' | 'pongAsync';
  readonly ring: SharedArrayBuffer;
  /** The way back, for ping and pong. */
  readonly back?: SharedArrayBuffer;
  /** See `FINDINGS` and `ORDERS`. */
  readonly board: SharedArrayBuffer;
  readonly seed: number;
  /** Records to have in the ring's history, whoever published the first ones. */
  readonly count: number;
  /** After this many records of its own life the thread sticks for good: in the middle of a claim, or of a poll. */
  readonly stickAfter?: number | undefined;
}
