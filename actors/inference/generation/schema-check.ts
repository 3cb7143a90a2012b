/**
 * Which JSON schemas a text can be held to.
 *
 * node-llama-cpp makes a grammar of a schema and leaves out, without a word, the keywords that it does not know or
 * that stand beside others, so a text that was promised to fit would not. Those are refused here. Counts and
 * alternatives become rules, which are compiled on the actor's thread while its other texts wait, and the time grows
 * faster than their number; so their sum is bounded, as are depth and size.
 *
 * Two things are taken as the library has them: of `oneOf` any alternative will do, and a `format` is held to its
 * form, not to the calendar.
 */
import { SpillwayError } from '../../../kernel/index.ts';

/** They say something to people, or nothing that the grammar would have to know. */
const REMARKS: ReadonlySet<string> = new Set(['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples', 'readOnly', 'writeOnly', 'deprecated']);
const SIMPLE_TYPES: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'null']);
const FORMATS: ReadonlySet<unknown> = new Set(['date', 'time', 'date-time']);
/** What may stand beside `type`, for each. */
const OF_TYPE: Readonly<Record<string, readonly string[]>> = {
  string: ['minLength', 'maxLength', 'format'],
  object: ['properties', 'required', 'additionalProperties', 'minProperties', 'maxProperties'],
  array: ['items', 'prefixItems', 'minItems', 'maxItems'],
};
const REFERENCE = '#/$defs/';
const BYTES_MAX = 64 * 1024;
const DEPTH_MAX = 32;
const COUNT_MAX = 1_000;
/** All counts of a schema together. */
const COUNTS_MAX = 10_000;
/** Subschemas and values of enums in one schema. */
const PARTS_MAX = 1_000;

type Schema = Readonly<Record<string, unknown>>;

/** @throws SpillwayError `schema_invalid` naming the place, what was expected and what is there */
export function checkSchema(schema: object): void {
  let text: string;
  try {
    text = JSON.stringify(schema);
  } catch (cause) {
    throw new SpillwayError('schema_invalid', `The schema is no JSON (${(cause as Error).message}).`, { cause });
  }
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > BYTES_MAX) throw invalid('', `at most ${BYTES_MAX} bytes`, sizeBytes);
  // What is written is what is sent: a getter or a `toJSON` may show something else than the object does.
  new SchemaCheck(JSON.parse(text) as unknown).run();
}

class SchemaCheck {
  readonly #root: unknown;
  readonly #definitions: ReadonlySet<string>;
  #parts = 0;
  #counts = 0;

  constructor(root: unknown) {
    this.#root = root;
    this.#definitions = new Set(isObject(root) && isObject(root['$defs']) ? Object.keys(root['$defs']) : []);
  }

  run(): void {
    this.#check(this.#root, '', 0);
  }

  #check(schema: unknown, at: string, depth: number): void {
    if (!isObject(schema)) throw invalid(at, 'an object', schema);
    if (depth > DEPTH_MAX) throw invalid(at, `at most ${DEPTH_MAX} levels`, depth);
    this.#addParts(1, at);
    const known = keywordsBeside(schema, at);
    for (const keyword of Object.keys(schema)) {
      const isDefinitions = keyword === '$defs' && depth === 0;
      if (!isDefinitions && !REMARKS.has(keyword) && !known.includes(keyword)) throw invalid(`${at}/${keyword}`, `a keyword that a text can be held to here (${known.join(', ')})`, schema[keyword]);
    }
    const { $ref: reference, enum: values, format } = schema;
    if (reference !== undefined && !(typeof reference === 'string' && reference.startsWith(REFERENCE) && this.#definitions.has(reference.slice(REFERENCE.length)))) {
      throw invalid(`${at}/$ref`, `${REFERENCE} and a name of the root's $defs`, reference);
    }
    if ('const' in schema) checkLiterals([schema['const']], schema['type'], `${at}/const`);
    if (values !== undefined) {
      if (!Array.isArray(values) || values.length === 0) throw invalid(`${at}/enum`, 'a list of at least one value', values);
      this.#addParts(values.length, `${at}/enum`);
      checkLiterals(values, schema['type'], `${at}/enum`);
    }
    if (format !== undefined && !FORMATS.has(format)) throw invalid(`${at}/format`, [...FORMATS].join(', '), format);
    this.#checkCounts(schema, 'Length', 0, at);
    this.#checkCounts(schema, 'Items', listed(schema, 'prefixItems', at).length, at);
    this.#checkCounts(schema, 'Properties', Object.keys(named(schema, 'properties', at)).length, at);
    checkRequired(schema, at);
    this.#checkParts(schema, at, depth + 1);
  }

  #checkParts(schema: Schema, at: string, depth: number): void {
    for (const keyword of ['oneOf', 'prefixItems']) for (const [index, part] of listed(schema, keyword, at).entries()) this.#check(part, `${at}/${keyword}/${index}`, depth);
    for (const keyword of ['properties', '$defs']) for (const [name, part] of Object.entries(named(schema, keyword, at))) this.#check(part, `${at}/${keyword}/${name}`, depth);
    if ('items' in schema) this.#check(schema['items'], `${at}/items`, depth);
    if ('additionalProperties' in schema && typeof schema['additionalProperties'] !== 'boolean') this.#check(schema['additionalProperties'], `${at}/additionalProperties`, depth);
  }

  /** @param least what there is in any case */
  #checkCounts(schema: Schema, what: 'Length' | 'Items' | 'Properties', least: number, at: string): void {
    const [min, max] = ([`min${what}`, `max${what}`] as const).map((keyword) => {
      const value = schema[keyword];
      if (value !== undefined && !(Number.isInteger(value) && (value as number) >= 0 && (value as number) <= COUNT_MAX)) throw invalid(`${at}/${keyword}`, `a whole number from 0 to ${COUNT_MAX}`, value);
      return value as number | undefined;
    });
    if (max !== undefined && max < Math.max(least, min ?? 0)) throw invalid(`${at}/max${what}`, `at least ${Math.max(least, min ?? 0)}`, max);
    this.#counts += max ?? min ?? 0;
    if (this.#counts > COUNTS_MAX) throw invalid(at, `at most ${COUNTS_MAX} in all its minimums and maximums together`, this.#counts);
  }

  #addParts(parts: number, at: string): void {
    this.#parts += parts;
    if (this.#parts > PARTS_MAX) throw invalid(at, `at most ${PARTS_MAX} subschemas and values in the whole schema`, this.#parts);
  }
}

/** The library looks at the first of these that there is, and no further. */
function keywordsBeside(schema: Schema, at: string): readonly string[] {
  if ('$ref' in schema) return ['$ref'];
  if ('oneOf' in schema) return ['oneOf'];
  if ('const' in schema) return ['const', 'type'];
  if ('enum' in schema) return ['enum', 'type'];
  const { type } = schema;
  if (typeof type === 'string' && Object.hasOwn(OF_TYPE, type)) {
    const beside = OF_TYPE[type]!;
    return ['type', ...('format' in schema ? ['format'] : beside)];
  }
  if (Array.isArray(type) && type.length > 0 && type.every((one) => SIMPLE_TYPES.has(one))) return ['type'];
  if (SIMPLE_TYPES.has(type)) return ['type'];
  throw invalid(`${at}/type`, `${[...SIMPLE_TYPES].join(', ')}, object, array, or a list of the simple ones`, type);
}

function checkLiterals(values: readonly unknown[], type: unknown, at: string): void {
  const types = Array.isArray(type) ? type : [type];
  for (const value of values) {
    const own = value === null ? 'null' : typeof value;
    if (!SIMPLE_TYPES.has(own)) throw invalid(at, 'a string, a number, a boolean or null', value);
    if (type !== undefined && !types.includes(own) && !(types.includes('integer') && Number.isInteger(value))) throw invalid(at, `a value of its type, ${types.join(', ')}`, value);
  }
}

/** All properties are written; one that is required and not among them may not be. */
function checkRequired(schema: Schema, at: string): void {
  const { required } = schema;
  if (required === undefined) return;
  const properties = named(schema, 'properties', at);
  if (!Array.isArray(required) || !required.every((name) => typeof name === 'string' && Object.hasOwn(properties, name))) throw invalid(`${at}/required`, 'names of its properties', required);
}

function listed(schema: Schema, keyword: string, at: string): readonly unknown[] {
  const value = schema[keyword];
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length === 0) throw invalid(`${at}/${keyword}`, 'a list of at least one schema', value);
  return value;
}

function named(schema: Schema, keyword: string, at: string): Schema {
  const value = schema[keyword];
  if (value === undefined) return {};
  if (!isObject(value)) throw invalid(`${at}/${keyword}`, 'an object of schemas', value);
  return value;
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(at: string, expected: string, found: unknown): SpillwayError {
  const shown = JSON.stringify(found)?.slice(0, 80) ?? 'nothing';
  return new SpillwayError('schema_invalid', `The schema has ${shown} at ${at === '' ? 'its root' : at}; expected ${expected}.`, { details: { at } });
}
