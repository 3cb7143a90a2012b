/** How an operating error that a handler threw travels back to the asker. */
import { compileCodec, type Codec } from 'atomics-ring-buffer';
import { SpillwayError } from './errors.ts';
import { untypedValue } from './untyped-value.ts';

export interface Failure {
  code: string;
  message: string;
  details: unknown;
}

export const failureCodec: Codec<unknown> = compileCodec<unknown>(
  { properties: { code: { type: 'string' }, message: { type: 'string' }, details: {} } },
  { untyped: untypedValue },
);

/** @param mayHaveBeenHandled of this message, whatever the error says of one that the handler itself had sent */
export function toFailure(error: SpillwayError, mayHaveBeenHandled: boolean): Failure {
  return { code: error.code, message: error.message, details: { ...error.details, mayHaveBeenHandled } };
}

/** Longest message of a failure that had to be cut down. */
const BRIEF_CHARACTERS = 500;

/** The same failure without details, for one whose details cannot be encoded or that is too long for its lane. */
export function briefFailure({ code, message }: SpillwayError, mayHaveBeenHandled: boolean): Failure {
  return { code, message: message.slice(0, BRIEF_CHARACTERS), details: { mayHaveBeenHandled } };
}

export function fromFailure(value: unknown): SpillwayError {
  const { code, message, details } = value as Failure;
  return new SpillwayError(code, message, { details: details as Record<string, unknown> });
}
