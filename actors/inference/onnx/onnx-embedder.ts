/** Embeds texts, and spans of texts, with a loaded ONNX model. */
import assert from 'node:assert';
import {
  TEXT_BYTES_MAX_DEFAULT, type BackendCapabilities, type BackendOptions, type EmbedControl, type EmbedResult, type LoadedModel, type Pooling,
  type SpanBackend, type TextOutcome, type TextSpan, type TruncatePolicy,
} from '../backend.ts';
import { refusedUnread, truncated, untouched } from '../text-admission.ts';
import type { FusionLimits } from './batch-plan.ts';
import { FusedCalls, type PreparedRow } from './fused-calls.ts';
import type { NativeOutput, NativeSession } from './native-session.ts';
import { Pooler } from './pooling.ts';
import type { TextTokenizer } from './text-tokenizer.ts';

export interface EmbedderParts {
  readonly session: NativeSession;
  readonly tokenizer: TextTokenizer;
  readonly model: LoadedModel;
  readonly pooling: Pooling | 'sentence';
  readonly fusion: FusionLimits;
}

export class OnnxEmbedder implements SpanBackend {
  readonly id = 'onnx';
  readonly model: LoadedModel;
  readonly capabilities: BackendCapabilities;
  readonly #calls: FusedCalls;
  readonly #tokenizer: TextTokenizer;
  readonly #pooling: Pooling | 'sentence';
  readonly #pooler: Pooler;
  readonly #truncate: TruncatePolicy;
  readonly #textBytesMax: number;

  constructor({ session, tokenizer, model, pooling, fusion }: EmbedderParts, options: BackendOptions) {
    this.model = model;
    // A model that pools for itself does not show its tokens, nor does every tokenizer where they lie.
    const spans = pooling !== 'sentence' && tokenizer.encodePlaced(SPAN_PROBE) !== undefined;
    this.capabilities = { embed: true, spans, rank: false, generate: false, fusedTextsMax: fusion.textsMax, fusedTokensMax: fusion.tokensMax, overlaps: false };
    this.#calls = new FusedCalls(session, fusion, options.nowMs);
    this.#tokenizer = tokenizer;
    this.#pooling = pooling;
    this.#pooler = new Pooler(model.dimensions);
    this.#truncate = options.truncate ?? 'refuse';
    this.#textBytesMax = options.textBytesMax ?? TEXT_BYTES_MAX_DEFAULT;
  }

  countTokens(text: string): number {
    this.#calls.queue.assertOpen();
    const tokens = this.#tokenizer.encode(text).length;
    return tokens === 0 ? 0 : tokens + this.#frameTokens;
  }

  async embed(texts: readonly string[], control: EmbedControl): Promise<EmbedResult> {
    const { dimensions } = this.model;
    const vectors = new Float32Array(texts.length * dimensions);
    const truncate = control.truncate ?? this.#truncate;
    const outcomes = await this.#calls.serve(texts.length, control, {
      prepare: (index) => this.#prepare(index, texts[index]!, truncate),
      take: ({ index, ids }, output, position) => this.#pooler.pool(output, position, ids.length, this.#pooling, vectors.subarray(index * dimensions, (index + 1) * dimensions)),
    });
    return { vectors, dimensions, outcomes };
  }

  /** A token belongs to every span that its word touches; special tokens belong to none. */
  async embedSpans(text: string, spans: readonly TextSpan[], control: Omit<EmbedControl, 'truncate'>): Promise<EmbedResult> {
    assert(this.capabilities.spans, 'this model gives no vectors of spans, as its capabilities say');
    const { dimensions } = this.model;
    const vectors = new Float32Array(spans.length * dimensions);
    const statuses: ('ok' | 'empty' | 'not_finite')[] = [];
    let starts: readonly number[] = [];
    let ends: readonly number[] = [];
    const [whole] = await this.#calls.serve(1, control, {
      prepare: (index) => {
        const prepared = this.#prepare(index, text, 'refuse');
        if ('status' in prepared) return prepared;
        const placed = this.#tokenizer.encodePlaced(text);
        if (placed === undefined) return { status: 'failed', tokens: prepared.tokenCount, truncated: false, reason: 'the tokenizer does not show where the tokens of this text lie' };
        ({ starts, ends } = placed);
        return prepared;
      },
      take: (_, output) => {
        for (const [i, span] of spans.entries()) statuses[i] = this.#poolSpan(output, span, starts, ends, vectors.subarray(i * dimensions, (i + 1) * dimensions));
        return 'ok';
      },
    });
    const outcomes = spans.map((_, i): TextOutcome => (whole!.status === 'ok' ? { ...whole!, status: statuses[i]! } : whole!));
    return { vectors, dimensions, outcomes };
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  get #frameTokens(): number {
    const { before, after } = this.#tokenizer.frame;
    return before.length + after.length;
  }

  #prepare(index: number, text: string, truncate: TruncatePolicy): PreparedRow | TextOutcome {
    const refused = refusedUnread(text, this.#textBytesMax);
    if (refused !== undefined) return refused;
    const tokens = this.#tokenizer.encode(text);
    if (tokens.length === 0) return untouched('empty');
    const { tokensMax } = this.model;
    const tokenCount = tokens.length + this.#frameTokens;
    const kept = tokenCount <= tokensMax ? tokens : truncate === 'refuse' ? undefined : truncated(tokens, tokenCount - tokensMax, truncate);
    if (kept === undefined) return { status: 'too_long', tokens: tokenCount, truncated: false, limit: tokensMax };
    const { before, after } = this.#tokenizer.frame;
    return { index, ids: [...before, ...kept, ...after], tokenCount };
  }

  #poolSpan(output: NativeOutput, { start, end }: TextSpan, starts: readonly number[], ends: readonly number[], target: Float32Array): 'ok' | 'empty' | 'not_finite' {
    const offset = this.#tokenizer.frame.before.length;
    const positions: number[] = [];
    for (let token = 0; token < starts.length && start < end; token++) if (starts[token]! < end && ends[token]! > start) positions.push(token + offset);
    return this.#pooler.poolTokens(output, positions, target);
  }
}

/** Tokens of several words and a punctuation mark must be found again in their places. */
const SPAN_PROBE = 'Where do these words lie, and what stands between them?';
