/** Embeds texts with a loaded model, one after another in the order of the queue. */
import type { Llama, Token } from 'node-llama-cpp';
import { TEXT_BYTES_MAX_DEFAULT, type BackendCapabilities, type BackendOptions, type EmbedControl, type EmbedResult, type EmbeddingBackend, type LoadedModel, type TextOutcome, type TruncatePolicy } from '../backend.ts';
import { otherEvents } from '../other-events.ts';
import { refusedUnread, truncated, untouched, unwanted } from '../text-admission.ts';
import { normalizeInto } from '../unit-vector.ts';
import type { LlamaContexts } from './llama-contexts.ts';
import { TextQueue, type Runner } from './text-queue.ts';

/** A text that is ready for its context. */
interface PreparedText {
  /** With special tokens. */
  readonly tokens: Uint32Array;
  /** Tokens of the whole text, special ones included. */
  readonly tokenCount: number;
}

/** Tokens, their count and the text's bytes are limited here, because the library limits none of them in time. */
export class LlamaEmbedder implements EmbeddingBackend {
  readonly id = 'llama';
  readonly model: LoadedModel;
  readonly capabilities: BackendCapabilities;
  readonly #llama: Llama;
  readonly #contexts: LlamaContexts;
  readonly #queue: TextQueue;
  readonly #truncate: TruncatePolicy;
  readonly #textBytesMax: number;
  readonly #nowMs: () => number;

  constructor(llama: Llama, contexts: LlamaContexts, model: LoadedModel, options: BackendOptions) {
    this.#llama = llama;
    this.#contexts = contexts;
    // A decoder's context holds a cache of keys and values for every layer; a second one is too dear.
    this.capabilities = { embed: true, spans: false, rank: false, generate: false, fusedTextsMax: 1, fusedTokensMax: 1, overlaps: contexts.isEncoder };
    this.#queue = contexts.isEncoder ? new TextQueue(() => this.#openExpress()) : new TextQueue();
    this.model = model;
    this.#truncate = options.truncate ?? 'refuse';
    this.#textBytesMax = options.textBytesMax ?? TEXT_BYTES_MAX_DEFAULT;
    this.#nowMs = options.nowMs ?? (() => Number(process.hrtime.bigint()) / 1e6);
  }

  countTokens(text: string): number {
    this.#queue.assertOpen();
    const tokens = this.#tokenize(text);
    return tokens.length === 0 ? 0 : tokens.length + this.#contexts.frame.size;
  }

  async embed(texts: readonly string[], control: EmbedControl): Promise<EmbedResult> {
    const { dimensions } = this.model;
    const vectors = new Float32Array(texts.length * dimensions);
    const outcomes: TextOutcome[] = texts.map(() => untouched('cancelled'));
    await this.#queue.serve(texts.length, control.urgent === true, (index, runner) => {
      const text = texts[index]!;
      const refused = unwanted(control, index, this.#nowMs()) ?? refusedUnread(text, this.#textBytesMax);
      const prepared = refused ?? this.#prepare(text, control.truncate ?? this.#truncate);
      if ('status' in prepared) {
        outcomes[index] = prepared;
        // A text may be refused after milliseconds of tokenizing; an urgent one shall not wait for a row of such.
        return refused === undefined ? otherEvents() : undefined;
      }
      const row = vectors.subarray(index * dimensions, (index + 1) * dimensions);
      const computed = async (): Promise<void> => { outcomes[index] = await this.#compute(prepared, row, runner); };
      return computed();
    });
    return { vectors, dimensions, outcomes };
  }

  close(): Promise<void> {
    return this.#queue.close(async () => {
      try {
        await this.#contexts.close();
      } finally {
        await this.#llama.dispose();
      }
    });
  }

  async #openExpress(): Promise<void> {
    await this.#contexts.forLength(0, 'express');
    await this.#contexts.forLength(this.model.tokensMax, 'express');
  }

  /** Special tokens written out in a text are ordinary text; the real ones are put around it. */
  #tokenize(text: string): Token[] {
    return this.#contexts.model.tokenize(text);
  }

  #prepare(text: string, truncate: TruncatePolicy): PreparedText | TextOutcome {
    const tokens = this.#tokenize(text);
    if (tokens.length === 0) return untouched('empty');
    const { frame } = this.#contexts;
    const { tokensMax } = this.model;
    const tokenCount = tokens.length + frame.size;
    if (tokenCount <= tokensMax) return { tokens: frame.around(tokens), tokenCount };
    const kept = truncate === 'refuse' ? undefined : truncated(tokens, tokenCount - tokensMax, truncate);
    if (kept === undefined) return { status: 'too_long', tokens: tokenCount, truncated: false, limit: tokensMax };
    return { tokens: frame.around(kept), tokenCount };
  }

  async #compute({ tokens, tokenCount }: PreparedText, row: Float32Array, runner: Runner): Promise<TextOutcome> {
    const context = await this.#contexts.forLength(tokens.length, runner);
    let vector: ArrayLike<number>;
    try {
      vector = await context.compute(tokens);
    } catch (error) {
      return { status: 'failed', tokens: tokenCount, truncated: false, reason: (error as Error).message };
    }
    const status = normalizeInto(vector, row);
    return { status, tokens: tokenCount, truncated: status === 'ok' && tokens.length < tokenCount };
  }
}
