/**
 * Checks values against a message schema where they enter the runtime.
 *
 * Inside, the compiler's types and the codec's own checks are enough; at the edge a value may be
 * anything, and the sender deserves to hear which field is wrong. ajv does the work (its JTD
 * dialect), with one keyword of ours for the typed arrays of the ring's schemas, because JTD's
 * `elements` admits only plain arrays. It stops at the first fault: collecting them all would let a
 * large bad value cost more than a good one.
 */
import assert from 'node:assert';
import { Ajv } from 'ajv/dist/jtd.js';
import type { ErrorObject, ValidateFunction } from 'ajv/dist/jtd.js';
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
  const validate = compile(schema);
  return (value) => {
    if (!validate(value)) throw invalid(validate.errors?.[0]);
  };
}

/**
 * One instance for the thread, since making one costs more than compiling a schema. It goes without
 * the dialect's meta-schema, which takes a tenth of a second to compile and would only say again
 * what ajv's strict mode and the codec's compiler say about a wrong schema.
 */
const ajv = new Ajv({ timestamp: 'date', ownProperties: true, verbose: true, meta: false, validateSchema: false });

ajv.addKeyword({
  keyword: 'blockOf',
  schemaType: 'object',
  compile: ({ type, nullable }: BlockOf) => {
    const constructor = TYPED_ARRAYS[type];
    return (value: unknown) => value instanceof constructor || (nullable && value === null);
  },
});

function compile(schema: JtdSchema): ValidateFunction {
  try {
    const rewritten = withBlocks(schema);
    const validate = ajv.compile(rewritten);
    // Else the instance would remember every schema it has ever seen.
    ajv.removeSchema(rewritten);
    return validate;
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
 * The empty form with a keyword that changes nothing. Of `{}` ajv thinks that nothing is left to
 * check around it: it takes any value for `elements: {}`, and misses no required property of that form.
 */
const EMPTY_FORM: JtdSchema = { nullable: true };

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
  return Object.keys(keywords).length === 0 ? EMPTY_FORM : mapped(keywords, rewritten);
}

function mapped<V>(record: Readonly<Record<string, V>>, change: (key: string, value: V) => unknown): object {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(key, value)]));
}

function rewritten(keyword: string, value: unknown): unknown {
  switch (keyword) {
    case 'elements': case 'values':
      return withBlocks(value as JtdSchema);
    case 'properties': case 'optionalProperties': case 'mapping': case 'definitions':
      return mapped(value as Record<string, JtdSchema>, (_name, schema) => withBlocks(schema));
    default:
      return value;
  }
}

function invalid(error: ErrorObject | undefined): SpillwayError<'message_invalid'> {
  assert(error !== undefined, 'ajv refused a value without an error');
  const { path, expected, found } = faultOf(error);
  const place = path === '' ? 'The message' : `The message's field ${path}`;
  const message = `${place} must be ${expected}, and is ${found}. Correct the value or the schema.`;
  return new SpillwayError('message_invalid', message, { details: { path, expected, found } });
}

interface Fault {
  /** A JSON pointer (RFC 6901) to the place in the value. */
  readonly path: string;
  readonly expected: string;
  readonly found: string;
}

/** What ajv's JTD keywords say besides the path; each says some of it. */
interface Facts {
  readonly type?: string;
  readonly nullable?: boolean;
  readonly missingProperty?: string;
  readonly additionalProperty?: string;
  readonly tag?: string;
  readonly tagValue?: unknown;
  readonly error?: string;
}

function faultOf({ instancePath, keyword, params, schema, data }: ErrorObject): Fault {
  const facts = params as Facts;
  if (facts.missingProperty !== undefined) {
    return { path: `${instancePath}/${pointer(facts.missingProperty)}`, expected: 'present', found: 'missing' };
  }
  if (facts.additionalProperty !== undefined) {
    return { path: instancePath, expected: 'absent, as the schema does not name it', found: 'present' };
  }
  const found = describe(data);
  const orNull = facts.nullable === true ? ' or null' : '';
  switch (keyword) {
    case 'blockOf': {
      const { type, nullable } = schema as BlockOf;
      return { path: instancePath, expected: `a ${TYPED_ARRAYS[type].name}${nullable ? ' or null' : ''}`, found };
    }
    case 'enum':
      return { path: instancePath, expected: `one of ${listed(schema as string[])}`, found };
    case 'discriminator': {
      if (facts.error === undefined) return { path: instancePath, expected: `an object${orNull}`, found };
      // ajv's path reaches the discriminator only when there is one.
      const { tag = '', tagValue, error } = facts;
      const path = tagValue === undefined ? `${instancePath}/${pointer(tag)}` : instancePath;
      return { path, expected: error === 'mapping' ? 'a value of the mapping' : 'a string', found: describe(tagValue) };
    }
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
    case 'string':
      if (value.length > FOUND_CHARACTERS_MAX) return `a string of ${value.length} characters`;
      return `the string ${JSON.stringify(value)}`;
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
