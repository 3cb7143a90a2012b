/**
 * Which JSON schemas a text can be held to.
 *
 * node-llama-cpp makes a grammar of a schema and leaves out, without a word, the keywords that it does not know,
 * so a text that was promised to fit would not. What it does not know is refused here. Repetitions become copies
 * of a rule and are bounded, as are depth and size, because llama.cpp compiles the grammar on the actor's thread.
 */
import { SpillwayError } from '../../../kernel/index.ts';

const TYPES: ReadonlySet<unknown> = new Set(['string', 'number', 'integer', 'boolean', 'null', 'object', 'array']);
const FORMATS: ReadonlySet<unknown> = new Set(['date', 'time', 'date-time']);
/** They say something to people, or nothing that the grammar would have to know: all properties are written anyway. */
const REMARKS: ReadonlySet<string> = new Set(['$schema', '$id', '$comment', 'title', 'description', 'default', 'examples', 'required', 'readOnly', 'writeOnly', 'deprecated']);
const COUNTS: ReadonlySet<string> = new Set(['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties']);
const REFERENCE = '#/$defs/';
const BYTES_MAX = 64 * 1024;
const DEPTH_MAX = 32;
const COUNT_MAX = 1_000;
/** Schemas in one, subschemas included. */
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
  // What was written is what is checked: a getter or a `toJSON` may show something else the next time.
  new SchemaCheck(JSON.parse(text) as unknown).run();
}

class SchemaCheck {
  readonly #root: unknown;
  readonly #definitions = new Set<string>();
  #parts = 0;

  constructor(root: unknown) {
    this.#root = root;
  }

  run(): void {
    const definitions = isObject(this.#root) ? this.#root['$defs'] : undefined;
    if (isObject(definitions)) for (const name of Object.keys(definitions)) this.#definitions.add(name);
    this.#check(this.#root, '', 0);
  }

  #check(schema: unknown, at: string, depth: number): void {
    if (!isObject(schema)) throw invalid(at, 'an object', schema);
    if (depth > DEPTH_MAX) throw invalid(at, `at most ${DEPTH_MAX} levels`, depth);
    if (++this.#parts > PARTS_MAX) throw invalid(at, `at most ${PARTS_MAX} subschemas`, this.#parts);
    for (const [keyword, value] of Object.entries(schema)) this.#checkKeyword(schema, keyword, value, `${at}/${keyword}`, depth);
  }

  #checkKeyword(schema: Schema, keyword: string, value: unknown, at: string, depth: number): void {
    if (REMARKS.has(keyword)) return;
    if (COUNTS.has(keyword)) {
      if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > COUNT_MAX) throw invalid(at, `a whole number from 0 to ${COUNT_MAX}`, value);
      const most = schema[keyword.replace('min', 'max')];
      if (keyword.startsWith('min') && typeof most === 'number' && (value as number) > most) throw invalid(at, `at most ${most}, its maximum`, value);
      return;
    }
    switch (keyword) {
      case 'type':
        for (const type of Array.isArray(value) ? value : [value]) if (!TYPES.has(type)) throw invalid(at, [...TYPES].join(', '), type);
        // Of several types the grammar knows the simple ones only.
        if (Array.isArray(value) && value.some((type) => type === 'object' || type === 'array')) throw invalid(at, 'several simple types, or oneOf', value);
        return;
      case 'const':
        return;
      case 'enum':
        if (!Array.isArray(value) || value.length === 0) throw invalid(at, 'a list of at least one value', value);
        return;
      case 'format':
        if (!FORMATS.has(value)) throw invalid(at, [...FORMATS].join(', '), value);
        return;
      case '$ref':
        if (typeof value !== 'string' || !value.startsWith(REFERENCE) || !this.#definitions.has(value.slice(REFERENCE.length))) throw invalid(at, `${REFERENCE} and a name of the root's $defs`, value);
        return;
      case 'oneOf':
      case 'prefixItems':
        if (!Array.isArray(value) || value.length === 0) throw invalid(at, 'a list of at least one schema', value);
        for (const [index, part] of value.entries()) this.#check(part, `${at}/${index}`, depth + 1);
        return;
      case 'items':
        this.#check(value, at, depth + 1);
        return;
      case 'additionalProperties':
        if (typeof value !== 'boolean') this.#check(value, at, depth + 1);
        return;
      case 'properties':
      case '$defs':
        if (!isObject(value)) throw invalid(at, 'an object of schemas', value);
        if (keyword === '$defs' && depth > 0) throw invalid(at, '$defs at the root only', value);
        for (const [name, part] of Object.entries(value)) this.#check(part, `${at}/${name}`, depth + 1);
        return;
      default:
        throw invalid(at, 'a keyword that a text can be held to', value);
    }
  }
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(at: string, expected: string, found: unknown): SpillwayError {
  const shown = JSON.stringify(found)?.slice(0, 80) ?? String(found);
  return new SpillwayError('schema_invalid', `The schema has ${shown} at ${at === '' ? 'its root' : at}; expected ${expected}.`, { details: { at } });
}
