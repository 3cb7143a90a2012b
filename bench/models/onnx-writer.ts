/**
 * Writes ONNX files: a graph of operators with its weights, as onnxruntime reads it.
 *
 * ONNX is protocol buffers, and of its schema (`onnx.proto` of the onnx repository, whose field numbers
 * these are) a model of a bench needs little. The class `OnnxGraph` collects nodes and weights by name; a
 * node answers the name of its output, so a graph is written like the formula that it computes.
 */
import assert from 'node:assert';
import { writeFileSync } from 'node:fs';
import protobuf from 'protobufjs';

const IR_VERSION = 8;
/** Files of this many bytes and more need external data: protocol buffers count bytes in 31 bits. */
const FILE_BYTES_MAX = 2 ** 31;

/** `TensorProto.DataType`. */
const DATA_TYPE = { f32: 1, u8: 2, i8: 3, i32: 6, i64: 7 } as const;
type OnnxType = keyof typeof DATA_TYPE;
/** `AttributeProto.AttributeType`. */
const ATTRIBUTE_TYPE = { f: 1, i: 2, s: 3, ints: 7 } as const;

const repeated = (type: string, id: number) => ({ rule: 'repeated', type, id });
const SCHEMA = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: { type: 'int64', id: 1 }, producerName: { type: 'string', id: 2 }, graph: { type: 'GraphProto', id: 7 },
        opsetImport: repeated('OperatorSetIdProto', 8),
      },
    },
    OperatorSetIdProto: { fields: { domain: { type: 'string', id: 1 }, version: { type: 'int64', id: 2 } } },
    GraphProto: {
      fields: {
        node: repeated('NodeProto', 1), name: { type: 'string', id: 2 }, initializer: repeated('TensorProto', 5),
        input: repeated('ValueInfoProto', 11), output: repeated('ValueInfoProto', 12),
      },
    },
    NodeProto: {
      fields: {
        input: repeated('string', 1), output: repeated('string', 2), name: { type: 'string', id: 3 }, opType: { type: 'string', id: 4 },
        attribute: repeated('AttributeProto', 5),
      },
    },
    AttributeProto: {
      fields: {
        name: { type: 'string', id: 1 }, f: { type: 'float', id: 2 }, i: { type: 'int64', id: 3 }, s: { type: 'bytes', id: 4 },
        ints: { rule: 'repeated', type: 'int64', id: 8, options: { packed: false } }, type: { type: 'int32', id: 20 },
      },
    },
    TensorProto: {
      fields: {
        dims: { rule: 'repeated', type: 'int64', id: 1, options: { packed: false } }, dataType: { type: 'int32', id: 2 }, name: { type: 'string', id: 8 },
        rawData: { type: 'bytes', id: 9 }, externalData: repeated('StringStringEntryProto', 13), dataLocation: { type: 'int32', id: 14 },
      },
    },
    StringStringEntryProto: { fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    ValueInfoProto: { fields: { name: { type: 'string', id: 1 }, type: { type: 'TypeProto', id: 2 } } },
    TypeProto: { fields: { tensorType: { type: 'TensorTypeProto', id: 1 } } },
    TensorTypeProto: { fields: { elemType: { type: 'int32', id: 1 }, shape: { type: 'TensorShapeProto', id: 2 } } },
    TensorShapeProto: { fields: { dim: repeated('DimensionProto', 1) } },
    DimensionProto: { fields: { dimValue: { type: 'int64', id: 1 }, dimParam: { type: 'string', id: 2 } } },
  },
});

/** A number is a float attribute where the operator's name for it says so, else an integer. */
type Attributes = Readonly<Record<string, number | string | readonly number[] | { readonly float: number }>>;

interface WeightProto {
  readonly name: string;
  readonly dims: readonly number[];
  readonly dataType: number;
  readonly rawData?: Uint8Array;
  readonly externalData?: readonly { readonly key: string; readonly value: string }[];
  readonly dataLocation?: number;
}

/** Where a tensor lies outside of the model's file. */
export interface ExternalData {
  /** Relative to the model's folder. */
  readonly location: string;
  readonly offset: number;
  readonly lengthBytes: number;
}

export class OnnxGraph {
  readonly #name: string;
  readonly #opset: number;
  readonly #nodes: object[] = [];
  readonly #weights = new Map<string, WeightProto>();
  readonly #inputs: object[] = [];
  readonly #outputs: object[] = [];

  constructor(name: string, opset: number) {
    this.#name = name;
    this.#opset = opset;
  }

  /** Declares an input. Dimensions with a name are free. */
  input(name: string, type: OnnxType, dims: readonly (number | string)[]): string {
    this.#inputs.push(valueInfo(name, type, dims));
    return name;
  }

  output(name: string, type: OnnxType, dims: readonly (number | string)[]): void {
    this.#outputs.push(valueInfo(name, type, dims));
  }

  /** Adds an operator with one output, and answers the output's name. */
  node(opType: string, input: readonly string[], attributes: Attributes = {}, output?: string): string {
    return this.nodes(opType, input, [output ?? `${opType}_${this.#nodes.length}`], attributes)[0]!;
  }

  /** Adds an operator with several outputs. */
  nodes(opType: string, input: readonly string[], output: readonly string[], attributes: Attributes = {}): readonly string[] {
    const name = `${opType}_node_${this.#nodes.length}`;
    this.#nodes.push({ input, output, name, opType, attribute: Object.entries(attributes).map(([key, value]) => attributeProto(key, value)) });
    return output;
  }

  /** Adds a weight, unless one of this name is there. Values are row-major. */
  weight(name: string, type: OnnxType, dims: readonly number[], values: ArrayBufferView): string {
    const rawData = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    if (!this.#weights.has(name)) this.#weights.set(name, { name, dims, dataType: DATA_TYPE[type], rawData });
    return name;
  }

  externalWeight(name: string, type: OnnxType, dims: readonly number[], { location, offset, lengthBytes }: ExternalData): string {
    const externalData = Object.entries({ location, offset: String(offset), length: String(lengthBytes) }).map(([key, value]) => ({ key, value }));
    this.#weights.set(name, { name, dims, dataType: DATA_TYPE[type], externalData, dataLocation: 1 });
    return name;
  }

  scalar(value: number): string {
    return this.weight(`scalar_${value}`, 'f32', [], new Float32Array([value]));
  }

  integers(...values: number[]): string {
    return this.weight(`integers_${values.join('_')}`, 'i64', [values.length], BigInt64Array.from(values, BigInt));
  }

  /** One integer without a dimension, as an index that takes the dimension away. */
  index(value: number): string {
    return this.weight(`index_${value}`, 'i64', [], BigInt64Array.of(BigInt(value)));
  }

  encode(): Uint8Array {
    const model = SCHEMA.lookupType('ModelProto');
    return model.encode(model.fromObject({
      irVersion: IR_VERSION, producerName: 'spillway bench', opsetImport: [{ domain: '', version: this.#opset }],
      graph: { name: this.#name, node: this.#nodes, initializer: [...this.#weights.values()], input: this.#inputs, output: this.#outputs },
    })).finish();
  }

  /** Writes the file and answers its size in bytes. */
  write(path: string): number {
    const bytes = this.encode();
    assert(bytes.length < FILE_BYTES_MAX, `a model of ${bytes.length} bytes needs external data`);
    writeFileSync(path, bytes);
    return bytes.length;
  }
}

function valueInfo(name: string, type: OnnxType, dims: readonly (number | string)[]): object {
  const dim = dims.map((size) => (typeof size === 'string' ? { dimParam: size } : { dimValue: size }));
  return { name, type: { tensorType: { elemType: DATA_TYPE[type], shape: { dim } } } };
}

function attributeProto(name: string, value: Attributes[string]): object {
  if (typeof value === 'string') return { name, s: Buffer.from(value), type: ATTRIBUTE_TYPE.s };
  if (typeof value === 'number') return { name, i: value, type: ATTRIBUTE_TYPE.i };
  return 'float' in value ? { name, f: value.float, type: ATTRIBUTE_TYPE.f } : { name, ints: [...value], type: ATTRIBUTE_TYPE.ints };
}
