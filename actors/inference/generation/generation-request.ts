/**
 * What a caller may ask for, its defaults, and the check of it. It is checked where the request is made, since
 * a message cannot carry a lone surrogate and would hide it, and again in the actor, whom anybody may ask.
 */
import { SpillwayError } from '../../../kernel/index.ts';
import { checkSchema } from './schema-check.ts';

export interface SamplingOptions {
  /** Tokens of the completion at the most; the context's end is a bound, too. Default 256. */
  readonly maxTokens?: number;
  /** 0 always takes the likeliest token; higher is more varied. Default 0. */
  readonly temperature?: number;
  /** Only so many of the likeliest tokens are drawn from; 0 for all. Default 40. */
  readonly topK?: number;
  /** Only the likeliest tokens that together have this probability are drawn from. Default 0.95. */
  readonly topP?: number;
  /** The same seed, prompt and model give the same text; see `batching`. Default: a random one, told in the result. */
  readonly seed?: number;
  /** The text ends before the first of these. At most 16 of 256 UTF-16 units each. */
  readonly stop?: readonly string[];
  /** A JSON schema that the text has to fit; see schema-check.ts for the keywords. */
  readonly schema?: object;
}

/** With everything that has a default. */
export interface CheckedRequest {
  readonly prompt: string;
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly schema: object | undefined;
}

export const MAX_TOKENS_DEFAULT = 256;
const MAX_TOKENS_MAX = 2 ** 24;
const TEMPERATURE_MAX = 100;
const TOP_K_DEFAULT = 40;
const TOP_P_DEFAULT = 0.95;
const UINT32_MAX = 2 ** 32 - 1;
const STOPS_MAX = 16;
const STOP_UNITS_MAX = 256;
/** UTF-16 units of a prompt: up to two bytes each, half of what a data lane takes. */
const PROMPT_UNITS_MAX = 240_000;

/**
 * @param randomSeed a whole number below 2^32 for a request that has none
 * @throws SpillwayError `prompt_empty`, `prompt_not_unicode`, `prompt_too_long`, `generation_invalid`, `schema_invalid`
 */
export function checkRequest(prompt: string, options: SamplingOptions, randomSeed: () => number): CheckedRequest {
  if (prompt.trim() === '') throw new SpillwayError('prompt_empty', 'The prompt is empty or blank; give text to go on from.');
  if (prompt.length > PROMPT_UNITS_MAX) {
    throw new SpillwayError('prompt_too_long', `The prompt has ${prompt.length} UTF-16 units and at most ${PROMPT_UNITS_MAX} are taken; shorten it.`, { details: { units: prompt.length, limit: PROMPT_UNITS_MAX } });
  }
  if (!prompt.isWellFormed()) throw new SpillwayError('prompt_not_unicode', 'The prompt has a lone surrogate, so a part of it is lost already; read it again as UTF-8 or UTF-16.');
  const { stop = [], schema } = options;
  checkStops(stop);
  if (schema !== undefined) checkSchema(schema);
  return {
    prompt,
    maxTokens: whole('maxTokens', options.maxTokens ?? MAX_TOKENS_DEFAULT, 1, MAX_TOKENS_MAX),
    temperature: within('temperature', options.temperature ?? 0, 0, TEMPERATURE_MAX),
    topK: whole('topK', options.topK ?? TOP_K_DEFAULT, 0, UINT32_MAX),
    topP: within('topP', options.topP ?? TOP_P_DEFAULT, 0, 1),
    seed: whole('seed', options.seed ?? randomSeed(), 0, UINT32_MAX),
    stop: [...stop],
    schema,
  };
}

function checkStops(stop: readonly string[]): void {
  if (!Array.isArray(stop) || stop.length > STOPS_MAX) throw invalid('stop', `at most ${STOPS_MAX} strings`, stop.length);
  for (const text of stop) {
    if (typeof text !== 'string' || text === '' || text.length > STOP_UNITS_MAX || !text.isWellFormed()) {
      throw invalid('stop', `strings of 1 to ${STOP_UNITS_MAX} UTF-16 units without lone surrogates`, text);
    }
  }
}

function whole(option: string, value: number, min: number, max: number): number {
  if (!Number.isInteger(value) || value < min || value > max) throw invalid(option, `a whole number from ${min} to ${max}`, value);
  return value;
}

function within(option: string, value: number, min: number, max: number): number {
  if (!(value >= min && value <= max)) throw invalid(option, `a number from ${min} to ${max}`, value);
  return value;
}

function invalid(option: string, expected: string, found: unknown): SpillwayError {
  const shown = JSON.stringify(found)?.slice(0, 80) ?? String(found);
  return new SpillwayError('generation_invalid', `${option} is ${shown}; expected ${expected}.`, { details: { option } });
}
