/**
 * The application's own way to embed: supervised inference actors behind one call, which never blocks
 * the thread it is called on.
 */
import { availableParallelism } from 'node:os';
import { SpillwayError } from '../../kernel/index.ts';
import type { System } from '../../supervisors/index.ts';
import type { InferenceArgs } from './actor.ts';
import { BATCH_UNITS_MAX, EmbedderPool, TEXT_UNITS_MAX, batchTextsMax } from './embedder-pool.ts';
import { inferenceProtocol } from './messages.ts';
import { inferenceSpec } from './spec.ts';

export interface EmbedderOptions {
  /** A GGUF path or an `hf:` URI. Default: the built-in lexical model. */
  readonly model?: string;
  /** Threads, each with a model of its own. Default: cores - 1, at least 1. */
  readonly actors?: number;
  /** What becomes of a text longer than the model takes. Default: refuse. */
  readonly truncate?: 'refuse' | 'right';
  /** Where the built-in and downloaded models are kept. Default: the user's cache folder. */
  readonly cacheDir?: string;
  /** Prefix of the actors' names, if a system has several embedders. Default: embedder. */
  readonly name?: string;
}

/** Texts on their way in one call, in batches for each actor: one in its hands, one in its lane. */
const BATCHES_PER_ACTOR = 2;

export class Embedder {
  readonly model: { readonly name: string; readonly sha256: string; readonly dimensions: number; readonly tokensMax: number };
  readonly #system: System;
  readonly #ids: readonly string[];
  readonly #pool: EmbedderPool;
  #closing: Promise<void> | undefined;

  /** Use `createEmbedder`. */
  constructor(system: System, ids: readonly string[], pool: EmbedderPool, model: Embedder['model']) {
    this.#system = system;
    this.#ids = ids;
    this.#pool = pool;
    this.model = model;
  }

  /**
   * One unit-length row of `model.dimensions` values for each text, in order.
   * @throws SpillwayError `text_refused` naming the first text that cannot be embedded and why
   *   (`details: { index, status }`), `ask_cancelled`, `actor_stopped` once it is closed, or what the
   *   last attempt on a batch ended with
   */
  async embed(texts: readonly string[], options: { readonly signal?: AbortSignal } = {}): Promise<Float32Array[]> {
    const rows: Float32Array[] = Array.from({ length: texts.length });
    const batches = this.#batches(texts);
    const worker = async (): Promise<void> => {
      for (const [start, end] of batches) {
        this.#assertOpen();
        const batch = texts.slice(start, end);
        const { vectors, dimensions, outcomes } = await this.#pool.embed(batch, options.signal);
        outcomes.forEach(({ status, tokens, limit, reason }, index) => {
          if (status !== 'ok') throw refusal(start + index, status, tokens, limit, reason);
          rows[start + index] = vectors.subarray(index * dimensions, (index + 1) * dimensions);
        });
      }
    };
    await Promise.all(Array.from({ length: this.#pool.size * BATCHES_PER_ACTOR }, worker));
    return rows;
  }

  /**
   * Stops the embedder's actors; the system goes on. What they have in their lanes is finished, and calls
   * that have more to send reject.
   */
  close(): Promise<void> {
    this.#closing ??= this.#stopActors();
    return this.#closing;
  }

  async #stopActors(): Promise<void> {
    for (const id of this.#ids.toReversed()) await this.#system.terminate(id);
  }

  #assertOpen(): void {
    if (this.#system.closing) throw new SpillwayError('system_closed', 'The system is closing or closed.');
    if (this.#closing !== undefined) throw new SpillwayError('actor_stopped', 'The embedder is closed or closing; make another one with createEmbedder.');
  }

  /**
   * Ranges of texts that fit one message; shared by the workers, each of whom takes the next. Towards the
   * end they get smaller, so that no actor is left with a full batch while the others have nothing.
   */
  *#batches(texts: readonly string[]): Generator<[start: number, end: number]> {
    const most = batchTextsMax(this.model.dimensions);
    const shares = this.#pool.size * BATCHES_PER_ACTOR;
    let start = 0;
    while (start < texts.length) {
      const textsMax = Math.min(most, Math.ceil((texts.length - start) / shares));
      let end = start;
      for (let units = 0; end < texts.length && end - start < textsMax; end++) {
        const { length } = texts[end]!;
        if (length > TEXT_UNITS_MAX) throw refusal(end, 'too_many_bytes', 0, TEXT_UNITS_MAX);
        units += length;
        if (units > BATCH_UNITS_MAX && end > start) break;
      }
      yield [start, end];
      start = end;
    }
  }
}

/** Spawns the inference actors and waits until they have loaded the model. */
export async function createEmbedder(system: System, options: EmbedderOptions = {}): Promise<Embedder> {
  const { name = 'embedder', actors = Math.max(1, availableParallelism() - 1) } = options;
  if (!Number.isInteger(actors) || actors < 1) throw new RangeError(`actors must be a whole number above zero; got ${actors}.`);
  const args: InferenceArgs = {
    model: {
      ...(options.model === undefined ? {} : { source: options.model }),
      ...(options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir }),
    },
    load: 'start',
    ...(options.truncate === undefined ? {} : { truncate: options.truncate }),
  };
  const ids = Array.from({ length: actors }, (_, index) => `${name}-${index}`);
  // One after the other: the first may have to download or synthesize what the others then find.
  const refs = [];
  for (const id of ids) refs.push(await system.spawn(inferenceSpec(id, args), inferenceProtocol));
  const model = await refs[0]!.ask('load', {}, { deadlineMs: 10_000 });
  return new Embedder(system, ids, new EmbedderPool(refs), model);
}

function refusal(index: number, status: string, tokens: number, limit: number | undefined, reason?: string): SpillwayError {
  const why: Record<string, string> = {
    empty: 'it is empty or blank; give text to embed',
    too_long: `it has ${tokens} tokens and the model takes ${limit}; split it, or ask for truncate: 'right'`,
    too_many_bytes: `it is longer than ${limit}; split it`,
  };
  return new SpillwayError('text_refused', `Text ${index} was not embedded: ${why[status] ?? reason ?? status}.`, {
    details: { index, status },
  });
}
