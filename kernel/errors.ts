/**
 * The one error class of Spillway.
 *
 * An operating error (bad input, a missing file, a deadline) carries a stable `code` that programs
 * may switch on, and a message for people: what was expected, what came, what to do. A programmer's
 * error is an ordinary `Error` from an assertion: it crashes the actor and the supervisor acts.
 *
 * Each folder lists its codes in one table (`kernel/error-codes.ts`, `actors/error-codes.ts`, ...);
 * a test holds the tables, the documentation and the uses in the sources to each other.
 */
export class SpillwayError<Code extends string = string> extends Error {
  override readonly name = 'SpillwayError';
  readonly code: Code;
  /** Facts a program may want, such as `{ path }` or `{ mayHaveBeenHandled: true }`. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: Code, message: string, options: { cause?: unknown; details?: Record<string, unknown> } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }
}
