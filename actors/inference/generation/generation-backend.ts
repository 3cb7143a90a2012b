/**
 * The contract between a generator actor and the native library that runs its model.
 *
 * A backend has a fixed number of sequences; each request takes one, and what the sequences are computing at
 * the same time the library may put into one native call. It belongs to one thread. A run goes forward step by
 * step, and only when asked: so whoever drives it decides after every token whether there is another.
 */
import type { LoadedModel, ModelBackend } from '../backend.ts';

export interface GenerationModel extends LoadedModel {
  /** Tokens that a prompt and its completion may have together. */
  readonly contextTokens: number;
}

/** What is to be generated; see `GenerateOptions` for the meaning of the numbers. */
export interface RunRequest {
  readonly prompt: string;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
  /** A JSON schema that the text has to fit. */
  readonly schema?: object;
}

/** A prompt that the model takes. */
export interface PreparedRun {
  /** Special tokens included. */
  readonly promptTokens: number;
  /** Tokens that the context has room for behind the prompt; at least 1. */
  readonly roomTokens: number;
  /** Where the text is complete although the model goes on, because the grammar needs an end. */
  readonly endMark: string | undefined;
}

/**
 * What one step came to:
 * - `prompt`: a part of the prompt was read, and there is more of it or the first token to come.
 * - `token`: one token, and the whole characters that are complete with it, often none.
 * - `end`: the model has ended its text.
 */
export type RunStep =
  | { readonly kind: 'prompt'; readonly tokens: number }
  | { readonly kind: 'token'; readonly text: string }
  | { readonly kind: 'end' };

export interface GenerationRun {
  /** One native call. Not to be called before the former step has ended. Rejects with the library's error. */
  step(): Promise<RunStep>;
  /** Waits for a step in flight, then gives the sequence back, empty. Doing it twice is no error. */
  release(): Promise<void>;
}

export interface GenerationBackend extends ModelBackend {
  readonly model: GenerationModel;
  readonly sequences: number;
  /**
   * Tokenizes the prompt and compiles the schema.
   * @throws SpillwayError `prompt_empty`, `prompt_too_long`, `schema_invalid`
   */
  prepare(request: RunRequest): Promise<PreparedRun>;
  /** Takes a sequence; that there is one free is for the caller to know. */
  begin(prepared: PreparedRun): GenerationRun;
}

export interface GenerationBackendOptions {
  /** Requests that are computed at once, each with a context of its own in memory. Default 4. */
  readonly sequences?: number;
  /** Tokens of a prompt and its completion together, at most what the model was trained for. Default 2,048. */
  readonly contextTokens?: number;
  /** Threads of one native call. Default 1: more pay only for whoever has the machine alone. */
  readonly threads?: number;
  /**
   * Whether sequences that compute at the same time share a native call. Default true: reading the weights
   * once for all of them makes it faster. The sums are then added up in another order, which now and then
   * changes a token; with false the text of a seed never depends on what else is running.
   */
  readonly batching?: boolean;
  readonly promptBytesMax?: number;
  /** The file's hash when the caller knows it, which saves reading it once. */
  readonly sha256?: string;
  /** Receives the native library's error lines while the model loads; see `BackendOptions`. */
  readonly log?: (line: string) => void;
}

export const SEQUENCES_DEFAULT = 4;
export const CONTEXT_TOKENS_DEFAULT = 2_048;
