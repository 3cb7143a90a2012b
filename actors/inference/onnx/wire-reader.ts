/**
 * Reads the fields of protocol buffers from a file, with every length held against what encloses it.
 *
 * ONNX files are protocol buffers of up to gigabytes, nearly all of it weights. The reader keeps one window
 * of the file in memory and steps over what nobody asks for, so a walk costs the small fields alone.
 * The format is that of the protocol buffers encoding guide: a varint key of field number and wire type, then
 * a varint, 4 or 8 bytes, or a length and so many bytes.
 */
import { readSync } from 'node:fs';
import { modelError } from '../gguf/parser.ts';

const WINDOW_BYTES = 64 * 1024;
/** A varint has 7 bits in each byte and 64 bits at the most. */
const VARINT_BYTES_MAX = 10;
const WIRE = { varint: 0, eightBytes: 1, length: 2, fourBytes: 5 } as const;

/** One field of a message: a number, or the bounds of its bytes in the file. */
export interface WireField {
  readonly number: number;
  /** The value of a varint; `undefined` for all others. Beyond 2^53 it loses digits, and negative numbers are far beyond. */
  readonly value: number | undefined;
  /** Where the bytes begin and end, for a field with a length; both the position after it otherwise. */
  readonly start: number;
  readonly end: number;
}

export class WireReader {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #file: number;
  #window = Buffer.alloc(0);
  #windowStart = 0;

  /** @param file an open file of `sizeBytes`, which the caller closes */
  constructor(path: string, file: number, sizeBytes: number) {
    this.path = path;
    this.sizeBytes = sizeBytes;
    this.#file = file;
  }

  /**
   * The fields of the message in the bytes from `start` to `end`.
   *
   * @throws SpillwayError `model_truncated` when a field reaches beyond the file, `model_malformed` when it
   *   reaches beyond its message or is no field
   */
  *fields(start: number, end: number, message: string): Generator<WireField> {
    for (let at = start; at < end; ) {
      const key = this.#varint(at, end, message);
      const number = Math.floor(key.value / 8);
      const wire = key.value % 8;
      if (number < 1 || number > 0x1fff_ffff) throw modelError('model_malformed', this.path, `has a field without a number in its ${message}, at byte ${at}; expected an ONNX model`);
      if (wire === WIRE.varint) {
        const { value, next } = this.#varint(key.next, end, message);
        yield { number, value, start: next, end: next };
        at = next;
        continue;
      }
      const length = wire === WIRE.length ? this.#varint(key.next, end, message) : { value: fixedBytes(wire), next: key.next };
      if (length.value === undefined) throw modelError('model_malformed', this.path, `has a field of the unknown kind ${wire} in its ${message}, at byte ${at}; expected an ONNX model`);
      const fieldEnd = length.next + length.value;
      this.#expectInside(fieldEnd, end, `field ${number} of its ${message}`);
      yield { number, value: undefined, start: length.next, end: fieldEnd };
      at = fieldEnd;
    }
  }

  /** The first byte of the file; `undefined` when it is empty. */
  firstByte(): number | undefined {
    if (this.sizeBytes === 0) return undefined;
    const at = this.#take(0, 1);
    return this.#window[at];
  }

  /** The bytes of a field as text. @throws SpillwayError `model_malformed` for more bytes than `bytesMax` */
  text({ start, end }: WireField, bytesMax: number, what: string): string {
    if (end - start > bytesMax) throw modelError('model_malformed', this.path, `has ${end - start} bytes as ${what}; at most ${bytesMax} are taken`);
    const at = this.#take(start, end);
    return this.#window.toString('utf8', at, at + end - start);
  }

  /** The numbers of a repeated integer field: one, or several that are packed together. */
  *integers(field: WireField, message: string): Generator<number> {
    if (field.value !== undefined) yield field.value;
    for (let at = field.start; at < field.end; ) {
      const { value, next } = this.#varint(at, field.end, message);
      yield value;
      at = next;
    }
  }

  #varint(start: number, end: number, message: string): { value: number; next: number } {
    let value = 0;
    for (let i = 0; i < VARINT_BYTES_MAX; i++) {
      this.#expectInside(start + i + 1, end, `a number in its ${message}`);
      const at = this.#take(start + i, start + i + 1);
      const byte = this.#window[at]!;
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return { value, next: start + i + 1 };
    }
    throw modelError('model_malformed', this.path, `has a number of more than ${VARINT_BYTES_MAX} bytes in its ${message}, at byte ${start}; expected an ONNX model`);
  }

  #expectInside(fieldEnd: number, end: number, what: string): void {
    if (fieldEnd <= end) return;
    if (fieldEnd > this.sizeBytes) throw modelError('model_truncated', this.path, `ends after ${this.sizeBytes} bytes, within ${what}, which reaches to ${fieldEnd}; download or copy it again`);
    throw modelError('model_malformed', this.path, `has ${what} reach to byte ${fieldEnd}, beyond what encloses it, which ends at ${end}`);
  }

  /** Where in the window the bytes from `start` to `end` are, after reading them if need be. */
  #take(start: number, end: number): number {
    if (start < this.#windowStart || end > this.#windowStart + this.#window.length) {
      const size = Math.min(Math.max(WINDOW_BYTES, end - start), this.sizeBytes - start);
      if (this.#window.byteLength !== size) this.#window = Buffer.alloc(size);
      this.#windowStart = start;
      for (let filled = 0; filled < size; ) {
        const count = readSync(this.#file, this.#window, filled, size - filled, start + filled);
        if (count === 0) throw modelError('model_truncated', this.path, 'became shorter while it was read');
        filled += count;
      }
    }
    return start - this.#windowStart;
  }
}

function fixedBytes(wire: number): number | undefined {
  if (wire === WIRE.eightBytes) return 8;
  return wire === WIRE.fourBytes ? 4 : undefined;
}
