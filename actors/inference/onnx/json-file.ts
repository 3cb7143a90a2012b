/**
 * Reads the JSON files beside a model, bounded, and asks their fields for what they should be.
 *
 * They come from strangers like the model itself: a file of gigabytes, a string where a number belongs or a number
 * out of all reason is refused by name before anything is computed with it.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { SpillwayError } from '../../../kernel/index.ts';
import { modelError } from '../gguf/parser.ts';
import { regularFile } from './onnx-file.ts';

export class JsonFile {
  readonly path: string;
  readonly #content: Readonly<Record<string, unknown>>;

  private constructor(path: string, content: Readonly<Record<string, unknown>>) {
    this.path = path;
    this.#content = content;
  }

  /** @throws SpillwayError `model_missing`, `model_unreadable`, `model_too_complex` (more bytes than `bytesMax`) or `model_malformed` */
  static read(path: string, bytesMax: number): JsonFile {
    const content = parse(path, bytesMax);
    if (typeof content !== 'object' || content === null || Array.isArray(content)) throw modelError('model_malformed', path, 'is JSON, but no object');
    return new JsonFile(path, content as Record<string, unknown>);
  }

  /** The same, or `undefined` when there is no such file. */
  static readIfThere(path: string, bytesMax: number): JsonFile | undefined {
    return ifThere(() => JsonFile.read(path, bytesMax));
  }

  get content(): Readonly<Record<string, unknown>> {
    return this.#content;
  }

  /** The first of `keys` that is there, as a whole number within bounds. */
  integer(keys: readonly string[], min: number, max: number): number | undefined {
    const key = keys.find((name) => this.#content[name] !== undefined && this.#content[name] !== null);
    if (key === undefined) return undefined;
    const value = this.#content[key];
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw modelError('model_malformed', this.path, `has ${JSON.stringify(value).slice(0, 80)} as ${key}; expected a whole number from ${min} to ${max}`);
  }
}

/** A list of objects, as `modules.json` is, or `undefined` when there is no such file. */
export function readObjects(path: string, bytesMax: number): readonly Readonly<Record<string, unknown>>[] | undefined {
  const content = ifThere(() => parse(path, bytesMax));
  if (content === undefined) return undefined;
  if (!Array.isArray(content) || content.some((entry) => typeof entry !== 'object' || entry === null)) throw modelError('model_malformed', path, 'is JSON, but no list of objects');
  return content as readonly Readonly<Record<string, unknown>>[];
}

function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'model_missing') return undefined;
    throw error;
  }
}

function parse(path: string, bytesMax: number): unknown {
  const { size } = regularFile(path, basename(path));
  if (size > bytesMax) throw modelError('model_too_complex', path, `holds ${size} bytes; at most ${bytesMax} are taken`);
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch (cause) {
    if (cause instanceof SyntaxError) throw modelError('model_malformed', path, `is no JSON (${cause.message}); download or copy it again`, cause);
    throw modelError('model_unreadable', path, `cannot be read (${(cause as Error).message})`, cause);
  }
}
