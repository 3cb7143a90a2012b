/**
 * One session of onnxruntime-node with its tokenizer, as a careful caller writes it: texts of like length share a
 * batch, shorter ones are padded and masked, token vectors are averaged and the mean is normalized.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { BenchModel } from '../task.ts';

const FILES: Readonly<Record<string, string>> = { fp32: 'onnx/model.onnx', int8: 'onnx/model_quantized.onnx' };

export class OnnxSession {
  readonly #session: InferenceSession;
  readonly #tokenizer: Tokenizer;

  private constructor(session: InferenceSession, tokenizer: Tokenizer) {
    this.#session = session;
    this.#tokenizer = tokenizer;
  }

  static async open({ path, type }: BenchModel, threads: number): Promise<OnnxSession> {
    const session = await InferenceSession.create(join(path, FILES[type]!), { intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential' });
    const read = (name: string): object => JSON.parse(readFileSync(join(path, name), 'utf8')) as object;
    return new OnnxSession(session, new Tokenizer(read('tokenizer.json'), read('tokenizer_config.json')));
  }

  async embed(texts: readonly string[], perCall: number): Promise<Float32Array[]> {
    const rows: Float32Array[] = [];
    const tokenized = texts.map((text, index) => ({ index, ids: this.#tokenizer.encode(text).ids }));
    tokenized.sort((a, b) => a.ids.length - b.ids.length);
    for (let start = 0; start < tokenized.length; start += perCall) {
      const batch = tokenized.slice(start, start + perCall);
      const vectors = await this.#embedBatch(batch.map(({ ids }) => ids));
      for (const [row, { index }] of batch.entries()) rows[index] = vectors[row]!;
    }
    return rows;
  }

  async #embedBatch(batch: readonly (readonly number[])[]): Promise<Float32Array[]> {
    const length = Math.max(...batch.map((ids) => ids.length));
    const shape = [batch.length, length];
    const ids = new BigInt64Array(batch.length * length);
    const mask = new BigInt64Array(ids.length);
    batch.forEach((tokens, row) => tokens.forEach((token, column) => {
      ids[row * length + column] = BigInt(token);
      mask[row * length + column] = 1n;
    }));
    const feeds: Record<string, Tensor> = {
      input_ids: new Tensor('int64', ids, shape),
      attention_mask: new Tensor('int64', mask, shape),
      token_type_ids: new Tensor('int64', new BigInt64Array(ids.length), shape),
    };
    const wanted = Object.fromEntries(this.#session.inputNames.map((name) => [name, feeds[name]!]));
    const { data, dims } = Object.values(await this.#session.run(wanted))[0]!;
    return batch.map((tokens, row) => meanOf(data as Float32Array, row * length, tokens.length, dims.at(-1)!));
  }

  dispose(): Promise<void> {
    return this.#session.release();
  }
}

/** The mean of `count` token vectors from `first` on, of length 1. */
function meanOf(values: Float32Array, first: number, count: number, dimensions: number): Float32Array {
  const mean = new Float32Array(dimensions);
  for (let token = first; token < first + count; token++) {
    const start = token * dimensions;
    for (let i = 0; i < dimensions; i++) mean[i]! += values[start + i]!;
  }
  let squares = 0;
  for (let i = 0; i < dimensions; i++) squares += mean[i]! ** 2;
  const scale = 1 / Math.sqrt(squares);
  for (let i = 0; i < dimensions; i++) mean[i]! *= scale;
  return mean;
}
