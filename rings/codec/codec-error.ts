/**
 * The one error of the codec: a damaged record, a value that does not fit, or an unusable schema.
 *
 * `rings` has no dependencies, so it cannot throw the runtime's own error class; the kernel turns a
 * `CodecError` into a dead letter with this code as its reason.
 */
export const CODEC_ERRORS = {
  truncated: 'The record ends before the value does: it was cut short or overwritten; drop it.',
  bad_length: 'A length or count in the record cannot be true for its size: the record is damaged; drop it.',
  bad_tag: 'A flag, enum index or discriminator in the record names nothing: it is damaged or of another schema; drop it.',
  bad_untyped: 'The codec for empty-form values refused its part of the record; see `cause`.',
  bad_range: 'The offset or length handed to the codec lies outside the memory or is not aligned to 8 bytes.',
  bad_value: 'The value does not fit the schema; nothing was published. Validate values where they enter.',
  overflow: 'The value needs more bytes than were claimed: it changed between byteLength and encode.',
  too_deep: 'The schema nests deeper than the codec follows, or refers to itself; use the empty form `{}` there.',
  schema_unsupported: 'The schema uses something that has no flat layout; the message names the place.',
} as const;

export type CodecErrorCode = keyof typeof CODEC_ERRORS;

/** Thrown by everything in this folder. `path` is the place in the schema; `*` in it stands for any item. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
  readonly code: CodecErrorCode;
  readonly path: string;

  constructor(code: CodecErrorCode, path: string, message: string, options: { cause?: unknown } = {}) {
    const place = path === '' ? 'The root' : path;
    super(`${place}: ${message}`, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.path = path;
  }
}
