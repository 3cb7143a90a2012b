/**
 * From a schema to the shape of its record: references resolved, offsets assigned, limits checked.
 *
 *   record   = fixed part of the root | variable part
 *   fixed    = scalars in place; for a text, list, map, block or untyped value its length
 *   variable = texts, items, blocks ... in the order in which their fields are declared
 *   struct   = flag bytes (one bit per optional and per nullable field) | fixed part of each field
 *   list     = each item: its fixed part, then its variable part;  map = the same after each key
 *   variant  = an index in the fixed part; the struct it chooses in the variable part
 *   block    = a typed array's memory at the next multiple of 8
 *
 * A struct inside a struct is part of its fixed part. Every item takes at least one byte, so a
 * count can be checked against the bytes that are left before anything is allocated for it.
 */
import { CodecError } from './codec-error.ts';
import type { NumberType, JtdSchema } from './schema.ts';

interface Node {
  /** Bytes in the fixed part of whatever holds this. */
  readonly fixedBytes: number;
  /** The place in the schema, for messages. */
  readonly path: string;
}

export interface BooleanLayout extends Node { readonly form: 'boolean' }
export interface NumberLayout extends Node { readonly form: 'number'; readonly type: NumberType }
export interface TimestampLayout extends Node { readonly form: 'timestamp' }
export interface EnumLayout extends Node { readonly form: 'enum'; readonly names: readonly string[] }
export interface TextLayout extends Node { readonly form: 'text' }
export interface BlockLayout extends Node { readonly form: 'block'; readonly type: NumberType }
export interface ListLayout extends Node { readonly form: 'list'; readonly item: Layout }
export interface MapLayout extends Node { readonly form: 'map'; readonly item: Layout }
export interface UntypedLayout extends Node { readonly form: 'untyped' }
/** A nullable root or item; a nullable field has a flag bit in its struct instead. */
export interface NullableLayout extends Node { readonly form: 'nullable'; readonly inner: Layout }
export interface StructLayout extends Node {
  readonly form: 'struct';
  readonly fields: readonly Field[];
  readonly flagBits: number;
  /** In a variant: the discriminator, which is a property of the value but not of the record. */
  readonly tag?: { readonly name: string; readonly value: string };
}
export interface VariantLayout extends Node {
  readonly form: 'variant';
  readonly tag: string;
  readonly structs: readonly StructLayout[];
}

export type Layout =
  | BooleanLayout | NumberLayout | TimestampLayout | EnumLayout | TextLayout | BlockLayout
  | ListLayout | MapLayout | UntypedLayout | NullableLayout | StructLayout | VariantLayout;

export interface Field {
  readonly name: string;
  readonly layout: Layout;
  /** Bytes from the start of the struct. */
  readonly offset: number;
  /** The bit that says the field is there, for an optional field. */
  readonly presentBit?: number;
  /** The bit that says it is null, for a nullable field. */
  readonly nullBit?: number;
}

export const NUMBER_BYTES: Readonly<Record<NumberType, number>> = {
  float32: 4, float64: 8, int8: 1, uint8: 1, int16: 2, uint16: 2, int32: 4, uint32: 4,
};
const LENGTH_BYTES = 4;
const INDICES_MAX = 0x10000;

/** References are copied in, so a few definitions could otherwise grow into millions of nodes. */
const DEPTH_MAX = 32;
const NODES_MAX = 4096;

interface Scope {
  readonly definitions: Readonly<Record<string, JtdSchema>>;
  readonly refs: readonly string[];
  readonly depth: number;
  readonly budget: { nodes: number };
}

/**
 * The layout of a whole schema.
 * @throws {CodecError} `schema_unsupported` or `too_deep`, naming the place.
 */
export function layoutOf(schema: JtdSchema): Layout {
  return slot(schema, '', { definitions: schema.definitions ?? {}, refs: [], depth: 0, budget: { nodes: NODES_MAX } });
}

/** Whether values of this layout take bytes in the variable part. */
export function isVariable(layout: Layout): boolean {
  switch (layout.form) {
    case 'boolean': case 'number': case 'timestamp': case 'enum': return false;
    case 'struct': return layout.fields.some((field) => isVariable(field.layout));
    case 'nullable': return isVariable(layout.inner);
    default: return true;
  }
}

/** How many bytes an index below `count` takes. */
export function indexBytes(count: number): 1 | 2 {
  return count <= 0x100 ? 1 : 2;
}

/** A value that stands alone: the root, or an item of a list or map. */
function slot(schema: JtdSchema, path: string, scope: Scope): Layout {
  const { layout, nullable } = resolve(schema, path, scope);
  return nullable ? { form: 'nullable', inner: layout, fixedBytes: 1 + layout.fixedBytes, path } : layout;
}

/** Follows references; `nullable` on either side of one makes the value nullable. */
function resolve(schema: JtdSchema, path: string, scope: Scope): { layout: Layout; nullable: boolean } {
  if (scope.depth > DEPTH_MAX) {
    throw new CodecError('too_deep', path, `the schema nests deeper than ${DEPTH_MAX} levels.`);
  }
  if (--scope.budget.nodes < 0) {
    throw new CodecError('too_deep', path, `the schema has more than ${NODES_MAX} nodes, its references copied in.`);
  }
  checkKeywords(schema, path);
  const nullable = schema.nullable === true;
  if (!('ref' in schema)) return { layout: form(schema, path, { ...scope, depth: scope.depth + 1 }), nullable };
  const { ref } = schema;
  const target = Object.hasOwn(scope.definitions, ref) ? scope.definitions[ref] : undefined;
  if (target === undefined) {
    throw unsupported(path, `it refers to ${JSON.stringify(ref)}, which is not among the definitions`);
  }
  if (scope.refs.includes(ref)) {
    const advice = 'a recursive value has no flat layout; use the empty form {} there';
    throw unsupported(path, `it refers to ${JSON.stringify(ref)} inside itself, and ${advice}`);
  }
  const resolved = resolve(target, path, { ...scope, refs: [...scope.refs, ref], depth: scope.depth + 1 });
  return { layout: resolved.layout, nullable: nullable || resolved.nullable };
}

/** The keywords that go together; RFC 8927 §2.2. A misspelt one would otherwise mean the empty form. */
const FORMS: readonly (readonly string[])[] = [
  [],
  ['ref'],
  ['type'],
  ['enum'],
  ['elements'],
  ['values'],
  ['properties', 'optionalProperties', 'additionalProperties'],
  ['discriminator', 'mapping'],
];

function checkKeywords(schema: JtdSchema, path: string): void {
  const common = path === '' ? ['nullable', 'metadata', 'definitions'] : ['nullable', 'metadata'];
  const keywords = Object.keys(schema).filter((keyword) => !common.includes(keyword));
  if (!FORMS.some((form) => keywords.every((keyword) => form.includes(keyword)))) {
    throw unsupported(path, `the keywords ${JSON.stringify(keywords)} are not those of one form of RFC 8927`);
  }
}

function form(schema: JtdSchema, path: string, scope: Scope): Layout {
  if ('type' in schema) return scalar(schema.type, path);
  if ('enum' in schema) {
    const names = [...schema.enum];
    if (names.length === 0 || names.length > INDICES_MAX || new Set(names).size !== names.length) {
      throw unsupported(path, `an enum needs 1 to ${INDICES_MAX} different names`);
    }
    return { form: 'enum', names, fixedBytes: indexBytes(names.length), path };
  }
  if ('elements' in schema) {
    if (schema.metadata?.['typedArray'] === true) return block(schema.elements, path);
    return { form: 'list', item: slot(schema.elements, `${path}/*`, scope), fixedBytes: LENGTH_BYTES, path };
  }
  if ('values' in schema) {
    return { form: 'map', item: slot(schema.values, `${path}/*`, scope), fixedBytes: LENGTH_BYTES, path };
  }
  if ('discriminator' in schema) return variant(schema.discriminator, schema.mapping, path, scope);
  if ('properties' in schema || 'optionalProperties' in schema) return struct(schema, path, scope);
  return { form: 'untyped', fixedBytes: LENGTH_BYTES, path };
}

function scalar(type: NumberType | 'boolean' | 'string' | 'timestamp', path: string): Layout {
  if (type === 'boolean') return { form: 'boolean', fixedBytes: 1, path };
  if (type === 'string') return { form: 'text', fixedBytes: LENGTH_BYTES, path };
  if (type === 'timestamp') return { form: 'timestamp', fixedBytes: 8, path };
  if (!Object.hasOwn(NUMBER_BYTES, type)) throw unsupported(path, `${JSON.stringify(type)} is not a type of RFC 8927`);
  return { form: 'number', type, fixedBytes: NUMBER_BYTES[type], path };
}

function block(item: JtdSchema, path: string): BlockLayout {
  if (!('type' in item) || !Object.hasOwn(NUMBER_BYTES, item.type) || item.nullable === true) {
    throw unsupported(path, 'metadata.typedArray needs elements of a number type that are not nullable');
  }
  return { form: 'block', type: item.type as NumberType, fixedBytes: LENGTH_BYTES, path };
}

interface Properties {
  readonly properties?: Readonly<Record<string, JtdSchema>>;
  readonly optionalProperties?: Readonly<Record<string, JtdSchema>>;
  readonly additionalProperties?: boolean;
}

function struct(schema: Properties, path: string, scope: Scope, tag?: StructLayout['tag']): StructLayout {
  if (schema.additionalProperties === true) {
    throw unsupported(path, 'additionalProperties have no place in a flat record; use values or {}');
  }
  const required = Object.entries(schema.properties ?? {});
  const optional = Object.entries(schema.optionalProperties ?? {});
  const names = new Set(tag === undefined ? [] : [tag.name]);
  let flagBits = 0;
  const pending = [...required, ...optional].map(([name, fieldSchema], index) => {
    if (name === '__proto__' || names.has(name)) {
      throw unsupported(path, `${JSON.stringify(name)} cannot name a property here`);
    }
    names.add(name);
    const { layout, nullable } = resolve(fieldSchema, `${path}/${name}`, scope);
    return {
      name,
      layout,
      ...(index < required.length ? {} : { presentBit: flagBits++ }),
      ...(nullable ? { nullBit: flagBits++ } : {}),
    };
  });
  let end = Math.ceil(flagBits / 8);
  const fields = pending.map((field) => {
    const offset = end;
    end += field.layout.fixedBytes;
    return { ...field, offset };
  });
  const layout = { form: 'struct', fields, flagBits, fixedBytes: Math.max(1, end), path } as const;
  return tag === undefined ? layout : { ...layout, tag };
}

function variant(tag: string, mapping: Readonly<Record<string, JtdSchema>>, path: string, scope: Scope): VariantLayout {
  const cases = Object.entries(mapping ?? {});
  if (cases.length === 0 || cases.length > INDICES_MAX) {
    throw unsupported(path, `a discriminator needs 1 to ${INDICES_MAX} mappings`);
  }
  if (tag === '__proto__') throw unsupported(path, '"__proto__" cannot name a property');
  const structs = cases.map(([value, schema]) => {
    const isProperties = 'properties' in schema || 'optionalProperties' in schema;
    checkKeywords(schema, `${path}/${value}`);
    if (!isProperties || schema.nullable === true) {
      throw unsupported(path, `the mapping ${JSON.stringify(value)} must be of the properties form and not nullable`);
    }
    return struct(schema, path, scope, { name: tag, value });
  });
  return { form: 'variant', tag, structs, fixedBytes: indexBytes(structs.length), path };
}

function unsupported(path: string, why: string): CodecError {
  return new CodecError('schema_unsupported', path, `${why}.`);
}
