/**
 * Runs the injected codec for empty-form values on behalf of one compiled codec.
 *
 * Measuring such a value means encoding it, so `byteLength` keeps the bytes for the `encode` that
 * follows with the same value. They are let go by that `encode`, or by the next `byteLength`.
 */
import { CodecError } from './codec-error.ts';
import type { Layout } from './layout.ts';

/** Encodes any value; the runtime's kernel provides one with msgpackr. */
export interface UntypedCodec {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
  /** The same as `decode(encode(value))`, only faster; without it a copier takes that way. */
  copy?(value: unknown): unknown;
}

/**
 * The part that a schema of this layout needs, if any.
 * @throws {CodecError} `schema_unsupported` when it needs one and there is no codec for it.
 */
export function untypedPartOf(layout: Layout, codec: UntypedCodec | undefined): UntypedPart | undefined {
  if (!hasUntyped(layout)) return undefined;
  if (codec !== undefined) return new UntypedPart(codec);
  throw new CodecError('schema_unsupported', '', 'the schema has the empty form {}, which needs the option `untyped`.');
}

function hasUntyped(layout: Layout): boolean {
  switch (layout.form) {
    case 'untyped': return true;
    case 'nullable': return hasUntyped(layout.inner);
    case 'list': case 'map': return hasUntyped(layout.item);
    case 'struct': return layout.fields.some((field) => hasUntyped(field.layout));
    case 'variant': return layout.structs.some(hasUntyped);
    default: return false;
  }
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

  /** What `take` and `read` would make of `value`. */
  copy(value: unknown, path: string): unknown {
    // A copy of the bytes here too, because the injected codec may keep parts of them.
    if (this.#codec.copy === undefined) return this.read(new Uint8Array(this.#encode(value, path)), path);
    try {
      return this.#codec.copy(value);
    } catch (cause) {
      throw new CodecError('bad_value', path, 'the untyped value could not be copied.', { cause });
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
