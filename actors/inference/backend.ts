/**
 * The contract between an inference actor and the native library that runs its model.
 *
 * An actor owns one backend, and a backend belongs to one thread. The unit of dispatch is a batch
 * of texts; what becomes of each text is reported for that text, so a bad one never fails its
 * neighbours. What a backend can do beyond embedding is told by `capabilities`, and each ability is a
 * contract of its own that extends `ModelBackend`: callers that only embed do not change when a backend
 * learns more.
 */

/** The model that a backend runs. Vectors of different `sha256` must never be compared. */
export interface LoadedModel {
  /** The name that the model's files give it, or the file's name. */
  readonly name: string;
  /** Hash of the model's files, hexadecimal. */
  readonly sha256: string;
  /** Values in each vector; 0 for a model that gives none. */
  readonly dimensions: number;
  /** The most tokens that a text may have, special tokens included. */
  readonly tokensMax: number;
}

/** What a backend can do, measured or known, for the scheduler in front of it. Plain data: it travels. */
export interface BackendCapabilities {
  readonly embed: boolean;
  /** Whether it gives vectors of spans of a longer text (late chunking), see `SpanBackend`. */
  readonly spans: boolean;
  readonly rank: boolean;
  readonly generate: boolean;
  /** The most texts that are worth computing together in one native call; 1 means texts run one after another. */
  readonly fusedTextsMax: number;
  /** The most tokens, padding included, that are worth computing together in one native call. */
  readonly fusedTokensMax: number;
  /** Whether an urgent text is computed beside one that has begun, and so need not wait for its end. */
  readonly overlaps: boolean;
}

/** What every backend has in common, whatever its model is for. */
export interface ModelBackend {
  /** The provider's id: `llama`, `onnx`. */
  readonly id: string;
  readonly model: LoadedModel;
  readonly capabilities: BackendCapabilities;

  /** Tokens of `text` as the model will see them, special tokens included; 0 for a text without content. */
  countTokens(text: string): number;

  /**
   * Waits for calls in flight, then frees the model. Further calls are programmer errors; closing
   * twice is not. The thread may be left only after this has resolved: a thread that ends during
   * a native call takes the process with it.
   */
  close(): Promise<void>;
}

/**
 * What became of one text:
 * - `ok`: its row holds its vector.
 * - `empty`: it has no tokens (blank, control characters), or its vector has length zero.
 * - `too_long`: it has more tokens than `limit` (as `tokens` says).
 * - `too_many_bytes`: it was refused before tokenizing; `limit` is in bytes.
 * - `not_unicode`: it has a lone surrogate, so it is no text; whatever stood there is lost already.
 * - `cancelled`, `deadline`: it was not begun in time. Its neighbours may be done.
 * - `not_finite`: the model gave NaN or an infinity.
 * - `failed`: the native library refused it; `reason` is its message.
 */
export const TEXT_STATUSES = ['ok', 'empty', 'too_long', 'too_many_bytes', 'not_unicode', 'cancelled', 'deadline', 'not_finite', 'failed'] as const;
export type TextStatus = (typeof TEXT_STATUSES)[number];

export interface TextOutcome {
  readonly status: TextStatus;
  /** Tokens of the whole text, special tokens included; 0 when it was not tokenized. */
  readonly tokens: number;
  /** Whether the vector stands for a part of the text only. */
  readonly truncated: boolean;
  /** The limit that was exceeded, for `too_long` (tokens) and `too_many_bytes`. */
  readonly limit?: number;
  readonly reason?: string;
}

/** One block of vectors for a batch. */
export interface EmbedResult {
  /** `outcomes.length` rows of `dimensions` values, each of length 1; rows that are not `ok` are zero. The memory is the caller's to keep or transfer. */
  readonly vectors: Float32Array<ArrayBuffer>;
  readonly dimensions: number;
  readonly outcomes: readonly TextOutcome[];
}

/** How a caller steers a batch. `cancelled` and the deadline are asked before every text. */
export interface EmbedControl {
  /** Whether the text at `index` is no longer wanted. */
  cancelled(index: number): boolean;
  /** When texts that have not begun are given up, on the backend's clock (`nowMs` of its options); `Infinity` for never. */
  readonly deadlineMs: number;
  /**
   * Whether its texts go before all others that have not begun, also before those of batches that have.
   * It then waits for one running text at the most. Default false.
   */
  readonly urgent?: boolean;
  /** In place of the backend's own `truncate`. */
  readonly truncate?: TruncatePolicy;
}

/** A backend whose model turns texts into vectors. */
export interface EmbeddingBackend extends ModelBackend {
  /**
   * Embeds `texts` in an order of its own; row `i` belongs to `texts[i]`. Calls may overlap and
   * are served one after another, urgent ones first. Rejects only when the backend itself is broken.
   */
  embed(texts: readonly string[], control: EmbedControl): Promise<EmbedResult>;
}

/** A part of a text, in UTF-16 units, `end` exclusive. */
export interface TextSpan {
  readonly start: number;
  readonly end: number;
}

/** A backend that shows the vectors of tokens, so that the spans of one text can share its context. */
export interface SpanBackend extends EmbeddingBackend {
  /**
   * Late chunking (Günther et al. 2024, arXiv:2409.04701): the whole text goes through the model once, and each
   * span's vector is the mean of its tokens' vectors. One row and one outcome for each span; a span without tokens is
   * `empty`. A text that the model does not take whole is refused, whatever `truncate` says: its later spans would have nothing.
   */
  embedSpans(text: string, spans: readonly TextSpan[], control: Omit<EmbedControl, 'truncate'>): Promise<EmbedResult>;
}

/** One score for each document, higher is more relevant. */
export interface RankResult {
  /** Probabilities from 0 to 1, as the model's head gives them; 0 for documents whose outcome is not `ok`. */
  readonly scores: Float32Array<ArrayBuffer>;
  readonly outcomes: readonly TextOutcome[];
}

/** A backend whose model reads a query and a document together and says how well they match (a cross-encoder). */
export interface RankingBackend extends ModelBackend {
  /** Ranks `documents` for `query`, in the same order. An outcome's `tokens` are those of the pair. */
  rank(query: string, documents: readonly string[], control: EmbedControl): Promise<RankResult>;
}

/** What becomes of a text with more tokens than the model takes: refused, or cut at this side. */
export const TRUNCATE_POLICIES = ['refuse', 'left', 'right'] as const;
export type TruncatePolicy = (typeof TRUNCATE_POLICIES)[number];

export const POOLINGS = ['mean', 'cls', 'last'] as const;
/** How the vectors of a text's tokens become one. */
export type Pooling = (typeof POOLINGS)[number];

export interface BackendOptions {
  /** `refuse` (default) answers `too_long`; `right` keeps the beginning, `left` the end, and both say so in the outcome. */
  readonly truncate?: TruncatePolicy;
  /** In place of what the model's files say. A backend that cannot answers `pooling_unsupported`. */
  readonly pooling?: Pooling;
  /**
   * Whether several texts may share a native call, where the backend can. Default true, for those texts whose vectors that
   * leaves as they are; without, they are the same to the last digit.
   */
  readonly fuse?: boolean;
  /** Texts of more UTF-8 bytes are refused before tokenizing, which is synchronous. Default 262,144. */
  readonly textBytesMax?: number;
  /** Tokens a text may have even if the model takes more, for memory grows with it. Default 2,048. */
  readonly tokensMax?: number;
  /** The files' hash when the caller knows it, which saves reading them once. */
  readonly sha256?: string;
  /**
   * Receives the native library's error lines while the model loads. Off by default, because the
   * library may print lines to standard output instead once several threads have loaded models.
   */
  readonly log?: (line: string) => void;
  /** The clock of deadlines, in milliseconds. Default: the machine's monotonic clock, which all threads share. */
  readonly nowMs?: () => number;
}

export const TEXT_BYTES_MAX_DEFAULT = 256 * 1024;
export const TOKENS_MAX_DEFAULT = 2_048;

/** Loads models for one kind of backend; which provider a model needs, its files say (model-choice.ts). */
export interface BackendProvider {
  readonly id: string;
  /** Loads the model at `modelPath`, tries it on one text, and resolves when it is ready. */
  load(modelPath: string, options?: BackendOptions): Promise<EmbeddingBackend>;
  /** The same for a model that ranks. Absent where the provider has none. */
  loadRanking?(modelPath: string, options?: BackendOptions): Promise<RankingBackend>;
}
