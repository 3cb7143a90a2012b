/**
 * Answers that found the lane back full, tried again on every turn of the loop: in order for each lane of
 * each thread, and independent of those for others, so that whoever does not read keeps nobody else from
 * his answers, nor its data its control.
 *
 * It is bounded by what it answers: a data message's answer keeps its actor from taking the next one,
 * so there is at most one for each actor and pending control message.
 */
import { LANES, type Lane } from './lanes.ts';

export class Outbox {
  /** By lane and thread; none of them is empty. */
  readonly #waiting = new Map<number, (() => boolean)[]>();

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Makes the attempt now, or later and behind those that wait for the same lane to the same thread. @param attempt true when settled */
  send(thread: number, lane: Lane, attempt: () => boolean): void {
    const line = thread * LANES.length + LANES.indexOf(lane);
    if (this.#waiting.has(line) || !attempt()) this.#wait(line, attempt);
  }

  flush(): void {
    for (const [line, attempts] of this.#waiting) {
      // An attempt may send another for the same line, which then stands behind it.
      while (attempts.length > 0 && attempts[0]!()) attempts.shift();
      if (attempts.length === 0) this.#waiting.delete(line);
    }
  }

  #wait(line: number, attempt: () => boolean): void {
    const attempts = this.#waiting.get(line);
    if (attempts === undefined) this.#waiting.set(line, [attempt]);
    else attempts.push(attempt);
  }
}
