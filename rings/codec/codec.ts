/**
 * A compiled flat codec for the values of one schema.
 *
 * One schema gives the TypeScript type (`JtdType`) and three functions emitted for it: how long a
 * record gets, writing it into shared memory, reading it back. `layout.ts` says where everything
 * lies, `forms/` emits the code for each form of the schema, and `codec.source` shows the result.
 *
 * The code is compiled with `new Function`, as ajv does with the same schemas. There is no second,
 * interpreting implementation for pages whose policy forbids that: compiling then throws an
 * EvalError.
 *
 * What holds, whatever the bytes and whatever the values:
 * - `decode` reads only inside of [offset, offset + length), allocates in proportion to `length`, and
 *   throws nothing but `CodecError`. It reads every length once, so a peer that changes the record
 *   meanwhile can garble values but not escape.
 * - `encode` writes only inside of [offset, offset + length). A value that does not fit the schema
 *   throws before the caller publishes the record; what was written by then is never seen.
 * - Equal values get equal bytes: padding and absent fields are zero. (Maps and optional fields keep
 *   their order, so this is up to key order in maps.)
 *
 * What does not come back as it went: float32 is rounded to float32, -0 in an integer becomes 0, an
 * optional property that is `undefined` is left out, and properties that the schema does not name
 * are dropped (the validator at the edge refuses those).
 */
import { EMITTERS } from './emitters.ts';
import { Generator } from './generator.ts';
import { isVariable, layoutOf } from './layout.ts';
import type { Layout } from './layout.ts';
import type { Memory } from './memory.ts';
import { damaged, endOf, isRecord, misfit, overflow, setOwn } from './runtime.ts';
import type { JtdType, JtdSchema } from './schema.ts';
import { readText, textByteLength, textBytes, writeText } from './strings.ts';
import { untypedPartOf } from './untyped-part.ts';
import type { UntypedCodec, UntypedPart } from './untyped-part.ts';

export interface Codec<T> {
  /**
   * The exact number of bytes that `encode` will write, to be claimed before.
   * @throws {CodecError} `bad_value` when the value does not fit the schema as far as this looks.
   */
  byteLength(value: T): number;
  /**
   * Writes `value` at `offset`, a multiple of 8, into the `length` bytes claimed for it, and returns
   * how many it took: `byteLength(value)`, unless the value has changed since.
   * @throws {CodecError} `bad_value`, `overflow` or `bad_range`; the record must not be published.
   */
  encode(value: T, memory: Memory, offset: number, length: number): number;
  /**
   * Reads the record of exactly `length` bytes at `offset`.
   * @throws {CodecError} `truncated`, `bad_length`, `bad_tag`, `bad_untyped` or `bad_range`.
   */
  decode(memory: Memory, offset: number, length: number, options?: DecodeOptions): T;
  /** The emitted code, for reading. */
  readonly source: string;
}

export interface DecodeOptions {
  /**
   * Hands out typed arrays as views of the record instead of copies. They are valid only until the
   * ring releases the record, that is while its handler runs.
   */
  readonly views?: boolean;
}

export interface CodecOptions {
  /** For values of the empty form `{}`; needed by schemas that contain one. */
  readonly untyped?: UntypedCodec;
}

const RUNTIME = { isRecord, setOwn, misfit, overflow, damaged, endOf, textByteLength, textBytes, writeText, readText };

interface Functions {
  readonly byteLength: (value: unknown) => number;
  readonly encode: (value: unknown, memory: Memory, offset: number, length: number) => number;
  readonly decode: (memory: Memory, offset: number, length: number, views: boolean) => unknown;
}

type Instantiate = (runtime: typeof RUNTIME, untyped: UntypedPart | undefined) => Functions;

/**
 * Compiles the codec of a schema. With an explicit type argument, the caller vouches for the type of
 * a schema that is only known at run time.
 * @throws {CodecError} `schema_unsupported` or `too_deep`.
 */
export function compileCodec<const S extends JtdSchema>(schema: S, options?: CodecOptions): Codec<JtdType<S>>;
export function compileCodec<T>(schema: JtdSchema, options?: CodecOptions): Codec<T>;
export function compileCodec(schema: JtdSchema, options: CodecOptions = {}): Codec<unknown> {
  const layout = layoutOf(schema);
  const untyped = untypedPartOf(layout, options.untyped);
  const source = sourceOf(layout, untyped !== undefined);
  // What of a schema gets into the source is said in generator.ts.
  // oxlint-disable-next-line typescript/no-implied-eval -- Compiling is this file's job.
  const instantiate = new Function('runtime', 'untyped', source) as Instantiate;
  const { byteLength, encode, decode } = instantiate(RUNTIME, untyped);
  return {
    byteLength,
    encode,
    decode: (memory, offset, length, options) => decode(memory, offset, length, options?.views === true),
    source,
  };
}

function sourceOf(layout: Layout, usesUntyped: boolean): string {
  const out = new Generator(EMITTERS);

  if (isVariable(layout)) {
    if (usesUntyped) out.line('untyped.beginSize(value);');
    out.line(`let size = ${layout.fixedBytes};`);
    out.size(layout, 'value');
    out.line('return size;');
  } else {
    out.line(`return ${layout.fixedBytes};`);
  }
  const byteLength = out.takeBody();

  openRecord(out);
  if (usesUntyped) out.line('untyped.beginWrite(value);');
  out.line(`let at = offset + ${layout.fixedBytes};`);
  out.line(`if (at > end) overflow('');`);
  out.write(layout, 'value', 'offset');
  if (usesUntyped) out.line('untyped.endWrite();');
  out.line('return at - offset;');
  const encode = out.takeBody();

  openRecord(out);
  out.line(`let at = offset + ${layout.fixedBytes};`);
  out.line(`if (at > end) damaged('truncated', '');`);
  const value = out.local('value', out.read(layout, 'offset'));
  out.line(`if (at !== end) damaged('bad_length', '');`);
  out.line(`return ${value};`);
  const decode = out.takeBody();

  return `'use strict';
const { ${Object.keys(RUNTIME).join(', ')} } = runtime;
${out.constants}
return {
byteLength: function byteLength(value) {
${byteLength}
},
encode: function encode(value, memory, offset, length) {
${encode}
},
decode: function decode(memory, offset, length, views) {
${decode}
},
};
`;
}

function openRecord(out: Generator): void {
  out.line('const { u8, view } = memory;');
  out.line('const end = endOf(u8.length, offset, length);');
}
