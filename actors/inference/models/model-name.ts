/**
 * What a model may be called. A name never looks like a path or a URI, so that `--model NAME` can
 * mean one thing only: no slash, and a dot only before a digit (`bge-small-v1.5`, not `bge.gguf`).
 */
import { SpillwayError } from '../../../kernel/index.ts';

/** The name of the model that needs no file. */
export const BUILT_IN_NAME = 'built-in';
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]*(\.[0-9][A-Za-z0-9_-]*)*$/;
const NAME_LENGTH_MAX = 64;
const SHOWN_MAX = 80;

export function isModelName(text: string): boolean {
  return text.length <= NAME_LENGTH_MAX && NAME.test(text);
}

/** @throws SpillwayError `model_name_invalid` */
export function assertModelName(name: string): void {
  const shown = JSON.stringify(name.slice(0, SHOWN_MAX));
  if (!isModelName(name)) {
    throw new SpillwayError(
      'model_name_invalid',
      `${shown} cannot be the name of a model; expected at most ${NAME_LENGTH_MAX} letters, digits, "-" and "_", beginning with a letter or a digit, and dots only before digits`,
    );
  }
  if (name.toLowerCase() === BUILT_IN_NAME) throw new SpillwayError('model_name_invalid', `${shown} is the name of the model that is always there; choose another`);
}
