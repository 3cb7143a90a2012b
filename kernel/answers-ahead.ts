/**
 * Answers that lie in a lane behind a request which cannot be handled yet.
 *
 * A busy actor's next request stays at the front of its lane, and what the actor waits for may be an
 * answer behind it: left there, the two would wait for each other until a deadline. So answers are taken
 * out of turn. The record is marked in place as settled, and the lane passes over it when its turn comes.
 *
 * The plain loads and stores are safe: records between the consumer's and the producer's position are
 * complete and belong to the consumer, whose thread is the only one to call this. A thread that dies
 * leaves marked records marked, and no answer to it would be taken by its next life anyway.
 */
import { RECORD_HEADER_BYTES, recordBytes, type SpscConsumer } from 'atomics-ring-buffer';
import { FAILURE_KIND, REPLY_KIND, SETTLED_KIND } from './envelope.ts';

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
    const { memory, capacityBytes } = this.#ring;
    const recordsOffset = memory.buffer.byteLength - capacityBytes;
    const end = this.#ring.producerPosition;
    let answers = 0;
    let position = this.#lookedTo ?? this.#ring.consumerPosition;
    while (position !== end) {
      const offset = recordsOffset + (position & (capacityBytes - 1));
      const length = memory.i32[offset >> 2]!;
      const kind = memory.i32[(offset >> 2) + 1]!;
      position = (position + recordBytes(length)) >>> 0;
      if (kind !== REPLY_KIND && kind !== FAILURE_KIND) continue;
      memory.i32[(offset >> 2) + 1] = SETTLED_KIND;
      answers++;
      handle(kind, offset + RECORD_HEADER_BYTES, length);
    }
    this.#lookedTo = end;
    return answers;
  }
}
