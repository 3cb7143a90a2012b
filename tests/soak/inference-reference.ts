/**
 * The vectors that a model has to give, from the library itself, one text at a time, computed once beforehand; and
 * whether a vector that came, in whatever form, is that one.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { formed, type OutputFormat, type VectorOf } from '../../actors/inference/vector-format.ts';

export interface ReferenceTask {
  readonly models: readonly { readonly path: string; readonly vectorsPath: string }[];
  readonly texts: readonly string[];
}

/** One vector as it came. */
export interface Came<Output extends OutputFormat = OutputFormat> {
  readonly text: string;
  readonly vector: VectorOf[Output];
  readonly output: Output;
  /** As it was asked for; all of the model's if it was not. */
  readonly dimensions: number | undefined;
}

/** The cosine of two unit vectors that are equal but for rounding, and their distance. */
const COSINE_MIN = 0.9999;
const DISTANCE_MAX = Math.sqrt(2 - 2 * COSINE_MIN);
/** Below this distance two vectors could be taken for each other. */
const APART_MIN = 5 * DISTANCE_MAX;
const INT8_STEPS = 127;
const CHILD_MS = 600_000;

export class Reference {
  /** Vectors compared with those that they had to be. */
  compared = 0;
  /** By the model's hash, then by text. */
  readonly #vectors: ReadonlyMap<string, ReadonlyMap<string, Float32Array>>;

  private constructor(vectors: ReadonlyMap<string, ReadonlyMap<string, Float32Array>>) {
    this.#vectors = vectors;
  }

  /** @param folder where it may write @throws Error if two vectors are too alike to be told apart */
  static async compute(paths: readonly string[], texts: readonly string[], folder: string): Promise<Reference> {
    const models = paths.map((path, index) => ({ path, vectorsPath: join(folder, `vectors-${index}`) }));
    const task: ReferenceTask = { models, texts };
    const taskPath = join(folder, 'reference.json');
    await writeFile(taskPath, JSON.stringify(task));
    const child = fileURLToPath(new URL('./inference-reference-child.ts', import.meta.url));
    await promisify(execFile)(process.execPath, ['--conditions=spillway-src', child, taskPath], { timeout: CHILD_MS, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 });
    const vectors = await Promise.all(
      models.map(async ({ path, vectorsPath }) => {
        const [model, bytes] = await Promise.all([readFile(path), readFile(vectorsPath)]);
        const rows = new Float32Array(Uint8Array.from(bytes).buffer);
        const dimensions = rows.length / texts.length;
        return [createHash('sha256').update(model).digest('hex'), new Map(texts.map((text, index) => [text, rows.subarray(index * dimensions, (index + 1) * dimensions)]))] as const;
      }),
    );
    assertApart(vectors.map(([, rows]) => rows), texts);
    return new Reference(new Map(vectors));
  }

  /** Hashes of the models, in the order in which they were given. */
  get models(): string[] {
    return [...this.#vectors.keys()];
  }

  /** Values in a vector of the model. */
  dimensionsOf(sha256: string): number {
    return this.#rowsOf(sha256).values().next().value!.length;
  }

  /** What is wrong with a vector that is said to be this model's, or undefined. */
  complaint(sha256: string, came: Came): string | undefined {
    this.compared++;
    if (!this.#vectors.has(sha256)) return `a vector is of the model ${sha256}, which there is not`;
    const difference = this.#difference(sha256, came);
    if (difference === undefined) return undefined;
    const other = this.models.find((model) => this.#difference(model, came) === undefined);
    return `a vector (${came.output}, ${came.dimensions ?? 'all'} dimensions) of a text of ${came.text.length} characters is not that of its model ${short(sha256)}${other === undefined ? '' : `, but of ${short(other)}`}: ${difference}`;
  }

  /** What is wrong with the vectors of one call that does not say which model it was, or undefined. */
  complaintOfCall(came: readonly Came[]): string | undefined {
    this.compared += came.length;
    if (this.models.some((model) => came.every((one) => this.#difference(model, one) === undefined))) return undefined;
    const models = came.map((one) => this.models.filter((model) => this.#difference(model, one) === undefined).map(short).join(' or ') || 'none');
    return `the ${came.length} vectors of one call are not all of one model, but of ${[...new Set(models)].join(', ')}`;
  }

  #rowsOf(sha256: string): ReadonlyMap<string, Float32Array> {
    return this.#vectors.get(sha256)!;
  }

  #difference(sha256: string, { text, vector, output, dimensions }: Came): string | undefined {
    const whole = this.#rowsOf(sha256).get(text)!;
    const kept = whole.subarray(0, dimensions);
    if (dimensions !== undefined && dimensions > whole.length) return `it has ${dimensions} dimensions, and the model ${whole.length}`;
    const expected = formed(whole, { output: 'float32', dimensions: kept.length });
    // Of a part, both the difference and the length that it is brought to are larger in proportion.
    const distanceMax = kept.length === whole.length ? DISTANCE_MAX : (2 * DISTANCE_MAX) / Math.hypot(...kept);
    if (output === 'binary') return bitsComplaint(vector as Uint8Array, expected, distanceMax);
    if (output === 'int8') return distanceComplaint(unitOf(vector as Int8Array), expected, 2 * (distanceMax + roundingOf(expected)));
    return distanceComplaint(output === 'base64' ? floatsOf(vector as string) : (vector as Float32Array), expected, distanceMax);
  }
}

function distanceComplaint(vector: Float32Array, expected: Float32Array, distanceMax: number): string | undefined {
  if (vector.length !== expected.length) return `it has ${vector.length} values in place of ${expected.length}`;
  const distance = distanceOf(vector, expected);
  return distance <= distanceMax ? undefined : `it lies ${distance} from it, and may lie ${distanceMax}`;
}

/** A bit may differ only where the value is so small that rounding may change its sign. */
function bitsComplaint(bits: Uint8Array, expected: Float32Array, distanceMax: number): string | undefined {
  if (bits.length !== Math.ceil(expected.length / 8)) return `it has ${bits.length} bytes for ${expected.length} bits`;
  const wrong = expected.findIndex((value, index) => Math.abs(value) > distanceMax && ((bits[index >> 3]! & (0x80 >> (index & 7))) !== 0) !== value > 0);
  return wrong === -1 ? undefined : `bit ${wrong} is wrong`;
}

/** How far rounding to 8 bits may move a vector. */
function roundingOf(vector: Float32Array): number {
  const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return (largest / 2 / INT8_STEPS) * Math.sqrt(vector.length);
}

function unitOf(values: Int8Array): Float32Array {
  const length = Math.hypot(...values);
  return Float32Array.from(values, (value) => value / length);
}

function floatsOf(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);
}

function distanceOf(a: Float32Array, b: Float32Array): number {
  let squares = 0;
  for (let index = 0; index < a.length; index++) squares += (a[index]! - b[index]!) ** 2;
  return Math.sqrt(squares);
}

/** A comparison says nothing if a vector of another text, or of the same text and another model, would do as well. */
function assertApart(models: readonly ReadonlyMap<string, Float32Array>[], texts: readonly string[]): void {
  for (const [index, rows] of models.entries()) {
    for (const [at, text] of texts.entries()) {
      const vector = rows.get(text)!;
      const others = [...texts.slice(0, at).map((other) => rows.get(other)!), ...models.slice(0, index).map((other) => other.get(text)!)];
      const nearest = others.filter(({ length }) => length === vector.length).reduce((least, other) => Math.min(least, distanceOf(vector, other)), Infinity);
      if (!(nearest > APART_MIN)) throw new Error(`Vector ${at} of model ${index} lies ${nearest} from another one: the models or texts of the soak are too alike to be told apart.`);
    }
  }
}

function short(sha256: string): string {
  return sha256.slice(0, 8);
}
