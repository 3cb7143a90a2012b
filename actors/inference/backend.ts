/**
 * The contract between an inference actor and the native library that runs its model.
 *
 * An actor owns one backend, and a backend belongs to one thread. The unit of dispatch is a batch
 * of texts; what becomes of each text is reported for that text, so a bad one never fails its
 * neighbours. What a backend can do beyond embedding is told by `capabilities` and will be
 * contracts of their own that extend `ModelBackend` (ranking, generation): callers that only embed
 * do not change when a backend learns more.
 */

/** The model that a backend runs. Vectors of different `sha256` must never be compared. */
export interface LoadedModel {
  /** `general.name` of the file, or the file's name. */
  readonly name: string;
  /** Hash of the model file, hexadecimal. */
  readonly sha256: string;
  /** Values in each vector. */
  readonly dimensions: number;
  /** The most tokens that a text may have, special tokens included. */
  readonly tokensMax: number;
}

/** What a backend can do, measured or known, for the scheduler in front of it. */
export interface BackendCapabilities {
  readonly embed: boolean;
  readonly rank: boolean;
  readonly generate: boolean;
  /** The most texts that are worth computing together in one native call; 1 means texts run one after another. */
  readonly fusedTextsMax: number;
  /** Whether a native call that has begun can be stopped. If not, a cancel takes effect at the next text. */
  readonly interruptible: boolean;
}

/** What every backend has in common, whatever its model is for. */
export interface ModelBackend {
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
 * - `cancelled`, `deadline`: it was not begun in time. Its neighbours may be done.
 * - `not_finite`: the model gave NaN or an infinity.
 * - `failed`: the native library refused it; `reason` is its message.
 */
export type TextStatus = 'ok' | 'empty' | 'too_long' | 'too_many_bytes' | 'cancelled' | 'deadline' | 'not_finite' | 'failed';

export interface TextOutcome {
  readonly status: TextStatus;
  /** Tokens of the whole text, special tokens included; 0 when it was not tokenized. */
  readonly tokens: number;
  /** Whether the vector stands for the beginning of the text only. */
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
  /** How many of the `ok` texts were truncated. */
  readonly truncatedCount: number;
}

/** How a caller stops a batch. Both are asked before every text. */
export interface EmbedControl {
  /** Whether the text at `index` is no longer wanted. */
  cancelled(index: number): boolean;
  /** When texts that have not begun are given up, on the backend's clock (`nowMs` of its options); `Infinity` for never. */
  readonly deadlineMs: number;
}

/** A backend whose model turns texts into vectors. */
export interface EmbeddingBackend extends ModelBackend {
  /**
   * Embeds `texts` in an order of its own; row `i` belongs to `texts[i]`. Calls may overlap and
   * are served one after another. Rejects only when the backend itself is broken.
   */
  embed(texts: readonly string[], control: EmbedControl): Promise<EmbedResult>;
}

/** What becomes of a text with more tokens than the model takes. */
export type TruncatePolicy = 'refuse' | 'right';

export interface BackendOptions {
  /** `refuse` (default) answers `too_long`; `right` keeps the beginning and says so in the outcome. */
  readonly truncate?: TruncatePolicy;
  /** Texts of more UTF-8 bytes are refused before tokenizing, which is synchronous. Default 262,144. */
  readonly textBytesMax?: number;
  /** Tokens a text may have even if the model takes more, for memory grows with it. Default 2,048. */
  readonly tokensMax?: number;
  /** The file's hash when the caller knows it, which saves reading the file once. */
  readonly sha256?: string;
  /**
   * Receives the native library's error lines while the model loads. Off by default, because the
   * library may print lines to standard output instead once several threads have loaded models.
   */
  readonly log?: (line: string) => void;
  /** The clock of deadlines, in milliseconds. Default: the machine's monotonic clock, which all threads share. */
  readonly nowMs?: () => number;
}

/** Loads models for one kind of backend; a registry of these picks the backend for a model. */
export interface EmbeddingBackendProvider {
  readonly id: string;
  /** Loads the model at `modelPath`, tries it on one text, and resolves when it is ready. */
  load(modelPath: string, options?: BackendOptions): Promise<EmbeddingBackend>;
}
