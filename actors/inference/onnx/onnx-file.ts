/**
 * The check that every .onnx file passes before native code sees it, and what it says of the graph inside.
 *
 * Model files come from strangers. The walk follows all messages that can hold a tensor or another graph and
 * never reads a weight: it finds files that are cut short, lengths that contradict each other, tensors whose
 * bytes do not fit their shape, and data in files outside of the model's folder. What the operators
 * mean is for onnxruntime to check. Field numbers are those of `onnx.proto` in the onnx repository.
 */
import { closeSync, fstatSync, openSync, realpathSync, statSync, type Stats } from 'node:fs';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { modelError } from '../gguf/parser.ts';
import { WireReader, type WireField } from './wire-reader.ts';

const MESSAGES_MAX = 1_000_000;
const DEPTH_MAX = 16;
const NAME_BYTES_MAX = 4_096;
const DIMENSIONS_MAX = 16;
const VALUES_MAX = 4_096;
/** Far above all published versions (13 in 2026), and low enough to tell a model from other bytes. */
const IR_VERSION_MAX = 64;

/** The key of the first field, the version: field 1, a varint. Every known writer puts it first, and few other files begin so. */
const FIRST_BYTE = 0x08;
const MODEL = { graph: 7, functions: 25 } as const;
const GRAPH = { initializer: 5, input: 11, output: 12 } as const;
const NODE_OP_TYPE = 4;
/** In each message, the fields that hold further messages with tensors in them. */
const NESTED: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse tensor' },
  function: { 7: 'node' },
  node: { 5: 'attribute' },
  attribute: { 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph', 22: 'sparse tensor', 23: 'sparse tensor' },
  'sparse tensor': { 1: 'tensor', 2: 'tensor' },
};
const TENSOR = { dims: 1, dataType: 2, rawData: 9, externalData: 13, dataLocation: 14 } as const;
const EXTERNAL = 1;
/** Bytes of one value by `TensorProto.DataType`; those that pack several into a byte, and text, are missing. */
const VALUE_BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 2, 17: 1, 18: 1, 19: 1, 20: 1 };

/** `TensorProto.DataType` of the tensors that go in and come out of a text model. */
export const ELEMENT_TYPE = { float32: 1, int64: 7 } as const;

/** An input or output of the graph. */
export interface GraphValue {
  readonly name: string;
  readonly elementType: number;
  /** `undefined` for dimensions that are free; the list itself is `undefined` when the file states no shape. */
  readonly dims: readonly (number | undefined)[] | undefined;
}

export interface OnnxFileSummary {
  readonly sizeBytes: number;
  /** Without those that a weight of the same name fills. */
  readonly inputs: readonly GraphValue[];
  readonly outputs: readonly GraphValue[];
  /** Files with weights, as absolute paths inside the model's folder. */
  readonly externalFiles: readonly string[];
  /** The kinds of operators, for what a backend must know of them. */
  readonly operators: ReadonlySet<string>;
}

/**
 * Walks through the file at `path`.
 *
 * @throws SpillwayError `model_missing`, `model_unreadable`, `model_not_onnx`, `model_truncated`, `model_malformed`,
 *   `model_too_complex`
 */
export function inspectOnnxFile(path: string): OnnxFileSummary {
  const sizeBytes = regularFile(path, 'an ONNX file').size;
  const file = openSync(path, 'r');
  try {
    return new OnnxWalk(new WireReader(path, file, Math.min(sizeBytes, fstatSync(file).size))).model();
  } finally {
    closeSync(file);
  }
}

/** The file at `path`. Opening a FIFO or a device may block for ever, so the kind is checked first. */
export function regularFile(path: string, expected: string): Stats {
  let found: Stats;
  try {
    found = statSync(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw modelError('model_missing', path, `there is no such file; expected ${expected}`, cause);
    throw modelError('model_unreadable', path, `cannot be examined (${(cause as Error).message})`, cause);
  }
  if (!found.isFile()) throw modelError('model_unreadable', path, `is not a regular file; expected ${expected}`);
  return found;
}

class OnnxWalk {
  readonly #reader: WireReader;
  readonly #path: string;
  readonly #operators = new Set<string>();
  readonly #externalFiles = new Set<string>();
  #messages = 0;

  constructor(reader: WireReader) {
    this.#reader = reader;
    this.#path = reader.path;
  }

  model(): OnnxFileSummary {
    const { sizeBytes } = this.#reader;
    let graph: WireField | undefined;
    if (this.#reader.firstByte() !== FIRST_BYTE) throw modelError('model_not_onnx', this.#path, 'does not begin like an ONNX model; expected its version in the first field');
    let isFirst = true;
    for (const field of this.#reader.fields(0, sizeBytes, 'model')) {
      if (isFirst && (field.value! < 1 || field.value! > IR_VERSION_MAX)) throw modelError('model_not_onnx', this.#path, `has the format version ${field.value!}; expected 1 to ${IR_VERSION_MAX}`);
      isFirst = false;
      if (field.number === MODEL.graph) {
        if (graph !== undefined) throw modelError('model_malformed', this.#path, 'has two graphs; expected one');
        graph = this.#bytesOf(field, 'graph');
      }
      if (field.number === MODEL.functions) this.#walk(this.#bytesOf(field, 'function'), 'function', 1);
    }
    if (graph === undefined) throw modelError('model_not_onnx', this.#path, 'has no graph; expected an ONNX model');
    this.#walk(graph, 'graph', 1);
    return { sizeBytes, ...this.#ends(graph), externalFiles: [...this.#externalFiles], operators: this.#operators };
  }

  #walk(message: WireField, kind: string, depth: number): void {
    if (++this.#messages > MESSAGES_MAX || depth > DEPTH_MAX) {
      throw modelError('model_too_complex', this.#path, `has more than ${MESSAGES_MAX} parts or parts nested deeper than ${DEPTH_MAX}`);
    }
    if (kind === 'tensor') return this.#tensor(message);
    for (const field of this.#reader.fields(message.start, message.end, kind)) {
      if (kind === 'node' && field.number === NODE_OP_TYPE) this.#operators.add(this.#reader.text(this.#bytesOf(field, 'operator'), NAME_BYTES_MAX, 'the name of an operator'));
      const inner = NESTED[kind]?.[field.number];
      if (inner !== undefined) this.#walk(this.#bytesOf(field, inner), inner, depth + 1);
    }
  }

  #tensor(message: WireField): void {
    const dims: number[] = [];
    const external = new Map<string, string>();
    let dataType = 0;
    let rawBytes: number | undefined;
    let location = 0;
    for (const field of this.#reader.fields(message.start, message.end, 'tensor')) {
      if (field.number === TENSOR.dims) for (const size of this.#reader.integers(field, 'tensor')) this.#addDimension(dims, size);
      else if (field.number === TENSOR.dataType) dataType = field.value ?? 0;
      else if (field.number === TENSOR.rawData) rawBytes = field.end - field.start;
      else if (field.number === TENSOR.dataLocation) location = field.value ?? 0;
      else if (field.number === TENSOR.externalData) this.#addEntry(external, this.#bytesOf(field, 'entry'));
    }
    const values = dims.reduce((product, size) => product * size, 1);
    const valueBytes = VALUE_BYTES[dataType];
    const expectedBytes = valueBytes === undefined ? undefined : values * valueBytes;
    if (location === EXTERNAL) this.#external(external, expectedBytes);
    else if (rawBytes !== undefined && expectedBytes !== undefined && rawBytes !== expectedBytes) {
      throw modelError('model_malformed', this.#path, `has a tensor [${dims.join(', ')}] with ${rawBytes} bytes; expected ${expectedBytes}`);
    }
  }

  #addDimension(dims: number[], size: number): void {
    dims.push(size);
    if (dims.length > DIMENSIONS_MAX || !(dims.reduce((product, value) => product * value, 1) <= Number.MAX_SAFE_INTEGER)) {
      throw modelError('model_malformed', this.#path, `has a tensor with the dimensions [${dims.join(', ')}]; expected at most ${DIMENSIONS_MAX} and fewer than 2^53 values`);
    }
  }

  #addEntry(entries: Map<string, string>, message: WireField): void {
    let key = '';
    for (const field of this.#reader.fields(message.start, message.end, 'entry')) {
      if (field.number === 1) key = this.#reader.text(this.#bytesOf(field, 'key'), NAME_BYTES_MAX, 'a key');
      if (field.number === 2) entries.set(key, this.#reader.text(this.#bytesOf(field, 'value'), NAME_BYTES_MAX, 'a value'));
    }
  }

  /** Weights may lie in further files, but only in the folder of the model: a path that leads elsewhere would read any file. */
  #external(entries: ReadonlyMap<string, string>, expectedBytes: number | undefined): void {
    const location = entries.get('location') ?? '';
    const folder = realpathSync(dirname(this.#path));
    const path = join(folder, location);
    if (location === '' || location.includes('\0') || isAbsolute(location) || !path.startsWith(folder + sep)) {
      throw modelError('model_malformed', this.#path, `has weights in ${JSON.stringify(location)}; expected a file in its own folder`);
    }
    const { size } = regularFile(path, 'the file with the weights of the model');
    const offset = Number(entries.get('offset') ?? 0);
    const length = Number(entries.get('length') ?? expectedBytes ?? 0);
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0 || (expectedBytes !== undefined && length !== expectedBytes)) {
      throw modelError('model_malformed', this.#path, `has a tensor at offset ${offset} with ${length} bytes in ${location}; expected ${expectedBytes ?? 'positive'} bytes`);
    }
    if (offset + length > size) throw modelError('model_truncated', path, `holds ${size} bytes; the model needs ${offset + length}; download or copy it again`);
    this.#externalFiles.add(path);
  }

  /** What goes into the graph and comes out of it. */
  #ends(graph: WireField): Pick<OnnxFileSummary, 'inputs' | 'outputs'> {
    const inputs: GraphValue[] = [];
    const outputs: GraphValue[] = [];
    const weights = new Set<string>();
    for (const field of this.#reader.fields(graph.start, graph.end, 'graph')) {
      if (field.number === GRAPH.input) inputs.push(this.#value(field));
      if (field.number === GRAPH.output) outputs.push(this.#value(field));
      if (field.number === GRAPH.initializer) weights.add(this.#nameOf(field, 8));
    }
    if (inputs.length > VALUES_MAX || outputs.length > VALUES_MAX) throw modelError('model_too_complex', this.#path, `has more than ${VALUES_MAX} inputs or outputs`);
    return { inputs: inputs.filter(({ name }) => !weights.has(name)), outputs };
  }

  #nameOf(message: WireField, number: number): string {
    for (const field of this.#reader.fields(message.start, message.end, 'name')) {
      if (field.number === number) return this.#reader.text(this.#bytesOf(field, 'name'), NAME_BYTES_MAX, 'a name');
    }
    return '';
  }

  /** ValueInfoProto { name = 1; type = 2 { tensor_type = 1 { elem_type = 1; shape = 2 { dim = 1 { dim_value = 1 } } } } }. */
  #value(message: WireField): GraphValue {
    let elementType = 0;
    let dims: (number | undefined)[] | undefined;
    for (const type of this.#inner(message, 2)) for (const tensor of this.#inner(type, 1)) {
      for (const field of this.#reader.fields(tensor.start, tensor.end, 'type')) if (field.number === 1) elementType = field.value ?? 0;
      for (const shape of this.#inner(tensor, 2)) {
        dims = [];
        for (const dim of this.#inner(shape, 1)) {
          let size: number | undefined;
          for (const field of this.#reader.fields(dim.start, dim.end, 'dimension')) if (field.number === 1) size = field.value;
          dims.push(size);
        }
      }
    }
    return { name: this.#nameOf(message, 1), elementType, dims };
  }

  *#inner(message: WireField, number: number): Generator<WireField> {
    for (const field of this.#reader.fields(message.start, message.end, 'type')) if (field.number === number) yield this.#bytesOf(field, 'type');
  }

  #bytesOf(field: WireField, what: string): WireField {
    if (field.value !== undefined) throw modelError('model_malformed', this.#path, `has a number in place of a ${what}`);
    return field;
  }
}
