/**
 * One lane on its way to the other process: the consuming end of a ring here, of which a ring over there is
 * the image.
 *
 * Both rings have the same capacity and began at the same position, and a ring lays the same records in the
 * same order always to the same places. So a position means the same in both, and what the other side has
 * taken is told as a position. Records stay here until then: a ring here is as full as that over there, whoever
 * writes it feels the other's back pressure, and what was not taken when the process dies is not lost.
 *
 * No credit is counted, because the capacity is the credit: what is not released here is what may not have
 * been taken there, and that never is more than the ring over there holds. Only a ring that had something in
 * it when its image was made is ahead of it by that much, and is held back until that was taken.
 */
import { ABORT, BREAK, SpscConsumer, SpscObserver, recordBytes, type SharedMemory } from 'atomics-ring-buffer';
import { SpillwayError } from '../errors.ts';
import { LANES, type Lane } from '../lanes.ts';
import { PART, PART_BYTES, RECORD, type FrameWriter } from './frames.ts';

/** Whether a record may be sent now; it and those behind it wait until it may. */
export type Gate = (kind: number, memory: SharedMemory, offset: number) => boolean;

/** A record of which a part was sent. */
interface Begun {
  readonly offset: number;
  readonly length: number;
  sent: number;
}

export class LaneSender {
  readonly #ring: SpscConsumer;
  readonly #lane: number;
  readonly #thread: number;
  readonly #start: number;
  readonly #gate: Gate | undefined;
  /** Up to where the other side has taken what was in its ring before. */
  #ahead: number;
  /** Up to where records were sent. */
  #sentTo: number;
  #sentBytes = 0;
  #begun: Begun | undefined;

  /** @param options `taken`: up to where the other ring's reader had taken what was in it when this one was made after its image */
  constructor(ring: SharedArrayBuffer, lane: Lane, thread: number, { taken, gate }: { readonly taken?: number | undefined; readonly gate?: Gate | undefined } = {}) {
    this.#gate = gate;
    this.#ring = new SpscConsumer(ring, { successorOf: new SpscObserver(ring).consumerIncarnation });
    this.#lane = LANES.indexOf(lane);
    this.#thread = thread;
    this.#start = this.#ring.consumerPosition;
    this.#sentTo = this.#start;
    this.#ahead = (this.#start - (taken ?? this.#start)) >>> 0;
  }

  /** Whether there is something to send, as far as the other side has room. */
  get hasMore(): boolean {
    return this.#begun !== undefined || (this.#ring.producerPosition !== this.#sentTo && this.#ahead === 0);
  }

  /** Up to where the other side has taken. */
  get position(): number {
    return this.#ring.consumerPosition;
  }

  /** Sends what waits, up to about `budgetBytes`. @returns bytes sent */
  send(writer: FrameWriter, budgetBytes: number): number {
    let left = budgetBytes;
    while (left > 0) {
      if (this.#begun !== undefined) {
        left -= this.#sendPart(writer, this.#begun);
        continue;
      }
      const from = this.#sentTo;
      this.#sentTo = this.#ring.peek(
        (kind, offset, length) => {
          if (left <= 0 || !this.#fits(length) || this.#gate?.(kind, this.#ring.memory, offset) === false) return ABORT;
          left -= this.#sendRecord(writer, kind, offset, length);
          return this.#begun === undefined ? undefined : BREAK;
        },
        Infinity,
        from,
      );
      if (this.#begun === undefined) break;
    }
    return budgetBytes - left;
  }

  /**
   * The other side has taken everything before `position`.
   * @throws SpillwayError `process_protocol_violation` if that is no end of a record that was sent
   */
  released(position: number): void {
    if (this.#ahead > 0) this.#ahead = Math.max(0, (this.#start - position) | 0);
    const ahead = (position - this.#ring.consumerPosition) | 0;
    if (ahead <= 0) return;
    const sent = (this.#sentTo - this.#ring.consumerPosition) | 0;
    try {
      if (ahead > sent || (this.#begun !== undefined && ahead === sent)) throw new RangeError(`only ${sent} bytes were sent`);
      this.#ring.release(position);
    } catch (error) {
      throw new SpillwayError('process_protocol_violation', `A position of a record that was sent was expected as released; got ${position}: ${String(error)}.`, { cause: error });
    }
  }

  /** Until what was there before is taken, the place of a record over there is not certain, so twice its bytes are asked for. */
  #fits(length: number): boolean {
    return this.#ahead === 0 || this.#ahead + this.#sentBytes + 2 * recordBytes(length) <= this.#ring.capacityBytes;
  }

  /** @returns bytes sent */
  #sendRecord(writer: FrameWriter, kind: number, offset: number, length: number): number {
    const bytes = Math.min(length, PART_BYTES);
    const at = writer.begin(RECORD, this.#lane, this.#thread, 8 + bytes);
    writer.bytes.writeUInt32LE(kind, at);
    writer.bytes.writeUInt32LE(length, at + 4);
    writer.bytes.set(this.#ring.memory.u8.subarray(offset, offset + bytes), at + 8);
    if (this.#ahead > 0) this.#sentBytes += recordBytes(length);
    if (bytes < length) this.#begun = { offset, length, sent: bytes };
    return bytes + 8;
  }

  #sendPart(writer: FrameWriter, begun: Begun): number {
    const bytes = Math.min(begun.length - begun.sent, PART_BYTES);
    const from = begun.offset + begun.sent;
    const at = writer.begin(PART, this.#lane, this.#thread, bytes);
    writer.bytes.set(this.#ring.memory.u8.subarray(from, from + bytes), at);
    begun.sent += bytes;
    if (begun.sent === begun.length) this.#begun = undefined;
    return bytes;
  }
}
