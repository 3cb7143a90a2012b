/**
 * Ranks documents for a query with a cross-encoder, one pair after another in the order of the queue.
 *
 * The pair goes through the library's ranking context as it stands, which knows how each kind of model
 * wants it put together. Texts are tokenized and, if the pair is too long, documents cut before: the
 * library would otherwise score a document by the best of its pieces.
 */
import type { Llama, LlamaModel, LlamaRankingContext, Token } from 'node-llama-cpp';
import { TEXT_BYTES_MAX_DEFAULT, type BackendCapabilities, type BackendOptions, type EmbedControl, type LoadedModel, type RankResult, type RankingBackend, type TextOutcome, type TruncatePolicy } from '../backend.ts';
import { otherEvents } from '../other-events.ts';
import { refusedUnread, truncated, untouched, unwanted } from '../text-admission.ts';
import { TextQueue } from './text-queue.ts';

/** A document that is ready to be read with its query. */
interface PreparedPair {
  readonly query: readonly Token[];
  readonly document: readonly Token[];
  /** Tokens of the pair with the whole document. */
  readonly tokenCount: number;
  readonly isTruncated: boolean;
}

export class LlamaRanker implements RankingBackend {
  readonly id = 'llama';
  readonly model: LoadedModel;
  readonly capabilities: BackendCapabilities = { embed: false, spans: false, rank: true, generate: false, fusedTextsMax: 1, fusedTokensMax: 1, overlaps: false };
  readonly #llama: Llama;
  readonly #native: LlamaModel;
  readonly #context: LlamaRankingContext;
  readonly #queue = new TextQueue();
  readonly #truncate: TruncatePolicy;
  readonly #textBytesMax: number;
  readonly #nowMs: () => number;

  constructor(llama: Llama, native: LlamaModel, context: LlamaRankingContext, model: LoadedModel, options: BackendOptions) {
    this.#llama = llama;
    this.#native = native;
    this.#context = context;
    this.model = model;
    this.#truncate = options.truncate ?? 'refuse';
    this.#textBytesMax = options.textBytesMax ?? TEXT_BYTES_MAX_DEFAULT;
    this.#nowMs = options.nowMs ?? (() => Number(process.hrtime.bigint()) / 1e6);
  }

  countTokens(text: string): number {
    this.#queue.assertOpen();
    const tokens = this.#tokenize(text);
    return tokens.length === 0 ? 0 : this.#context.calculateInputLength(tokens, []);
  }

  async rank(query: string, documents: readonly string[], control: EmbedControl): Promise<RankResult> {
    const scores = new Float32Array(documents.length);
    const outcomes: TextOutcome[] = documents.map(() => untouched('cancelled'));
    let queryRead: readonly Token[] | TextOutcome | undefined;
    await this.#queue.serve(documents.length, control.urgent === true, (index) => {
      const refused = unwanted(control, index, this.#nowMs());
      const prepared = refused ?? this.#prepare((queryRead ??= this.#readQuery(query)), documents[index]!, control.truncate ?? this.#truncate);
      if ('status' in prepared) {
        outcomes[index] = prepared;
        return refused === undefined ? otherEvents() : undefined;
      }
      const scored = async (): Promise<void> => {
        const { outcome, score } = await this.#score(prepared);
        outcomes[index] = outcome;
        scores[index] = score;
      };
      return scored();
    });
    return { scores, outcomes };
  }

  close(): Promise<void> {
    return this.#queue.close(async () => {
      try {
        await this.#context.dispose();
        await this.#native.dispose();
      } finally {
        await this.#llama.dispose();
      }
    });
  }

  #tokenize(text: string): Token[] {
    return this.#native.tokenize(text, false, 'trimLeadingSpace');
  }

  /** A query that cannot be read is every document's outcome. */
  #readQuery(query: string): readonly Token[] | TextOutcome {
    const refused = refusedUnread(query, this.#textBytesMax);
    if (refused !== undefined) return { ...refused, reason: 'the query' };
    const tokens = this.#tokenize(query);
    return tokens.length === 0 ? { ...untouched('empty'), reason: 'the query' } : tokens;
  }

  #prepare(query: readonly Token[] | TextOutcome, text: string, truncate: TruncatePolicy): PreparedPair | TextOutcome {
    if ('status' in query) return query;
    const refused = refusedUnread(text, this.#textBytesMax);
    if (refused !== undefined) return refused;
    const document = this.#tokenize(text);
    if (document.length === 0) return untouched('empty');
    const { tokensMax } = this.model;
    const tokenCount = this.#lengthOf(query, document);
    if (tokenCount <= tokensMax) return { query, document, tokenCount, isTruncated: false };
    const kept = truncate === 'refuse' ? undefined : truncated(document, tokenCount - tokensMax, truncate);
    if (kept === undefined) return { status: 'too_long', tokens: tokenCount, truncated: false, limit: tokensMax };
    return { query, document: kept, tokenCount, isTruncated: true };
  }

  #lengthOf(query: readonly Token[], document: readonly Token[]): number {
    return this.#context.calculateInputLength([...query], [...document]);
  }

  async #score({ query, document, tokenCount, isTruncated }: PreparedPair): Promise<{ outcome: TextOutcome; score: number }> {
    let score: number;
    try {
      score = await this.#context.rank([...query], [...document]);
    } catch (error) {
      return { outcome: { status: 'failed', tokens: tokenCount, truncated: false, reason: (error as Error).message }, score: 0 };
    }
    // The library answers with the greater of 0 and the score, so 0 is what becomes of a NaN. A sigmoid never gives it.
    if (!(score > 0)) return { outcome: { status: 'not_finite', tokens: tokenCount, truncated: false }, score: 0 };
    return { outcome: { status: 'ok', tokens: tokenCount, truncated: isTruncated }, score };
  }
}
