/** The image of a lane of the other process: the producing end of a ring here; see lane-sender.ts. */
import { resultName, type SpscProducer } from 'atomics-ring-buffer';
import { SpillwayError } from '../errors.ts';

export class LaneReceiver {
  readonly #ring: SpscProducer;
  /** Where the next bytes of a record go that has begun to come, and how many are missing. */
  #offset = 0;
  #missing = 0;
  #reported: number;

  constructor(ring: SpscProducer) {
    this.#ring = ring;
    this.#reported = ring.consumerPosition;
  }

  /** A record begins with these bytes of it. @throws SpillwayError `process_protocol_violation` */
  begin(kind: number, length: number, bytes: Uint8Array): void {
    if (this.#missing > 0 || bytes.byteLength > length) throw violation('the rest of the record that had begun', `a record of ${length} bytes`);
    if (kind > 0x7fffffff) throw violation('a kind of record', String(kind));
    const offset = this.#ring.tryClaim(kind, length);
    if (offset < 0) throw violation('no more than the lane has room for', `${length} bytes: ${resultName(offset)}`);
    this.#offset = offset;
    this.#missing = length;
    this.#write(bytes);
  }

  /** The next bytes of that record. @throws SpillwayError `process_protocol_violation` */
  part(bytes: Uint8Array): void {
    if (bytes.byteLength === 0 || bytes.byteLength > this.#missing) throw violation(`up to ${this.#missing} bytes of a record`, String(bytes.byteLength));
    this.#write(bytes);
  }

  /** Up to where the records were taken here, if that was not reported yet. */
  get unreported(): number | undefined {
    const position = this.#ring.consumerPosition;
    if (position === this.#reported) return undefined;
    this.#reported = position;
    return position;
  }

  /** Whether the other side is likely to wait for room. */
  get isPressed(): boolean {
    return this.#ring.levelBytes > this.#ring.capacityBytes / 4;
  }

  /** Nothing more comes: what came in part never was there. */
  close(): void {
    if (this.#missing > 0) this.#ring.abort();
    this.#missing = 0;
  }

  #write(bytes: Uint8Array): void {
    this.#ring.memory.u8.set(bytes, this.#offset);
    this.#offset += bytes.byteLength;
    this.#missing -= bytes.byteLength;
    if (this.#missing === 0) this.#ring.commit();
  }
}

function violation(expected: string, got: string): SpillwayError {
  return new SpillwayError('process_protocol_violation', `Expected ${expected}; got ${got}.`);
}
