/** The error codes of the built-in model, each with what it means and what to do. */
export const LEXICAL_ERRORS = {
  cache_unwritable: 'The built-in model could not be written to the cache folder. Check its permissions and free space, or choose another folder.',
} as const;

export type LexicalErrorCode = keyof typeof LEXICAL_ERRORS;
