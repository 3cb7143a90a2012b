/**
 * The tensors of a BERT model: names and dimensions, as llama.cpp's `llama_model_bert` asks for
 * them. One list serves the check of files from elsewhere and the writers of our own.
 */

export interface BertShape {
  readonly blockCount: number;
  readonly embeddingLength: number;
  readonly feedForwardLength: number;
  readonly contextLength: number;
  readonly vocabularySize: number;
  /** Rows of the token type table, of which llama.cpp uses the first. */
  readonly tokenTypeCount: number;
}

export interface BertTensor {
  readonly name: string;
  /** Fastest first: a matrix from `in` to `out` values is `[in, out]`. */
  readonly dims: readonly number[];
}

/** Every tensor that a model of `shape` must have, and `token_types.weight`, which it may leave out. In the order of the computation. */
export function bertTensors(shape: BertShape): BertTensor[] {
  const { embeddingLength: d, feedForwardLength: ff } = shape;
  const tensors: BertTensor[] = [
    { name: 'token_embd.weight', dims: [d, shape.vocabularySize] },
    { name: 'position_embd.weight', dims: [d, shape.contextLength] },
    { name: 'token_types.weight', dims: [d, shape.tokenTypeCount] },
    ...norm('token_embd_norm', d),
  ];
  for (let i = 0; i < shape.blockCount; i++) {
    const block = `blk.${i}`;
    tensors.push(
      { name: `${block}.attn_q.weight`, dims: [d, d] },
      { name: `${block}.attn_k.weight`, dims: [d, d] },
      { name: `${block}.attn_v.weight`, dims: [d, d] },
      { name: `${block}.attn_output.weight`, dims: [d, d] },
      ...norm(`${block}.attn_output_norm`, d),
      { name: `${block}.ffn_up.weight`, dims: [d, ff] },
      { name: `${block}.ffn_down.weight`, dims: [ff, d] },
      ...norm(`${block}.layer_output_norm`, d),
    );
  }
  return tensors;
}

/** Unlike the biases of linear layers, those of norms are required. */
function norm(name: string, size: number): BertTensor[] {
  return [{ name: `${name}.weight`, dims: [size] }, { name: `${name}.bias`, dims: [size] }];
}

/** The head of a model that ranks pairs: an inner layer with tanh, and one value out of it. It comes after `bertTensors`. */
export function bertRankingHead({ embeddingLength: d }: BertShape): BertTensor[] {
  return [
    { name: 'cls.weight', dims: [d, d] },
    { name: 'cls.bias', dims: [d] },
    { name: 'cls.output.weight', dims: [d, 1] },
    { name: 'cls.output.bias', dims: [1] },
  ];
}
