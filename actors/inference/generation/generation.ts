/**
 * One text on its way, as the application sees it: an async iterable of pieces, and one outcome.
 *
 * Nothing is sent before the first piece is asked for, and then no more is generated than is taken, plus a few
 * pieces ahead. However it ends, `result` is settled once: with the reason, or with the error that the loop throws.
 */
import { SpillwayError, type ActorRef, type CancelScope } from '../../../kernel/index.ts';
import { checkRequest, type SamplingOptions } from './generation-request.ts';
import type { EndItem, FinishReason, GenerationSpec } from './messages.ts';

export interface GenerateOptions extends SamplingOptions {
  /** Milliseconds for the whole text from its first piece asked for, its waiting included; then it ends as it is. Default 600,000. */
  readonly deadlineMs?: number;
  /** Ends the text with the reason `cancelled`. */
  readonly signal?: AbortSignal;
  /** The cancel scope that the request belongs to. */
  readonly scope?: CancelScope;
  /** Pieces that may be generated ahead of the reader. Default 16. */
  readonly demand?: number;
}

/** A part of the text in whole characters. */
export interface GenerationPiece {
  readonly text: string;
  /** Tokens generated since the former piece, those of characters and stop sequences that are held back included. */
  readonly tokens: number;
}

export interface GenerationResult {
  /** All pieces together. */
  readonly text: string;
  readonly reason: FinishReason;
  /** The stop sequence before which it ended. */
  readonly stop?: string;
  readonly usage: { readonly promptTokens: number; readonly completionTokens: number };
  /** Gives the same text again. */
  readonly seed: number;
  /** From the request's arrival at the generator to its sequence. */
  readonly queuedMs: number;
  /** From its arrival to the first token; absent without one, and if it was cancelled. */
  readonly ttftMs?: number;
  /** While it was computed, behind the first token; absent where it was not measured. */
  readonly tokensPerSecond?: number;
}

/** What a generation needs of its generator. */
export interface GenerationHost {
  readonly ref: ActorRef<GenerationSpec>;
  nowMs(): number;
  randomSeed(): number;
}

const DEADLINE_MS_DEFAULT = 600_000;
/** The longest deadline: as long as a timer is worth. */
const DEADLINE_MS_MAX = 30 * 24 * 3_600_000;
/** Beyond the deadline the generator has this long to say how it ended, because a native call is not interrupted. */
const GRACE_MS = 30_000;
const DEMAND_DEFAULT = 16;
const DEMAND_MAX = 1_024;

export class Generation implements AsyncIterable<GenerationPiece, undefined> {
  /** Settled when the text has ended, which takes somebody to read it: a loop, or `complete`. */
  readonly result: Promise<GenerationResult>;
  readonly #pieces: AsyncGenerator<GenerationPiece, undefined, undefined>;
  readonly #settle: PromiseWithResolvers<GenerationResult>;
  readonly #host: GenerationHost;
  readonly #prompt: string;
  readonly #options: GenerateOptions;
  #text = '';
  #tokens = 0;
  #begun: { readonly promptTokens: number; readonly seed: number; readonly queuedMs: number } = { promptTokens: 0, seed: 0, queuedMs: 0 };

  /** Use `generate` of a generator. */
  constructor(prompt: string, options: GenerateOptions, host: GenerationHost) {
    this.#prompt = prompt;
    this.#options = options;
    this.#host = host;
    this.#settle = Promise.withResolvers();
    this.result = this.#settle.promise;
    // The loop throws the same error; whoever only reads that has heard of it.
    this.result.catch(() => {});
    this.#pieces = this.#read();
  }

  /** One reading: a second loop goes on where the first has left off, and leaving a loop early cancels the text. */
  [Symbol.asyncIterator](): AsyncGenerator<GenerationPiece, undefined, undefined> {
    return this.#pieces;
  }

  /**
   * Reads what is left and answers with the outcome.
   * @throws SpillwayError `prompt_…`, `generation_invalid`, `schema_invalid`, `generation_overloaded` with
   *   `details.retryAfterMs`, `generation_failed`, `ask_deadline`, `actor_restarted`, `actor_stopped`
   */
  async complete(): Promise<GenerationResult> {
    for await (const piece of this.#pieces) void piece;
    // Without effect unless a loop was left before it had begun, and so before the code that settles it.
    this.#settle.resolve(this.#cancelled());
    return this.result;
  }

  async *#read(): AsyncGenerator<GenerationPiece, undefined, undefined> {
    try {
      const end = yield* this.#stream();
      this.#settle.resolve(end);
    } catch (error) {
      const outcome = this.#outcomeOf(error);
      if (outcome === undefined) {
        this.#settle.reject(error);
        throw error;
      }
      this.#settle.resolve(outcome);
    } finally {
      // Without effect unless the loop was left early.
      this.#settle.resolve(this.#cancelled());
    }
    return undefined;
  }

  async *#stream(): AsyncGenerator<GenerationPiece, GenerationResult, undefined> {
    const { signal, scope } = this.#options;
    const deadlineMs = bounded('deadlineMs', this.#options.deadlineMs ?? DEADLINE_MS_DEFAULT, DEADLINE_MS_MAX);
    const demand = bounded('demand', this.#options.demand ?? DEMAND_DEFAULT, DEMAND_MAX);
    const { schema, ...request } = checkRequest(this.#prompt, this.#options, () => this.#host.randomSeed());
    this.#begun = { ...this.#begun, seed: request.seed };
    if (signal?.aborted === true) return this.#cancelled();
    const items = this.#host.ref.stream(
      'generate',
      { ...request, stop: [...request.stop], deadlineMs: this.#host.nowMs() + deadlineMs, ...(schema === undefined ? {} : { schema: JSON.stringify(schema) }) },
      { deadlineMs: deadlineMs + GRACE_MS, demand: Math.ceil(demand), ...(signal === undefined ? {} : { signal }), ...(scope === undefined ? {} : { scope }) },
    );
    for await (const item of items) {
      if (item.kind === 'begun') {
        this.#begun = item;
        continue;
      }
      this.#text += item.text;
      this.#tokens += item.tokens;
      if (item.text !== '' || item.tokens > 0) yield { text: item.text, tokens: item.tokens };
      if (item.kind === 'end') return this.#ended(item);
    }
    // A stream without an end item was cancelled by its scope.
    return this.#cancelled();
  }

  /** What an error of the kernel means for the text, or undefined for one that is its outcome. */
  #outcomeOf(error: unknown): GenerationResult | undefined {
    return error instanceof SpillwayError && error.code === 'ask_cancelled' ? this.#cancelled() : undefined;
  }

  #ended({ reason, stop, promptTokens, completionTokens, ttftMs, tokensPerSecond }: EndItem): GenerationResult {
    const { seed, queuedMs } = this.#begun;
    return {
      text: this.#text, reason, ...(stop === undefined ? {} : { stop }),
      usage: { promptTokens, completionTokens }, seed, queuedMs,
      ...(ttftMs < 0 ? {} : { ttftMs }), ...(tokensPerSecond > 0 ? { tokensPerSecond } : {}),
    };
  }

  #cancelled(): GenerationResult {
    const { promptTokens, seed, queuedMs } = this.#begun;
    return { text: this.#text, reason: 'cancelled', usage: { promptTokens, completionTokens: this.#tokens }, seed, queuedMs };
  }
}

function bounded(option: string, value: number, max: number): number {
  if (!(value > 0 && value <= max)) throw new SpillwayError('generation_invalid', `${option} is ${value}; expected a number above 0, at most ${max}.`, { details: { option } });
  return value;
}

