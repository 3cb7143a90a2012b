/**
 * A compiled copier for the values of one schema: `codec.decode(codec.encode(value))` without bytes.
 *
 * A message to an actor of the same thread needs no record, yet must arrive as if it had been one:
 * detached from what the sender goes on changing, and refused where a record would be. So the copier
 * is emitted by the same `forms/` as the codec, from the same checks, in one pass over the value:
 *
 *   value ── check as encode does, build as decode does ──> copy
 *
 * What holds:
 * - The copy is what decoding gives: plain objects with the properties of the schema and in its
 *   order, absent properties left out, float32 rounded, typed arrays on memory of their own. Only
 *   strings are shared, which cannot change.
 * - A value that encoding refuses is refused with the same code, and nothing of it gets out. When it
 *   does not fit in several places, the codec may name another of them, since it measures first.
 * - A property is read once, so a getter cannot show one value to a check and another to the copy.
 *
 * The length of a record is not looked at: what is too long for a ring may go to a neighbour.
 */
import type { CodecOptions } from './codec.ts';
import { EMITTERS } from './emitters.ts';
import { Generator } from './generator.ts';
import { layoutOf } from './layout.ts';
import { isRecord, misfit, setOwn } from './runtime.ts';
import type { JtdSchema, JtdType } from './schema.ts';
import { untypedPartOf } from './untyped-part.ts';
import type { UntypedPart } from './untyped-part.ts';

/**
 * Copies a value.
 * @throws {CodecError} `bad_value` when it does not fit the schema; `bad_untyped` when the codec for
 * empty-form values refuses to read what it wrote.
 */
export type Copier<T> = (value: T) => T;

const RUNTIME = { isRecord, misfit, setOwn };

type Instantiate = (runtime: typeof RUNTIME, untyped: UntypedPart | undefined) => Copier<unknown>;

/**
 * Compiles the copier of a schema, which takes what `compileCodec` takes. With an explicit type
 * argument, the caller vouches for the type of a schema that is only known at run time.
 * @throws {CodecError} `schema_unsupported` or `too_deep`.
 */
export function compileCopier<const S extends JtdSchema>(schema: S, options?: CodecOptions): Copier<JtdType<S>>;
export function compileCopier<T>(schema: JtdSchema, options?: CodecOptions): Copier<T>;
export function compileCopier(schema: JtdSchema, options: CodecOptions = {}): Copier<unknown> {
  const layout = layoutOf(schema);
  const untyped = untypedPartOf(layout, options.untyped);
  const out = new Generator(EMITTERS);
  const copy = out.copy(layout, 'value');
  out.line(`return ${copy};`);
  const body = out.takeBody();
  const source = `'use strict';
const { ${Object.keys(RUNTIME).join(', ')} } = runtime;
${out.constants}
return function copy(value) {
${body}
};
`;
  // What of a schema gets into the source is said in generator.ts.
  // oxlint-disable-next-line typescript/no-implied-eval -- Compiling is this file's job.
  const instantiate = new Function('runtime', 'untyped', source) as Instantiate;
  return instantiate(RUNTIME, untyped);
}
