/**
 * The contract of a vector index: what any store behind Spillway must promise.
 *
 * An index is a folder that holds the chunks of the files under one root folder, one unit-length
 * vector each. It has one writer at a time and any number of readers, in any process. What readers
 * see moves in *generations*: a run of the writer builds generation G = published + 1, none of
 * which shows until `publish()` moves the pointer, and then all of it does. A run that dies at any
 * instruction leaves the published generation as it was, and the next run continues G: what was
 * stored completely is not asked for again.
 *
 * The vectors of a generation come from one *recipe*: root, model and chunk settings. A writer with
 * another recipe is refused unless it rebuilds, and the old generation stays searchable meanwhile.
 *
 * Everything is synchronous, because the caller is an actor with a thread of its own, and bounded:
 * no method holds more in memory than the batch it was given or the hits it returns.
 */

export interface EmbeddingModel {
  /** For people, such as a file name or a URI; two models of one name differ by `sha256`. */
  readonly name: string;
  /** Hex digest of the model file: the model's identity. */
  readonly sha256: string;
  readonly dimensions: number;
}

export interface WriterOptions {
  readonly model: EmbeddingModel;
  /** The chunk settings, JSON-able. They must equal those of the index, in any order of keys. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** The absolute folder that every stored path is relative to. Several given paths are prefixes under it. */
  readonly root: string;
  /** Embed everything again, under this model, these settings and this root. A killed rebuild is continued. */
  readonly rebuild?: boolean;
  /** The most that the index's main file may occupy; unlimited when absent. Beyond it: `storage_full`. */
  readonly maxSizeBytes?: number;
  /** What a writer that is kept out is told this one was started by. Default: the process's command line. */
  readonly command?: string;
  /** The clock, in ms since the epoch. */
  readonly now?: () => number;
}

export interface ListedFile {
  /** Relative to the root, with `/` between names. */
  readonly path: string;
  /** A digest of the file's bytes. */
  readonly hash: string;
}

/**
 * - `unchanged`: this content is stored completely; send nothing.
 * - `changed`: another content is published; send all its segments.
 * - `new`: nothing is published for the path; send all its segments.
 */
export type Comparison = 'unchanged' | 'changed' | 'new';

export interface StoredChunk {
  /** Place in the file, from 0 to `chunkCount - 1`. */
  readonly ordinal: number;
  readonly id: string;
  /** Bytes `[startByte, endByte)` and lines `[startLine, endLine]` of the file. */
  readonly startByte: number;
  readonly endByte: number;
  readonly startLine: number;
  readonly endLine: number;
  readonly text: string;
}

/** Some chunks of one file version: a file may come in several segments, in any order, even twice. */
export interface FileSegment extends ListedFile {
  readonly sizeBytes: number;
  /** Chunks of the whole file, at most 2^20; 0 for a file without content. */
  readonly chunkCount: number;
  readonly chunks: readonly StoredChunk[];
  /** Row-major, `chunks.length × dimensions`, each row of length 1. */
  readonly vectors: Float32Array;
}

export interface Put {
  readonly storedChunks: number;
  /** Chunks that were there already: a segment sent again after a restart. */
  readonly repeatedChunks: number;
  /** Files whose last missing chunk came with this put. */
  readonly completedFiles: number;
}

export interface Publication {
  readonly generation: number;
  /** False when the run changed nothing: the generation is the former one, and so is what rollback reaches. */
  readonly changed: boolean;
  /** What readers see from now on. */
  readonly files: number;
  readonly chunks: number;
  /** Chunks that were visible before and are not any more. */
  readonly removedChunks: number;
  /** Files whose segments did not all come; their former version, if any, stays visible. */
  readonly incompleteFiles: number;
}

export interface IndexStatus {
  /** The published generation; 0 while nothing was ever published. */
  readonly generation: number;
  readonly files: number;
  readonly chunks: number;
  readonly model: EmbeddingModel;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly root: string;
  /** What the index occupies on disk, its write-ahead log included. */
  readonly sizeBytes: number;
  /** ISO 8601, or null while nothing was ever published. */
  readonly publishedAt: string | null;
  /** What is stored for the next generation, if anything is. */
  readonly building?: { readonly generation: number; readonly files: number; readonly chunks: number };
}

export interface Hit extends StoredChunk {
  readonly path: string;
  /** Cosine similarity, from -1 to 1. */
  readonly score: number;
}

/** Every method may throw `storage_full` (the writer stays usable), `storage_failed` or `index_corrupt` (open it again). */
export interface IndexWriter {
  /**
   * Starts a run, or goes on with it: the same `runId` (a writer reopened by a supervisor within
   * one run) keeps the marks of what was seen; a new one forgets them and keeps only the complete
   * file versions of an unfinished generation. To be called before any of the methods below.
   */
  begin(run: { readonly runId: string }): { readonly generation: number; readonly resumed: boolean };
  /** Says what to send, and marks the paths as seen. One transaction. */
  compare(files: readonly ListedFile[]): Comparison[];
  /** Marks paths as seen without comparing: what is indexed for them stays (a file that cannot be read now). */
  touch(paths: readonly string[]): void;
  /** Ends what is indexed for paths that still exist but have nothing to index any more. Returns the files ended. */
  drop(paths: readonly string[]): number;
  /** One transaction: after it returns, a crash loses none of it. Throws `dimension_mismatch`, `vector_invalid`. */
  put(segments: readonly FileSegment[]): Put;
  /** Ends published files that this run has not seen, under `prefixes` (all when absent). Returns how many. */
  removeUnseen(prefixes?: readonly string[]): number;
  /** Shows the generation to readers in one transaction, ends the run, and frees what nobody can see any more. */
  publish(): Publication;
  /**
   * Shows the former generation again. What was published since becomes unpublished work, which the
   * next run may use. Not within a run. Throws `rollback_unavailable`.
   */
  rollback(): { readonly generation: number };
  status(): IndexStatus;
  /** Closes and lets the next writer in. Idempotent. */
  close(): void;
}

export interface IndexReader {
  /**
   * The `limit` (1 to `HIT_LIMIT`) most similar chunks of the published generation, best first;
   * equal scores are ordered by path and ordinal. Exact. Throws `dimension_mismatch`,
   * `vector_invalid`, and `index_model_mismatch` if the index was rebuilt with another model since
   * this reader was opened.
   */
  search(vector: Float32Array, limit: number): Hit[];
  status(): IndexStatus;
  /** Sentences about what is wrong, at most a few of each kind; empty when nothing is. Reads everything. */
  integrityCheck(): string[];
  close(): void;
}

export interface VectorIndex {
  /**
   * Opens `dir` for writing and makes it if need be. Throws `index_locked`, `index_unwritable`,
   * `index_corrupt`, `index_version`, `index_model_mismatch`, `index_settings_mismatch`,
   * `index_root_mismatch`.
   */
  openWriter(dir: string, options: WriterOptions): IndexWriter;
  /** Throws `index_missing`, `index_unreadable`, `index_corrupt`, `index_version`. */
  openReader(dir: string): IndexReader;
}

/** The most hits a search may ask for: they are held in memory with their text. */
export const HIT_LIMIT = 1000;
