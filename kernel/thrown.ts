/** What was thrown, as a report of a crash tells it. Anything can be thrown, also what has no text. */
import { inspect } from 'node:util';

/** Characters of an error's message and stack in the report of a crash, so that it always fits its lane. */
const REPORT_MESSAGE_CHARACTERS = 2_000;
const REPORT_STACK_CHARACTERS = 4_000;

export function described(thrown: unknown): { readonly message: string; readonly stack: string } {
  // An Error's properties may have been set to anything.
  const { message, stack = '' }: { message: unknown; stack?: unknown } = thrown instanceof Error ? thrown : { message: inspect(thrown) };
  return {
    message: String(message).slice(0, REPORT_MESSAGE_CHARACTERS),
    stack: String(stack).slice(0, REPORT_STACK_CHARACTERS),
  };
}
