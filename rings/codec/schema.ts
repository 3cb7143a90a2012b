/**
 * JSON Type Definition schemas (RFC 8927) as TypeScript types, and the type of the values they admit.
 *
 * JTD rather than JSON JtdSchema because each of its eight forms has exactly one shape in memory, so a
 * schema is also a record layout. One extension: `elements` of a number type with
 * `metadata: { typedArray: true }` stands for the typed array of that number type, and moves as
 * memory. `metadata` is where the RFC leaves room for this, so other JTD tools still read the schema.
 *
 * A timestamp is a `Date` here (RFC 3339 text in JSON).
 */
export interface TypedArrays {
  float32: Float32Array;
  float64: Float64Array;
  int8: Int8Array;
  uint8: Uint8Array;
  int16: Int16Array;
  uint16: Uint16Array;
  int32: Int32Array;
  uint32: Uint32Array;
}

export type NumberType = keyof TypedArrays;

interface Common {
  readonly nullable?: boolean;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Allowed at the root only. */
  readonly definitions?: Schemas;
}

type Schemas = { readonly [name: string]: JtdSchema };

interface EmptyForm extends Common {}
interface RefForm extends Common { readonly ref: string }
interface TypeForm extends Common { readonly type: NumberType | 'boolean' | 'string' | 'timestamp' }
interface EnumForm extends Common { readonly enum: readonly string[] }
interface ElementsForm extends Common { readonly elements: JtdSchema }
interface ValuesForm extends Common { readonly values: JtdSchema }
interface PropertiesForm extends Common {
  readonly properties?: Schemas;
  readonly optionalProperties?: Schemas;
  readonly additionalProperties?: boolean;
}
interface DiscriminatorForm extends Common { readonly discriminator: string; readonly mapping: Schemas }

export type JtdSchema =
  | EmptyForm | RefForm | TypeForm | EnumForm | ElementsForm | ValuesForm | PropertiesForm | DiscriminatorForm;

/** Keeps the literal types of a schema, so that `JtdType<typeof schema>` can read them. */
export function defineSchema<const S extends JtdSchema>(schema: S): S {
  return schema;
}

/**
 * The TypeScript type of the values that a schema (given `as const`) admits; `unknown` for a schema
 * that is only known at run time.
 */
export type JtdType<S> =
  [JtdSchema] extends [S] ? unknown : S extends { readonly definitions: infer D } ? ValueOf<S, D> : ValueOf<S, unknown>;

type ValueOf<S, D> = S extends { readonly nullable: true } ? FormOf<S, D> | null : FormOf<S, D>;

type FormOf<S, D> =
  S extends { readonly ref: infer R } ? (R extends keyof D ? ValueOf<D[R], D> : never)
  : S extends { readonly type: infer T } ? ScalarOf<T>
  : S extends { readonly enum: readonly (infer E)[] } ? E
  : S extends BlockForm<infer N> ? TypedArrays[N]
  : S extends { readonly elements: infer E } ? ValueOf<E, D>[]
  : S extends { readonly values: infer V } ? Record<string, ValueOf<V, D>>
  : S extends { readonly discriminator: infer T extends string; readonly mapping: infer M } ? VariantOf<T, M, D>
  : S extends { readonly properties: unknown } | { readonly optionalProperties: unknown } ? RecordOf<S, D>
  : unknown;

interface BlockForm<N extends NumberType> {
  readonly elements: { readonly type: N };
  readonly metadata: { readonly typedArray: true };
}

type ScalarOf<T> =
  T extends NumberType ? number
  : T extends 'boolean' ? boolean
  : T extends 'string' ? string
  : T extends 'timestamp' ? Date
  : never;

type VariantOf<T extends string, M, D> = {
  [K in keyof M]: Flat<{ [Tag in T]: K } & RecordOf<M[K], D>>;
}[keyof M];

type RecordOf<S, D> = Flat<
  { -readonly [K in keyof Fields<S, 'properties'>]: ValueOf<Fields<S, 'properties'>[K], D> } & {
    -readonly [K in keyof Fields<S, 'optionalProperties'>]?: ValueOf<Fields<S, 'optionalProperties'>[K], D>;
  }
>;

type Fields<S, Keyword extends string> = S extends { readonly [K in Keyword]: infer P } ? P : {};

/** Shows an intersection as one object type in editors and messages. */
type Flat<T> = { [K in keyof T]: T[K] };
