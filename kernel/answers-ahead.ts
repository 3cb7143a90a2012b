/**
 * Answers that lie in a lane behind a request which cannot be handled yet.
 *
 * A busy actor's next request stays at the front of its lane, and what the actor waits for may be an
 * answer behind it: left there, the two would wait for each other until a deadline. So answers are taken
 * out of turn. The record is marked in place as settled, and the lane passes over it when its turn comes.
 *
 * Only the consumer's thread calls this. A thread that dies leaves marked records marked, and no answer
 * to it would be taken by its next life anyway.
 */
import type { SpscConsumer } from 'atomics-ring-buffer';
import { FAILURE_KIND, FORWARDED_KIND, ITEM_KIND, REPLY_KIND, SETTLED_KIND } from './envelope.ts';

/** Items too, whose end must not overtake them; and who answers now, which a peer's death must not overtake. */
const ANSWERS: readonly number[] = [REPLY_KIND, FAILURE_KIND, ITEM_KIND, FORWARDED_KIND];

/** Receives one answer in place, as a RecordHandler does. */
export type AnswerHandler = (kind: number, offset: number, length: number) => void;

export class AnswersAhead {
  readonly #ring: SpscConsumer;
  /** Position up to which answers have been looked for; undefined until the first look. */
  #lookedTo: number | undefined;

  constructor(ring: SpscConsumer) {
    this.#ring = ring;
  }

  /** Whether something was published since the last look. */
  get hasNew(): boolean {
    return this.#lookedTo !== this.#ring.producerPosition;
  }

  /** Begins at the front of the lane with the next look. */
  reset(): void {
    this.#lookedTo = undefined;
  }

  /** Hands over the answers that were published since the last look. @returns how many */
  settle(handle: AnswerHandler): number {
    let answers = 0;
    const look = (kind: number, offset: number, length: number): void => {
      if (!ANSWERS.includes(kind)) return;
      this.#ring.relabel(offset, SETTLED_KIND);
      answers++;
      handle(kind, offset, length);
    };
    this.#lookedTo = this.#ring.peek(look, Infinity, this.#lookedTo);
    return answers;
  }
}
