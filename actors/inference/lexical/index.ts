/** The built-in model: the door of this folder. `docs/explanation/lexical-model.md` says how the model works. */
export { LEXICAL_MODEL_NAME } from './synthesis.ts';
export { LEXICAL_MODEL_SHA256, ensureLexicalModel } from './cached-model.ts';
export { LEXICAL_ERRORS, type LexicalErrorCode } from './error-codes.ts';
