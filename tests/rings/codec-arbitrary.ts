/**
 * Arbitrary schemas together with arbitrary values that fit them, for every form and extension of
 * the codec. A schema decides which values fit, so each arbitrary yields a schema and the arbitrary
 * of its values.
 */
import type { JtdSchema, NumberType, UntypedCodec } from 'atomics-ring-buffer';
import * as fc from 'fast-check';

interface Typed {
  readonly schema: JtdSchema;
  readonly values: fc.Arbitrary<unknown>;
}

export interface Sample {
  readonly schema: JtdSchema;
  readonly value: unknown;
}

/** Stands in for the kernel's msgpackr, which `rings` does not know. */
export const jsonCodec: UntypedCodec = {
  encode: (value) => new TextEncoder().encode(JSON.stringify(value)),
  decode: (bytes) => JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown,
};

/** Any code units, lone surrogates among them; narrow ones; and texts past every bulk threshold. */
export const text = fc.oneof(
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map((units) => String.fromCharCode(...units)),
  fc.array(fc.integer({ min: 0, max: 0xff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units)),
  fc.string({ unit: 'grapheme' }),
  fc.tuple(fc.constantFrom('x', 'é', '中', '\ud800'), fc.integer({ min: 0, max: 5000 })).map(([unit, count]) => unit.repeat(count)),
);

const INTEGERS = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
  int32: [-2147483648, 2147483647],
  uint32: [0, 4294967295],
} as const;

const integers = Object.entries(INTEGERS).map(([type, [min, max]]) => ({
  schema: { type: type as NumberType },
  values: fc.integer({ min, max }),
}));

const blocks = Object.entries({
  float32: fc.float32Array(),
  float64: fc.float64Array(),
  int8: fc.int8Array(),
  uint8: fc.uint8Array(),
  int16: fc.int16Array(),
  uint16: fc.uint16Array(),
  int32: fc.int32Array(),
  uint32: fc.uint32Array(),
}).map(([type, values]) => ({ schema: { elements: { type: type as NumberType }, metadata: { typedArray: true } }, values }));

const enumeration: fc.Arbitrary<Typed> = fc
  .oneof(
    fc.uniqueArray(text, { minLength: 1, maxLength: 5 }),
    fc.constant(Array.from({ length: 300 }, (_, index) => `name ${index}`)),
  )
  .map((names) => ({ schema: { enum: names }, values: fc.constantFrom(...names) }));

const untyped: Typed = { schema: {}, values: fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown) };

const scalar: fc.Arbitrary<Typed> = fc.oneof(
  fc.constantFrom<Typed>(
    ...integers,
    { schema: { type: 'float32' }, values: fc.float() },
    { schema: { type: 'float64' }, values: fc.double() },
    { schema: { type: 'boolean' }, values: fc.boolean() },
    { schema: { type: 'string' }, values: text },
    { schema: { type: 'timestamp' }, values: fc.date({ noInvalidDate: true }) },
    ...blocks,
    untyped,
  ),
  enumeration,
);

// Names that are identifiers, that are not, that end a line in source, and that objects inherit.
const propertyName = fc.oneof(
  fc.string({ minLength: 1, maxLength: 6 }),
  fc.constantFrom('id', 'a b', '"', '`${x}`', '\u2028', "*/'", 'constructor', 'toString', 'value', 'at', 'size'),
).filter((name) => name !== '__proto__');

function struct(child: fc.Arbitrary<Typed>, without?: string): fc.Arbitrary<Typed> {
  const name = propertyName.filter((candidate) => candidate !== without);
  const field = fc.record({ name, typed: child, optional: fc.boolean() });
  return fc.uniqueArray(field, { selector: ({ name }) => name, maxLength: 5 }).map((fields) => {
    const part = (optional: boolean) =>
      Object.fromEntries(fields.filter((field) => field.optional === optional).map(({ name, typed }) => [name, typed.schema]));
    const model = Object.fromEntries(fields.map(({ name, typed }) => [name, typed.values]));
    const requiredKeys = fields.filter(({ optional }) => !optional).map(({ name }) => name);
    return {
      schema: { properties: part(false), optionalProperties: part(true) },
      values: fc.record(model, { requiredKeys, noNullPrototype: true }),
    };
  });
}

// ajv writes mapping names into URIs, so a lone surrogate in one is more than it takes.
const mappingName = fc.string({ unit: 'grapheme', maxLength: 6 }).filter((name) => name !== '__proto__');

function variant(child: fc.Arbitrary<Typed>): fc.Arbitrary<Typed> {
  return propertyName.chain((tag) =>
    fc.uniqueArray(fc.tuple(mappingName, struct(child, tag)), { selector: ([name]) => name, minLength: 1, maxLength: 3 }).map((cases) => ({
      schema: { discriminator: tag, mapping: Object.fromEntries(cases.map(([name, typed]) => [name, typed.schema])) },
      values: fc.oneof(...cases.map(([name, typed]) => typed.values.map((value) => ({ ...(value as object), [tag]: name })))),
    })),
  );
}

function nullable(typed: fc.Arbitrary<Typed>): fc.Arbitrary<Typed> {
  return typed.map(({ schema, values }) => ({ schema: { ...schema, nullable: true }, values: fc.option(values) }));
}

function typedAtDepth(depth: number): fc.Arbitrary<Typed> {
  if (depth === 0) return fc.oneof(scalar, nullable(scalar));
  const child = typedAtDepth(depth - 1);
  const composite = fc.oneof(
    struct(child),
    variant(child),
    child.map(({ schema, values }) => ({ schema: { elements: schema }, values: fc.array(values, { maxLength: 5 }) })),
    child.map(({ schema, values }) => ({ schema: { values: schema }, values: fc.dictionary(text, values, { maxKeys: 5, noNullPrototype: true }) })),
  );
  return fc.oneof(scalar, composite, nullable(composite));
}

/** Two references to one definition, one of them nullable. */
function referring({ schema, values }: Typed): Typed {
  return {
    schema: { definitions: { shared: schema }, properties: { one: { ref: 'shared' }, other: { ref: 'shared', nullable: true } } },
    values: fc.record({ one: values, other: fc.option(values) }, { noNullPrototype: true }),
  };
}

const typed = fc.oneof({ weight: 5, arbitrary: typedAtDepth(3) }, { weight: 1, arbitrary: typedAtDepth(2).map(referring) });

export const sample: fc.Arbitrary<Sample> = typed.chain(({ schema, values }) => values.map((value) => ({ schema, value })));
