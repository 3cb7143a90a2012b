/**
 * Runs the injected codec for empty-form values on behalf of one compiled codec.
 *
 * Measuring such a value means encoding it, so `byteLength` keeps the bytes for the `encode` that
 * follows with the same value. They are let go by that `encode`, or by the next `byteLength`.
 */
import { CodecError } from './codec-error.ts';

/** Encodes any value; the runtime's kernel provides one with msgpackr. */
export interface UntypedCodec {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}

export class UntypedPart {
  readonly #codec: UntypedCodec;
  #root: unknown;
  #measured: Uint8Array[] = [];
  #taken = 0;

  constructor(codec: UntypedCodec) {
    this.#codec = codec;
  }

  beginSize(root: unknown): void {
    this.#root = root;
    this.#measured = [];
  }

  measure(value: unknown, path: string): number {
    const bytes = this.#encode(value, path);
    this.#measured.push(bytes);
    return bytes.length;
  }

  beginWrite(root: unknown): void {
    if (!Object.is(root, this.#root)) this.#measured = [];
    this.#taken = 0;
  }

  take(value: unknown, path: string): Uint8Array {
    return this.#measured[this.#taken++] ?? this.#encode(value, path);
  }

  endWrite(): void {
    this.#root = undefined;
    this.#measured = [];
  }

  read(bytes: Uint8Array, path: string): unknown {
    try {
      return this.#codec.decode(bytes);
    } catch (cause) {
      throw new CodecError('bad_untyped', path, 'the untyped value could not be decoded.', { cause });
    }
  }

  #encode(value: unknown, path: string): Uint8Array {
    try {
      return this.#codec.encode(value);
    } catch (cause) {
      throw new CodecError('bad_value', path, 'the untyped value could not be encoded.', { cause });
    }
  }
}
