/**
 * The application's own way to embed: a model, or several that give equal vectors, behind one call that never blocks
 * the thread it is made on.
 *
 * Texts go to the scheduler of a loaded model in pieces, so that a call of any size holds a bounded number of them
 * there, and its results come back in the order of its texts.
 */
import { SpillwayError, systemClock } from '../../kernel/index.ts';
import type { TextSpan } from './backend.ts';
import { DEADLINE_MS_DEFAULT, checkOptions, refusalReason, type EmbedOptions, type Embedded } from './embed-options.ts';
import type { BreakerSpec } from './hosting/circuit-breaker.ts';
import type { LoadedModel, ModelInfo } from './hosting/loaded-model.ts';
import type { ModelSource } from './hosting/model-source.ts';
import type { ModelSlot, SwapReport } from './hosting/model-slot.ts';
import { ProviderSession, providersOf, type Provider, type Verdict } from './hosting/provider-session.ts';
import { orderedWindow } from './ordered-window.ts';
import { unembedded, type EmbedRequest, type EmbeddedText } from './scheduling/embed-request.ts';
import { checkDimensions, formed, type OutputFormat, type VectorOf } from './vector-format.ts';

/** What is put before a text, as the model was trained for. */
export interface Prompts {
  readonly query?: string;
  readonly document?: string;
}

export interface EmbedderDefaults {
  readonly prompts?: Prompts;
  /** When a provider that fails is left alone, if there is another one. */
  readonly breaker?: BreakerSpec;
}

/** Texts in one piece of a call. */
const PIECE_TEXTS = 32;
/** What one call may have in a scheduler's hands: enough to keep a few actors busy, few enough to be cancelled soon. */
const WINDOW_TEXTS = 512;
const WINDOW_UNITS = 4 * 1024 * 1024;
/** Texts in one array; their vectors have to fit into memory at once. */
const ARRAY_TEXTS_MAX = 131_072;
const SPANS_MAX = 4_096;
/** Pauses before a part of a call asks for room again, where it is not told how long. */
const RETRY_MS = 20;
const RETRY_MS_MAX = 1_000;

type Slot = ModelSlot<ModelSource>;

export class Embedder {
  readonly #slots: readonly Slot[];
  readonly #providers: readonly Provider[];
  readonly #prompts: Prompts;
  readonly #close: () => Promise<void>;
  #closing: Promise<void> | undefined;

  /** Use `createEmbedder`, or `embedder` of a model host. */
  constructor(slots: readonly Slot[], { prompts = {}, breaker }: EmbedderDefaults, close: () => Promise<void>) {
    this.#slots = slots;
    this.#providers = providersOf(slots, breaker);
    this.#prompts = prompts;
    this.#close = close;
  }

  /** The model that serves at present. @throws SpillwayError `model_unloaded` while none is loaded */
  get model(): ModelInfo {
    const info = this.#slots[0]!.current?.info;
    if (info === undefined) throw new SpillwayError('model_unloaded', 'No model is loaded at present; the next call loads it.');
    return info;
  }

  /** What the scheduler of the present model has counted; undefined while none is loaded. */
  get stats(): LoadedModel['scheduler']['stats'] | undefined {
    return this.#slots[0]!.current?.scheduler.stats;
  }

  /**
   * One vector for each text, in order. Float32 vectors have length 1. Equal texts may share one; treat it as read-only.
   *
   * With an array, all or nothing; with any other iterable, a stream that reads its source only as far as its own
   * reader takes results, and tells of each text what became of it.
   * @throws SpillwayError `text_refused` naming the first text of an array that has no vector, and why
   *   (`details: { index, status }`), `embed_options_invalid`, `dimensions_invalid`, `too_many_texts`, `embed_overloaded`
   *   (`details.retryAfterMs`), `ask_cancelled`, `ask_deadline` if its model was not loaded in time, `actor_stopped` once it
   *   is closed, or what the last provider failed with
   */
  embed<Output extends OutputFormat = 'float32'>(texts: readonly string[], options?: EmbedOptions<Output>): Promise<VectorOf[Output][]>;
  embed<Output extends OutputFormat = 'float32'>(texts: Iterable<string> | AsyncIterable<string>, options?: EmbedOptions<Output>): AsyncGenerator<Embedded<Output>, void, undefined>;
  embed<Output extends OutputFormat = 'float32'>(
    texts: Iterable<string> | AsyncIterable<string>,
    options: EmbedOptions<Output> = {},
  ): Promise<VectorOf[Output][]> | AsyncGenerator<Embedded<Output>, void, undefined> {
    return Array.isArray(texts) ? this.#embedArray(texts, options) : this.#embedStream(texts, { priority: 'bulk', ...options });
  }

  /** Of each text of an array what became of it, in order: a text without a vector does not fail its neighbours. @throws as `embed`, without `text_refused` */
  async embedSettled<Output extends OutputFormat = 'float32'>(texts: readonly string[], options: EmbedOptions<Output> = {}): Promise<Embedded<Output>[]> {
    checkArray(texts);
    const all: Embedded<Output>[] = [];
    for await (const piece of this.#pieces(texts, options)) all.push(...piece);
    return all;
  }

  /**
   * Vectors of the parts of one text, each in the light of the whole (late chunking). For models of backends that
   * show the vectors of tokens (`model.spans`).
   * @param spans in UTF-16 units, `end` exclusive
   * @throws SpillwayError `spans_invalid`, `model_unsupported`, and as `embed`
   */
  async embedSpans<Output extends OutputFormat = 'float32'>(
    text: string,
    spans: readonly TextSpan[],
    options: Pick<EmbedOptions<Output>, 'deadlineMs' | 'signal' | 'dimensions' | 'output'> = {},
  ): Promise<Embedded<Output>[]> {
    checkOptions(options, this.#prompts);
    checkSpans(text, spans);
    const { deadlineMs = DEADLINE_MS_DEFAULT, signal } = options;
    const session = this.#session();
    try {
      return await session.run(deadlineMs, async (model, leftMs) => {
        checkDimensions(options.dimensions, model.info.dimensions);
        const request = { text, starts: spans.map(({ start }) => start), ends: spans.map(({ end }) => end) };
        const { vectors, dimensions, outcomes } = await model.direct((ref) => ref.ask('embedSpans', request, { deadlineMs: leftMs, ...(signal === undefined ? {} : { signal }) }));
        return outcomes.map((outcome, index) => {
          const vector = vectors.subarray(index * dimensions, (index + 1) * dimensions);
          return embeddedOf({ ...outcome, vector, cached: false }, index, model, options);
        });
      }, { signal });
    } finally {
      session.close();
    }
  }

  /** Replaces the model while it is used: what has begun ends with the old one. @throws SpillwayError what loading throws; the old one goes on then */
  swap(source: Omit<ModelSource, 'purpose'>, drainMs?: number): Promise<SwapReport> {
    return this.#slots[0]!.swap(source, drainMs);
  }

  /** Back to the model before the last swap. @throws SpillwayError `model_no_former` */
  rollback(drainMs?: number): Promise<SwapReport> {
    return this.#slots[0]!.rollback(drainMs);
  }

  /** Ends its models; the system goes on. What they have in their lanes is finished, and calls that have more to send reject. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #embedArray<Output extends OutputFormat>(texts: readonly string[], options: EmbedOptions<Output>): Promise<VectorOf[Output][]> {
    checkArray(texts);
    const rows: VectorOf[Output][] = [];
    for await (const piece of this.#pieces(texts, options)) {
      for (const { index, status, vector, reason } of piece) {
        if (vector === undefined) throw refused(index, status, reason!);
        rows.push(vector);
      }
    }
    return rows;
  }

  /** Ends with its first error, and what is left of the call is cancelled then. */
  async *#pieces<Output extends OutputFormat>(texts: readonly string[], options: EmbedOptions<Output>): AsyncGenerator<Embedded<Output>[], void, undefined> {
    checkOptions(options, this.#prompts);
    const rest = new AbortController();
    const signal = options.signal === undefined ? rest.signal : AbortSignal.any([options.signal, rest.signal]);
    const session = this.#session();
    try {
      const starts = Array.from({ length: Math.ceil(texts.length / PIECE_TEXTS) }, (_, piece) => piece * PIECE_TEXTS);
      yield* orderedWindow(starts, (start) => this.#embedPiece(session, texts.slice(start, start + PIECE_TEXTS), start, { ...options, signal }), {
        pieces: WINDOW_TEXTS / PIECE_TEXTS,
        units: WINDOW_UNITS,
        sizeOf: (start) => texts.slice(start, start + PIECE_TEXTS).reduce((sum, text) => sum + text.length, 0),
      });
    } finally {
      rest.abort();
      session.close();
    }
  }

  async *#embedStream<Output extends OutputFormat>(texts: Iterable<string> | AsyncIterable<string>, options: EmbedOptions<Output>): AsyncGenerator<Embedded<Output>, void, undefined> {
    checkOptions(options, this.#prompts);
    const rest = new AbortController();
    const signal = options.signal === undefined ? rest.signal : AbortSignal.any([options.signal, rest.signal]);
    const session = this.#session();
    try {
      const one = async (text: string, index: number): Promise<Embedded<Output>> => (await this.#embedPiece(session, [text], index, { ...options, signal }))[0]!;
      yield* orderedWindow(texts, one, { pieces: WINDOW_TEXTS, units: WINDOW_UNITS, sizeOf: (text) => text.length });
    } finally {
      rest.abort();
      session.close();
    }
  }

  async #embedPiece<Output extends OutputFormat>(session: ProviderSession, texts: readonly string[], start: number, options: EmbedOptions<Output>): Promise<Embedded<Output>[]> {
    const { deadlineMs = DEADLINE_MS_DEFAULT, input, signal } = options;
    const prompt = input === undefined ? '' : this.#prompts[input]!;
    // The prompt is part of the text from here on, so it is also part of what a cache knows it by.
    const prompted = prompt === '' ? texts : texts.map((text) => (text.trim() === '' ? text : prompt + text));
    const request = { ...options, texts: prompted, ...(signal === undefined ? {} : { signal }) };
    return session.run(
      deadlineMs,
      async (model, leftMs) => {
        checkDimensions(options.dimensions, model.info.dimensions);
        // Only the beginning of a call is refused when there is too much; what has begun waits for room.
        const embedded = start === 0 ? await model.scheduler.embed({ ...request, deadlineMs: leftMs }) : await embedWithRoom(model, request, leftMs);
        return embedded.map((text, index) => embeddedOf(text, start + index, model, options));
      },
      { signal, verdictOf: (embedded) => verdict(embedded, signal) },
    );
  }

  #session(): ProviderSession {
    if (this.#closing !== undefined) throw new SpillwayError('actor_stopped', 'The embedder is closed or closing; make another one with createEmbedder.');
    return new ProviderSession(this.#providers);
  }
}

/** Waits for room as often as others are faster. What is cancelled meanwhile, and what comes too late, its results say. */
async function embedWithRoom({ scheduler }: LoadedModel, request: EmbedRequest, deadlineMs: number): Promise<EmbeddedText[]> {
  const { texts, priority, key, signal } = request;
  const endMs = systemClock.monotonicMs() + deadlineMs;
  const wanted = { texts: texts.length, ...(priority === undefined ? {} : { priority }), ...(key === undefined ? {} : { key }), ...(signal === undefined ? {} : { signal }) };
  for (let leftMs = deadlineMs; leftMs > 0; leftMs = endMs - systemClock.monotonicMs()) {
    try {
      await scheduler.whenRoom({ ...wanted, deadlineMs: leftMs });
      return await scheduler.embed({ ...request, deadlineMs: Math.max(1, endMs - systemClock.monotonicMs()) });
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      if (signal?.aborted === true) return texts.map(() => unembedded('cancelled'));
      if (error.code === 'embed_deadline') break;
      if (error.code !== 'embed_overloaded') throw error;
      const { retryAfterMs = RETRY_MS } = error.details as { retryAfterMs?: number };
      await new Promise((resolve) => setTimeout(resolve, Math.min(retryAfterMs, RETRY_MS_MAX, leftMs)));
    }
  }
  return texts.map(() => unembedded('deadline'));
}

/** What no provider can embed, and what its caller gave up, is not this one's failure. */
function verdict(embedded: readonly { readonly status: string }[], signal: AbortSignal | undefined): Verdict {
  if (embedded.some(({ status }) => status === 'failed' || status === 'not_finite')) return 'failed';
  return signal?.aborted !== true && embedded.some(({ status }) => status === 'deadline') ? 'late' : 'served';
}

function embeddedOf<Output extends OutputFormat>(text: EmbeddedText, index: number, model: LoadedModel, { dimensions, output }: EmbedOptions<Output>): Embedded<Output> {
  const { status, tokens, truncated, cached } = text;
  const form = { output: output ?? ('float32' as Output), ...(dimensions === undefined ? {} : { dimensions }) };
  const vector = status === 'ok' ? formed(text.vector, form) : undefined;
  return { index, status, vector, tokens, truncated, model: model.info.sha256, cached, ...(status === 'ok' ? {} : { reason: refusalReason(text) }) };
}

function refused(index: number, status: string, reason: string): SpillwayError {
  if (status === 'cancelled') return new SpillwayError('ask_cancelled', `The call was cancelled; text ${index} and those behind it were not embedded.`, { details: { index, status } });
  return new SpillwayError('text_refused', `Text ${index} was not embedded: ${reason}.`, { details: { index, status } });
}

function checkArray(texts: readonly string[]): void {
  if (texts.length > ARRAY_TEXTS_MAX) {
    throw new SpillwayError('too_many_texts', `${texts.length} texts are more than the ${ARRAY_TEXTS_MAX} that one array may have; give an iterable, such as texts.values(), and take the results as they come.`, { details: { texts: texts.length, textsMax: ARRAY_TEXTS_MAX } });
  }
}

function checkSpans(text: string, spans: readonly TextSpan[]): void {
  if (spans.length > SPANS_MAX) throw new SpillwayError('spans_invalid', `${spans.length} spans are more than the ${SPANS_MAX} that one text may have.`);
  for (const [index, { start, end }] of spans.entries()) {
    if (Number.isInteger(start) && Number.isInteger(end) && start >= 0 && start < end && end <= text.length) continue;
    throw new SpillwayError('spans_invalid', `Span ${index} is from ${start} to ${end}; expected whole numbers, 0 <= start < end <= ${text.length}, the length of the text.`, { details: { index } });
  }
}
