/**
 * Checks values against a message schema where they enter the runtime.
 *
 * Inside, the compiler's types and the codec's own checks are enough; at the edge a value may be
 * anything, and the sender deserves to hear which field is wrong. ajv does the work (its JTD
 * dialect), with one keyword of ours for the typed arrays of the ring's schemas, because JTD's
 * `elements` admits only plain arrays. It stops at the first fault: collecting them all would let a
 * large bad value cost more than a good one.
 */
import { Ajv } from 'ajv/dist/jtd.js';
import type { ErrorObject } from 'ajv/dist/jtd.js';
import type { JtdSchema, NumberType } from 'atomics-ring-buffer';
import { SpillwayError } from './errors.ts';

const TYPED_ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
} as const satisfies Record<NumberType, unknown>;

const FOUND_CHARACTERS_MAX = 60;

/** @throws {SpillwayError} `message_invalid` with `details: { path, expected, found }`. */
export type Validator = (value: unknown) => void;

/**
 * Compiles the validator of a schema. Timestamps are `Date`s, and only own properties count.
 * @throws {TypeError} when it is not a schema of RFC 8927 (a programmer's error).
 */
export function compileValidator(schema: JtdSchema): Validator {
  const ajv = new Ajv({ timestamp: 'date', ownProperties: true, verbose: true });
  ajv.addKeyword({
    keyword: 'blockOf',
    schemaType: 'object',
    compile: ({ type, nullable }: BlockOf) => {
      const constructor = TYPED_ARRAYS[type];
      return (value: unknown) => value instanceof constructor || (nullable && value === null);
    },
  });
  const validate = compile(ajv, schema);
  return (value) => {
    if (!validate(value)) throw invalid(validate.errors?.[0]);
  };
}

function compile(ajv: Ajv, schema: JtdSchema): ReturnType<Ajv['compile']> {
  try {
    return ajv.compile(withBlocks(schema));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new TypeError(`A message schema must be a JSON Type Definition (RFC 8927): ${reason}.`, { cause });
  }
}

interface BlockOf {
  readonly type: NumberType;
  readonly nullable: boolean;
}

/**
 * The schema as ajv shall see it: typed arrays become the empty form with our keyword in `metadata`
 * (the one place where the dialect admits keywords), and other metadata, which ajv would take for
 * keywords, is left out.
 */
function withBlocks(schema: JtdSchema): object {
  if ('elements' in schema && schema.metadata?.['typedArray'] === true) {
    const type = 'type' in schema.elements ? schema.elements.type : undefined;
    if (type === undefined || !Object.hasOwn(TYPED_ARRAYS, type)) {
      throw new TypeError('metadata.typedArray needs elements of a number type');
    }
    return { metadata: { blockOf: { type, nullable: schema.nullable === true } } };
  }
  const { metadata: _metadata, ...keywords } = schema;
  return Object.fromEntries(Object.entries(keywords).map(([keyword, value]) => [keyword, rewritten(keyword, value)]));
}

function rewritten(keyword: string, value: unknown): unknown {
  switch (keyword) {
    case 'elements': case 'values':
      return withBlocks(value as JtdSchema);
    case 'properties': case 'optionalProperties': case 'mapping': case 'definitions':
      return Object.fromEntries(Object.entries(value as Record<string, JtdSchema>).map(([name, schema]) => [name, withBlocks(schema)]));
    default:
      return value;
  }
}

function invalid(error: ErrorObject | undefined): SpillwayError<'message_invalid'> {
  const { path, expected, found } = error === undefined ? { path: '', expected: 'a valid value', found: 'another' } : faultOf(error);
  const place = path === '' ? 'The message' : `The message's field ${path}`;
  return new SpillwayError('message_invalid', `${place} must be ${expected}, and is ${found}. Correct the value or the schema.`, {
    details: { path, expected, found },
  });
}

interface Fault {
  /** A JSON pointer (RFC 6901) to the place in the value. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}

function faultOf({ instancePath, keyword, params, schema, data }: ErrorObject): Fault {
  const facts = params as { type?: string; nullable?: boolean; missingProperty?: string; additionalProperty?: string; tag?: unknown; error?: string };
  if (facts.missingProperty !== undefined) return { path: `${instancePath}/${pointer(facts.missingProperty)}`, expected: 'present', found: 'missing' };
  if (facts.additionalProperty !== undefined) return { path: instancePath, expected: 'absent, as the schema does not name it', found: 'present' };
  const found = describe(data);
  const orNull = facts.nullable === true ? ' or null' : '';
  switch (keyword) {
    case 'blockOf': {
      const { type, nullable } = schema as BlockOf;
      return { path: instancePath, expected: `a ${TYPED_ARRAYS[type].name}${nullable ? ' or null' : ''}`, found };
    }
    case 'enum':
      return { path: instancePath, expected: `one of ${listed(schema as string[])}`, found };
    case 'discriminator':
      if (facts.error === 'mapping') return { path: instancePath, expected: 'a value of the mapping', found: describe(facts.tag) };
      if (facts.error === 'tag') return { path: instancePath.endsWith(`/${String(schema)}`) ? instancePath : `${instancePath}/${pointer(String(schema))}`, expected: 'a string', found: describe(facts.tag) };
      return { path: instancePath, expected: `an object${orNull}`, found };
    default:
      return { path: instancePath, expected: `${article(facts.type ?? 'valid value')}${orNull}`, found };
  }
}

function article(type: string): string {
  // "a uint8" and "a Uint8Array", as they are spoken.
  return `${/^[aeio]/i.test(type) ? 'an' : 'a'} ${type}`;
}

const NAMES_LISTED_MAX = 8;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMES_LISTED_MAX).map((name) => JSON.stringify(name)).join(', ');
  return names.length > NAMES_LISTED_MAX ? `${shown} and ${names.length - NAMES_LISTED_MAX} more` : shown;
}

function pointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function describe(value: unknown): string {
  switch (typeof value) {
    case 'string': return value.length > FOUND_CHARACTERS_MAX ? `a string of ${value.length} characters` : `the string ${JSON.stringify(value)}`;
    case 'number': case 'boolean': case 'bigint': return `the ${typeof value} ${value}`;
    case 'undefined': return 'missing';
    case 'object': return value === null ? 'null' : nameOfObject(value);
    default: return `a ${typeof value}`;
  }
}

function nameOfObject(value: object): string {
  if (Array.isArray(value)) return 'an array';
  const name: unknown = Object.getPrototypeOf(value)?.constructor?.name;
  return typeof name !== 'string' || name === 'Object' ? 'an object' : article(name);
}
