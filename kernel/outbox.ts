/**
 * Answers that found the lane back full, in order, tried again on every turn of the loop.
 *
 * It is bounded by what it answers: a data message's answer keeps its actor from taking the next one,
 * so there is at most one for each actor and pending control message.
 */
export class Outbox {
  /** How soon a thread with waiting answers looks again: nobody rings when a lane gets room. */
  static readonly RETRY_MS = 1;

  readonly #attempts: (() => boolean)[] = [];

  get isEmpty(): boolean {
    return this.#attempts.length === 0;
  }

  /** Makes the attempt now, or later and behind those that wait. @param attempt true when settled */
  send(attempt: () => boolean): void {
    if (!this.isEmpty || !attempt()) this.#attempts.push(attempt);
  }

  flush(): void {
    while (!this.isEmpty && this.#attempts[0]!()) this.#attempts.shift();
  }
}
