/** Says how well documents match a query, with a loaded ONNX model that reads both together. */
import { TEXT_BYTES_MAX_DEFAULT, type BackendCapabilities, type BackendOptions, type EmbedControl, type LoadedModel, type RankResult, type RankingBackend, type TextOutcome, type TruncatePolicy } from '../backend.ts';
import { refusedUnread, truncated, untouched } from '../text-admission.ts';
import type { FusionLimits } from './batch-plan.ts';
import { FusedCalls, type PreparedRow } from './fused-calls.ts';
import type { NativeSession } from './native-session.ts';
import type { TextTokenizer, TokenFrame } from './text-tokenizer.ts';

export interface RankerParts {
  readonly session: NativeSession;
  readonly tokenizer: TextTokenizer;
  readonly model: LoadedModel;
  readonly fusion: FusionLimits;
}

export class OnnxRanker implements RankingBackend {
  readonly id = 'onnx';
  readonly model: LoadedModel;
  readonly capabilities: BackendCapabilities;
  readonly #calls: FusedCalls;
  readonly #tokenizer: TextTokenizer;
  readonly #frame: TokenFrame;
  readonly #truncate: TruncatePolicy;
  readonly #textBytesMax: number;

  constructor({ session, tokenizer, model, fusion }: RankerParts, options: BackendOptions) {
    this.model = model;
    this.capabilities = { embed: false, spans: false, rank: true, generate: false, fusedTextsMax: fusion.textsMax, fusedTokensMax: fusion.tokensMax, overlaps: false };
    this.#calls = new FusedCalls(session, fusion, options.nowMs);
    this.#tokenizer = tokenizer;
    this.#frame = tokenizer.pairFrame();
    this.#truncate = options.truncate ?? 'refuse';
    this.#textBytesMax = options.textBytesMax ?? TEXT_BYTES_MAX_DEFAULT;
  }

  countTokens(text: string): number {
    this.#calls.queue.assertOpen();
    const tokens = this.#tokenizer.encode(text).length;
    return tokens === 0 ? 0 : tokens + this.#tokenizer.frame.before.length + this.#tokenizer.frame.after.length;
  }

  async rank(query: string, documents: readonly string[], control: EmbedControl): Promise<RankResult> {
    const scores = new Float32Array(documents.length);
    const truncate = control.truncate ?? this.#truncate;
    let asked: TextOutcome | readonly number[] | undefined;
    const outcomes = await this.#calls.serve(documents.length, control, {
      prepare: (index) => {
        asked ??= this.#tokens(query);
        return 'status' in asked ? asked : this.#prepare(index, asked, documents[index]!, truncate);
      },
      take: ({ index }, { data }, position) => {
        const logit = data[position]!;
        if (!Number.isFinite(logit)) return 'not_finite';
        scores[index] = 1 / (1 + Math.exp(-logit));
        return 'ok';
      },
    });
    return { scores, outcomes };
  }

  close(): Promise<void> {
    return this.#calls.close();
  }

  #tokens(text: string): TextOutcome | readonly number[] {
    const refused = refusedUnread(text, this.#textBytesMax);
    if (refused !== undefined) return refused;
    const tokens = this.#tokenizer.encode(text);
    return tokens.length === 0 ? untouched('empty') : tokens;
  }

  /** Of a pair that is too long the document is cut, for without its query it would be no pair. */
  #prepare(index: number, query: readonly number[], document: string, truncate: TruncatePolicy): PreparedRow | TextOutcome {
    const tokens = this.#tokens(document);
    if ('status' in tokens) return tokens;
    const { before, between, after, types } = this.#frame;
    const { tokensMax } = this.model;
    const tokenCount = before.length + query.length + between.length + tokens.length + after.length;
    const kept = tokenCount <= tokensMax ? tokens : truncate === 'refuse' ? undefined : truncated(tokens, tokenCount - tokensMax, truncate);
    if (kept === undefined) return { status: 'too_long', tokens: tokenCount, truncated: false, limit: tokensMax };
    const parts = [before, query, between, kept, after];
    return { index, ids: parts.flat(), types: parts.flatMap((part, i) => part.map(() => types[i]!)), tokenCount };
  }
}
