/** How one call to an embedder says what it wants, and that it is well-formed. */
import { SpillwayError } from '../../kernel/index.ts';
import { TRUNCATE_POLICIES, type TextStatus, type TruncatePolicy } from './backend.ts';
import { PRIORITIES, type Priority } from './scheduling/embed-request.ts';
import { OUTPUT_FORMATS, type OutputFormat, type VectorOf } from './vector-format.ts';

export interface EmbedOptions<Output extends OutputFormat = OutputFormat> {
  /** Who is served first when there is more than can be done at once. Default: normal for arrays, bulk for streams of texts. */
  readonly priority?: Priority;
  /** Callers with different keys share what their class gets evenly, however much each of them wants. */
  readonly key?: string;
  /** Milliseconds until texts that have not begun are given up. Default: 120,000. Of a stream, for each text. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  /** Which of the embedder's prompts is put before each text. Default: none. */
  readonly input?: 'query' | 'document';
  /** What becomes of a text with more tokens than the model takes. Default: the embedder's, which is refuse. */
  readonly truncate?: TruncatePolicy;
  /** Values to keep of each vector, from the beginning; the vector is then brought to length 1 again. For models that were trained for it (Matryoshka). */
  readonly dimensions?: number;
  /** Default: float32. */
  readonly output?: Output;
  /** Whether results may come from the cache and go there. Default: true. */
  readonly cache?: boolean;
}

/** What became of one text. */
export interface Embedded<Output extends OutputFormat = 'float32'> {
  /** Its place in what was given. */
  readonly index: number;
  readonly status: TextStatus;
  /** Undefined unless the status is ok. Texts that are equal may share one; treat it as read-only. */
  readonly vector: VectorOf[Output] | undefined;
  /** Tokens of the whole text, special tokens and prompt included; 0 if it was refused before it was tokenized. */
  readonly tokens: number;
  /** Whether the vector stands for a part of the text only. */
  readonly truncated: boolean;
  /** Hash of the model: vectors of different ones must never be compared. */
  readonly model: string;
  readonly cached: boolean;
  /** Why there is no vector: what was expected, what came, what to do. */
  readonly reason?: string;
}

export const DEADLINE_MS_DEFAULT = 120_000;

/** @throws SpillwayError `embed_options_invalid` */
export function checkOptions(options: EmbedOptions, prompts: { readonly query?: string; readonly document?: string }): void {
  const { priority, key, deadlineMs, input, truncate, output } = options;
  oneOf('priority', priority, PRIORITIES);
  oneOf('truncate', truncate, TRUNCATE_POLICIES);
  oneOf('output', output, OUTPUT_FORMATS);
  oneOf('input', input, ['query', 'document']);
  if (input !== undefined && prompts[input] === undefined) {
    throw invalid(`input is '${input}', and the embedder has no prompt for it; make it with prompts: { ${input}: '...' }`);
  }
  if (key !== undefined && (typeof key !== 'string' || key.length > 256)) throw invalid('key must be a string of at most 256 characters');
  if (deadlineMs !== undefined && !(deadlineMs > 0)) throw invalid(`deadlineMs must be above zero; got ${String(deadlineMs)}`);
}

function oneOf(name: string, value: string | undefined, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value)) throw invalid(`${name} must be one of ${allowed.join(', ')}; got ${JSON.stringify(value)}`);
}

function invalid(message: string): SpillwayError {
  return new SpillwayError('embed_options_invalid', `${message}.`);
}

/** In words, for whoever has to do something about it. */
export function refusalReason({ status, tokens, limit, reason }: { status: TextStatus; tokens: number; limit?: number; reason?: string }): string {
  switch (status) {
    case 'empty':
      return 'it is empty or blank; give text to embed';
    case 'too_long':
      return `it has ${tokens} tokens and the model takes ${limit}; split it, or ask for truncate: 'right' or 'left'`;
    case 'too_many_bytes':
      return `it is longer than ${limit} bytes; split it`;
    case 'not_unicode':
      return 'it has half of a surrogate pair, so it is not well-formed Unicode; mend it with toWellFormed() or where it was cut';
    case 'deadline':
      return 'it was not begun before its deadline; give it more time, or send less at once';
    case 'cancelled':
      return 'it was cancelled before it was begun';
    case 'not_finite':
      return 'the model gave a vector with values that are not numbers; choose another model';
    default:
      return reason ?? status;
  }
}
