/** How an operating error that a handler threw travels back to the asker. */
import { compileCodec, type Codec } from 'atomics-ring-buffer';
import { SpillwayError } from './errors.ts';
import { untypedValue } from './untyped-value.ts';

interface Failure {
  code: string;
  message: string;
  details: unknown;
}

export const failureCodec: Codec<unknown> = compileCodec<unknown>(
  { properties: { code: { type: 'string' }, message: { type: 'string' }, details: {} } },
  { untyped: untypedValue },
);

/** A failed handler has seen the message, whatever else its error says. */
export function toFailure(error: SpillwayError): Failure {
  return { code: error.code, message: error.message, details: { mayHaveBeenHandled: true, ...error.details } };
}

export function fromFailure(value: unknown): SpillwayError {
  const { code, message, details } = value as Failure;
  return new SpillwayError(code, message, { details: details as Record<string, unknown> });
}
