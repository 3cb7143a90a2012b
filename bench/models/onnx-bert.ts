/**
 * A BERT encoder as an ONNX graph, with the nodes that exporters write.
 *
 * Published MiniLM files come from `torch.onnx` (through Optimum), which knows neither LayerNorm nor GELU
 * nor attention as one operator at opset 14, and from onnxruntime's `quantize_dynamic` for int8. The graph
 * has their very patterns, because onnxruntime's optimizer recognizes patterns: a graph written otherwise
 * would be measured otherwise. For int8 each MatMul with weights becomes DynamicQuantizeLinear,
 * MatMulInteger, Cast and Mul (one scale for each tensor), and the lookup tables hold bytes.
 */
import type { BertShape } from '../../actors/inference/gguf/bert-shape.ts';
import { OnnxGraph } from './onnx-writer.ts';

const OPSET = 14;
/** What a padded token adds to its score before the softmax: torch.finfo(torch.float32).min. */
const MASKED = -3.4028234663852886e38;

export interface OnnxBert {
  readonly shape: BertShape;
  readonly headCount: number;
  readonly layerNormEpsilon: number;
  readonly storage: 'fp32' | 'int8';
  /** Whether it ends in BERT's pooler and a classifier with one logit, as a cross-encoder does. */
  readonly classifier?: boolean;
  /** The tensor by its name in `bertTensors`, row-major with rows of `in` values. Also `pooler.weight` [d, d] and `classifier.weight` [d] for a classifier. */
  readonly tensor: (name: string) => Float32Array;
}

export function bertGraph(model: OnnxBert): OnnxGraph {
  const graph = new OnnxGraph('spillway_bert', OPSET);
  const { shape: { blockCount, embeddingLength: d }, classifier = false } = model;
  const [ids, mask, types] = ['input_ids', 'attention_mask', 'token_type_ids'].map((name) => graph.input(name, 'i64', ['batch', 'sequence'])) as [string, string, string];
  const layers = new BertLayers(graph, model);
  const bias = layers.attentionBias(mask);
  let hidden = layers.embeddings(ids, types);
  for (let block = 0; block < blockCount; block++) hidden = layers.block(hidden, bias, `blk.${block}`, block === blockCount - 1 && !classifier ? 'last_hidden_state' : undefined);
  if (classifier) {
    const first = graph.node('Gather', [hidden, graph.index(0)], { axis: 1 });
    const pooled = graph.node('Tanh', [graph.node('Gemm', [first, layers.matrix('pooler.weight', d, d), layers.zeros('pooler.bias', d)], { transB: 1 })]);
    graph.node('Gemm', [pooled, layers.matrix('classifier.weight', 1, d), layers.zeros('classifier.bias', 1)], { transB: 1 }, 'logits');
    graph.output('logits', 'f32', ['batch', 1]);
  } else {
    graph.output('last_hidden_state', 'f32', ['batch', 'sequence', d]);
  }
  return graph;
}

class BertLayers {
  readonly #graph: OnnxGraph;
  readonly #model: OnnxBert;
  /** A tensor that several products share is quantized once. */
  readonly #quantized = new Map<string, readonly string[]>();

  constructor(graph: OnnxGraph, model: OnnxBert) {
    this.#graph = graph;
    this.#model = model;
  }

  /** 0 for tokens and `MASKED` for padding, as [batch, 1, 1, sequence]. */
  attentionBias(mask: string): string {
    const g = this.#graph;
    const wide = g.node('Unsqueeze', [g.node('Unsqueeze', [mask, g.integers(1)]), g.integers(2)]);
    return g.node('Mul', [g.node('Sub', [g.scalar(1), g.node('Cast', [wide], { to: 1 })]), g.scalar(MASKED)]);
  }

  embeddings(ids: string, types: string): string {
    const g = this.#graph;
    const { contextLength, vocabularySize, tokenTypeCount } = this.#model.shape;
    const positions = g.weight('position_ids', 'i64', [1, contextLength], BigInt64Array.from({ length: contextLength }, (_, i) => BigInt(i)));
    const length = g.node('Unsqueeze', [this.#sizeOf(ids, 1), g.integers(0)]);
    const taken = g.node('Slice', [positions, g.integers(0), length, g.integers(1), g.integers(1)]);
    const words = this.#lookUp('token_embd.weight', vocabularySize, ids);
    const sum = g.node('Add', [words, this.#lookUp('token_types.weight', tokenTypeCount, types)]);
    return this.#layerNorm(g.node('Add', [sum, this.#lookUp('position_embd.weight', contextLength, taken)]), 'token_embd_norm');
  }

  block(hidden: string, bias: string, name: string, output: string | undefined): string {
    const g = this.#graph;
    const { embeddingLength: d, feedForwardLength: ff } = this.#model.shape;
    const context = this.#attention(hidden, bias, name);
    const attended = this.#layerNorm(g.node('Add', [this.#linear(context, `${name}.attn_output`, d, d), hidden]), `${name}.attn_output_norm`);
    const up = this.#linear(attended, `${name}.ffn_up`, d, ff);
    const erf = g.node('Add', [g.node('Erf', [g.node('Div', [up, g.scalar(Math.SQRT2)])]), g.scalar(1)]);
    const active = g.node('Mul', [g.node('Mul', [up, erf]), g.scalar(0.5)]);
    return this.#layerNorm(g.node('Add', [this.#linear(active, `${name}.ffn_down`, ff, d), attended]), `${name}.layer_output_norm`, output);
  }

  /** A weight as it stands, [rows, columns]. */
  matrix(name: string, rows: number, columns: number): string {
    return this.#graph.weight(name, 'f32', [rows, columns], this.#model.tensor(name));
  }

  zeros(name: string, size: number): string {
    return this.#graph.weight(name, 'f32', [size], new Float32Array(size));
  }

  #attention(hidden: string, bias: string, name: string): string {
    const g = this.#graph;
    const { headCount, shape: { embeddingLength: d } } = this.#model;
    const width = d / headCount;
    // In the order of the export: the query's product first, its heads last.
    const query = this.#linear(hidden, `${name}.attn_q`, d, d);
    const key = this.#heads(this.#linear(hidden, `${name}.attn_k`, d, d), [0, 2, 3, 1]);
    const value = this.#heads(this.#linear(hidden, `${name}.attn_v`, d, d), [0, 2, 1, 3]);
    const scores = g.node('Div', [g.node('MatMul', [this.#heads(query, [0, 2, 1, 3]), key]), g.scalar(Math.sqrt(width))]);
    const shares = g.node('Softmax', [g.node('Add', [scores, bias])], { axis: 3 });
    const merged = g.node('Transpose', [g.node('MatMul', [shares, value])], { perm: [0, 2, 1, 3] });
    return g.node('Reshape', [merged, this.#shapeLike(merged, [d])]);
  }

  #heads(projected: string, perm: readonly number[]): string {
    const { headCount, shape: { embeddingLength } } = this.#model;
    return this.#graph.node('Transpose', [this.#graph.node('Reshape', [projected, this.#shapeLike(projected, [headCount, embeddingLength / headCount])])], { perm });
  }

  /** A shape of the first two dimensions of `tensor` and the given others. */
  #shapeLike(tensor: string, others: readonly number[]): string {
    const g = this.#graph;
    const free = [0, 1].map((axis) => g.node('Unsqueeze', [this.#sizeOf(tensor, axis), g.integers(0)]));
    return g.node('Concat', [...free, ...others.map((size) => g.integers(size))], { axis: 0 });
  }

  #sizeOf(tensor: string, axis: number): string {
    return this.#graph.node('Gather', [this.#graph.node('Shape', [tensor]), this.#graph.index(axis)], { axis: 0 });
  }

  #layerNorm(input: string, name: string, output?: string): string {
    const g = this.#graph;
    const d = this.#model.shape.embeddingLength;
    const mean = (of: string): string => g.node('ReduceMean', [of], { axes: [-1], keepdims: 1 });
    const centred = g.node('Sub', [input, mean(input)]);
    const variance = mean(g.node('Pow', [centred, g.scalar(2)]));
    const deviation = g.node('Sqrt', [g.node('Add', [variance, g.scalar(this.#model.layerNormEpsilon)])]);
    const weight = g.weight(`${name}.weight`, 'f32', [d], this.#model.tensor(`${name}.weight`));
    const bias = g.weight(`${name}.bias`, 'f32', [d], this.#model.tensor(`${name}.bias`));
    return g.node('Add', [g.node('Mul', [g.node('Div', [centred, deviation]), weight]), bias], {}, output);
  }

  /** `input` times a matrix from `rows` to `columns` values, plus a bias, which is zero here and costs the same. */
  #linear(input: string, name: string, rows: number, columns: number): string {
    const values = transposed(this.#model.tensor(`${name}.weight`), columns, rows);
    const product = this.#model.storage === 'fp32'
      ? this.#graph.node('MatMul', [input, this.#graph.weight(`${name}.weight`, 'f32', [rows, columns], values)])
      : this.#integerProduct(input, `${name}.weight`, [rows, columns], values);
    return this.#graph.node('Add', [this.zeros(`${name}.bias`, columns), product]);
  }

  #integerProduct(input: string, name: string, dims: readonly number[], values: Float32Array): string {
    const g = this.#graph;
    let parts = this.#quantized.get(input);
    if (parts === undefined) this.#quantized.set(input, parts = g.nodes('DynamicQuantizeLinear', [input], ['quantized', 'scale', 'zero_point'].map((part) => `${input}_${part}`)));
    const [bytes, scale, zeroPoint] = parts as readonly [string, string, string];
    const weight = this.#bytes(name, dims, values);
    const product = g.node('MatMulInteger', [bytes, weight.bytes, zeroPoint, weight.zeroPoint]);
    return g.node('Mul', [g.node('Cast', [product], { to: 1 }), g.node('Mul', [scale, weight.scale])]);
  }

  #lookUp(name: string, rows: number, indices: string): string {
    const g = this.#graph;
    const values = this.#model.tensor(name);
    const dims = [rows, this.#model.shape.embeddingLength];
    if (this.#model.storage === 'fp32') return g.node('Gather', [g.weight(name, 'f32', dims, values), indices]);
    const { bytes, scale, zeroPoint } = this.#bytes(name, dims, values);
    return g.node('DequantizeLinear', [g.node('Gather', [bytes, indices]), scale, zeroPoint]);
  }

  /** Symmetric signed bytes with one scale. */
  #bytes(name: string, dims: readonly number[], values: Float32Array): { bytes: string; scale: string; zeroPoint: string } {
    let largest = 0;
    for (const value of values) largest = Math.max(largest, Math.abs(value));
    const scale = largest / 127 || 1;
    const quantized = new Int8Array(values.length);
    for (let i = 0; i < values.length; i++) quantized[i] = Math.round(values[i]! / scale);
    return {
      bytes: this.#graph.weight(`${name}_quantized`, 'i8', dims, quantized),
      scale: this.#graph.weight(`${name}_scale`, 'f32', [], new Float32Array([scale])),
      zeroPoint: this.#graph.weight(`${name}_zero_point`, 'i8', [], new Int8Array(1)),
    };
  }
}

/** From rows of the output's weights, as torch and GGUF store them, to the [in, out] of MatMul. */
function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column]!;
  return result;
}
