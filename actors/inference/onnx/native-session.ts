/**
 * A model in onnxruntime: token numbers in, one block of float32 out.
 *
 * - One thread of its own and no more: two sessions with one thread each are faster than one with two, and a pool of
 *   threads that spin while they wait would take the cores from the other actors.
 * - A call is synchronous in the binding, and cannot be stopped.
 * - Numbers go in as int64. They are written as two 32-bit halves, of which the upper ones stay zero: far faster than
 *   one BigInt for each token. Node runs onnxruntime on little-endian machines only.
 */
import type { InferenceSession } from 'onnxruntime-node';
import { SpillwayError } from '../../../kernel/index.ts';
import type { InputName, OnnxModelFiles } from './model-folder.ts';
import type { OnnxRuntime } from './onnx-runtime.ts';

const OPTIONS: InferenceSession.SessionOptions = {
  executionProviders: ['cpu'], intraOpNumThreads: 1, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all',
  // Fatal errors only: all others are thrown, and lines on standard error would come between those of the program.
  logSeverityLevel: 4,
};

/** One text or pair for the model. */
export interface TokenRow {
  /** With special tokens. */
  readonly ids: readonly number[];
  /** The type of each token; all 0 when left out. */
  readonly types?: readonly number[];
}

/** What the model gave: `data` is row-major with the dimensions `dims`. */
export interface NativeOutput {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

export class NativeSession {
  readonly #runtime: OnnxRuntime;
  readonly #session: InferenceSession;
  readonly #inputs: readonly InputName[];
  readonly #output: string;
  readonly #paddingId: number;
  readonly #buffers = new Map<InputName, BigInt64Array<ArrayBuffer>>();

  private constructor(runtime: OnnxRuntime, session: InferenceSession, { inputs, paddingId }: OnnxModelFiles, output: string) {
    this.#runtime = runtime;
    this.#session = session;
    this.#inputs = inputs;
    this.#paddingId = paddingId;
    this.#output = output;
  }

  /** @throws SpillwayError `backend_load_failed` with the reason of onnxruntime */
  static async open(runtime: OnnxRuntime, files: OnnxModelFiles, output: string): Promise<NativeSession> {
    try {
      return new NativeSession(runtime, await runtime.InferenceSession.create(files.modelPath, OPTIONS), files, output);
    } catch (cause) {
      throw new SpillwayError(
        'backend_load_failed',
        `model ${files.modelPath}: onnxruntime refused it (${(cause as Error).message}); choose another model, or export it again`,
        { cause, details: { path: files.modelPath } },
      );
    }
  }

  /** Computes the rows together, shorter ones padded to `width` tokens. Rejects with onnxruntime's error. */
  async run(rows: readonly TokenRow[], width: number): Promise<NativeOutput> {
    const values = rows.length * width;
    const feeds: Record<string, InstanceType<OnnxRuntime['Tensor']>> = {};
    for (const name of this.#inputs) {
      const buffer = this.#buffer(name, values);
      fill(new Int32Array(buffer.buffer, 0, 2 * values), name, rows, width, this.#paddingId);
      feeds[name] = new this.#runtime.Tensor('int64', buffer.subarray(0, values), [rows.length, width]);
    }
    const { [this.#output]: result } = await this.#session.run(feeds, [this.#output]);
    if (result?.type !== 'float32') throw new Error(`the model gave ${result?.type ?? 'nothing'} as ${this.#output}; expected float32`);
    return { data: result.data as Float32Array, dims: result.dims };
  }

  /** Frees the model. The caller makes no call that is still running then. */
  async close(): Promise<void> {
    await this.#session.release();
  }

  /** One for each input, as large as the largest call so far; calls follow each other, so each may have it anew. */
  #buffer(name: InputName, values: number): BigInt64Array<ArrayBuffer> {
    let buffer = this.#buffers.get(name);
    if (buffer === undefined || buffer.length < values) this.#buffers.set(name, buffer = new BigInt64Array(values));
    return buffer;
  }
}

function fill(halves: Int32Array, name: InputName, rows: readonly TokenRow[], width: number, paddingId: number): void {
  let at = 0;
  for (const { ids, types } of rows) {
    const length = ids.length;
    for (let i = 0; i < width; i++, at += 2) {
      const isText = i < length;
      if (name === 'input_ids') halves[at] = isText ? ids[i]! : paddingId;
      else if (name === 'attention_mask') halves[at] = isText ? 1 : 0;
      else halves[at] = isText && types !== undefined ? types[i]! : 0;
    }
  }
}
