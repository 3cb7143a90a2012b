/**
 * Holds the tensors of a model against what its architecture asks for: names, shapes, storage.
 *
 * For `bert` the whole list is known and checked; other architectures are held to what they share.
 * Vectors (norms, biases) stored as anything but F32 abort llama.cpp at the first text, and so do
 * integer matrices, long after loading seemed to succeed. A matrix of Q8_0 rows with one block each
 * gives wrong vectors and NaN without any error: the native product reads past such a row. No
 * published model has one, but a small synthetic model may.
 */
import { integerWithin, type ModelShape } from './architecture.ts';
import { bertTensors } from './bert-shape.ts';
import { modelError, type GgufHeader } from './parser.ts';
import { Q8_0_BLOCK_ELEMENTS } from './quantize.ts';
import type { TensorType } from './types.ts';

/** Formats that hold indices or intermediate results, never weights. */
const NOT_WEIGHTS: ReadonlySet<TensorType> = new Set(['I8', 'I16', 'I32', 'I64', 'F64', 'Q8_1', 'Q8_K']);
const TOKEN_TYPE_COUNT_MAX = 65_536;
const TOKEN_TYPES = 'token_types.weight';
/** Vectors by their names: in a file they may also be matrices of one row. */
const IS_VECTOR = /(?:\.bias|_norm\.weight|^token_types\.weight)$/;
/** Tables whose rows are looked up; every other matrix is multiplied. */
const LOOKUP_TABLES: ReadonlySet<string> = new Set(['token_embd.weight', 'position_embd.weight', TOKEN_TYPES]);

/** @throws SpillwayError `model_malformed` or `model_unsupported`. */
export function checkTensors(header: GgufHeader, shape: ModelShape, vocabularySize: number): void {
  for (const tensor of header.tensors.values()) {
    if (NOT_WEIGHTS.has(tensor.type)) {
      throw modelError('model_malformed', header.path, `stores ${tensor.name} as ${tensor.type}, which is no format for weights`);
    }
    if ((tensor.dims.length === 1 || IS_VECTOR.test(tensor.name)) && tensor.type !== 'F32') {
      throw modelError('model_malformed', header.path, `stores ${tensor.name} as ${tensor.type}; expected F32`);
    }
    if (tensor.type === 'Q8_0' && tensor.dims[0] === Q8_0_BLOCK_ELEMENTS && !LOOKUP_TABLES.has(tensor.name)) {
      throw modelError('model_unsupported', header.path, `stores ${tensor.name} as Q8_0 with rows of ${Q8_0_BLOCK_ELEMENTS} values, which are multiplied wrongly; expected longer rows, F16 or F32`);
    }
  }
  if (shape.architecture === 'bert') checkBertTensors(header, shape, vocabularySize);
  else expectShape(header, 'token_embd.weight', [shape.embeddingLength, vocabularySize]);
}

function checkBertTensors(header: GgufHeader, shape: ModelShape, vocabularySize: number): void {
  const { blockCount, embeddingLength, contextLength, feedForwardLength } = shape;
  if (feedForwardLength === undefined) throw modelError('model_malformed', header.path, 'lacks bert.feed_forward_length');
  const tokenTypeCount = integerWithin(header, 'tokenizer.ggml.token_type_count', 1, TOKEN_TYPE_COUNT_MAX);
  for (const { name, dims } of bertTensors({ blockCount, embeddingLength, feedForwardLength, contextLength, vocabularySize, tokenTypeCount })) {
    if (name === TOKEN_TYPES && !header.tensors.has(name)) continue;
    const fused = name.replace(/attn_[qkv]\.weight$/, 'attn_qkv.weight');
    if (fused !== name && header.tensors.has(fused)) expectShape(header, fused, [embeddingLength, 3 * embeddingLength]);
    else expectShape(header, name, dims);
  }
}

/**
 * Holds a model against what ranking asks for: a head that ends in one score. llama.cpp leaves out a head
 * that is missing and answers with a value of the hidden state instead, without an error.
 *
 * @throws SpillwayError `model_malformed` or `model_unsupported`.
 */
export function checkRankingHead(header: GgufHeader, { architecture, embeddingLength }: ModelShape): void {
  // Its head is one layer under the name that is the inner layer of the others.
  const [name, inner] = architecture === 'jina-bert-v2' ? ['cls.weight'] : ['cls.output.weight', 'cls.weight'];
  if (!header.tensors.has(name)) throw modelError('model_unsupported', header.path, `lacks the tensor ${name}; expected a model with a head that ranks`);
  const labels = header.metadata.get(`${architecture}.classifier.output_labels`)?.value;
  const outputs = Array.isArray(labels) ? labels.length : 1;
  // The decoders answer with two, yes and no, of which llama.cpp makes one probability; any other number classifies.
  const expected = architecture === 'qwen3' ? 2 : 1;
  if (outputs !== expected) throw modelError('model_unsupported', header.path, `has ${outputs} outputs in its head; expected ${expected}, as models that rank have`);
  expectShape(header, name, [embeddingLength, outputs]);
  if (inner !== undefined && header.tensors.has(inner)) expectShape(header, inner, [embeddingLength, embeddingLength]);
}

function expectShape(header: GgufHeader, name: string, dims: readonly number[]): void {
  const tensor = header.tensors.get(name);
  const expected = `[${dims.join(', ')}]`;
  if (tensor === undefined) throw modelError('model_malformed', header.path, `lacks the tensor ${name} ${expected}`);
  if (tensor.dims.length !== dims.length || tensor.dims.some((size, i) => size !== dims[i])) {
    throw modelError('model_malformed', header.path, `has ${name} in the shape [${tensor.dims.join(', ')}]; expected ${expected}`);
  }
}
