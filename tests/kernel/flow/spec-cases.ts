/** Held against every spec of the folder: a bad one is refused with its code, in words that say where. */
import { expect } from 'vitest';
import { SpillwayError } from '../../../kernel/errors.ts';

export function expectRefusal(make: () => unknown, code: string, words: string): void {
  let thrown: unknown;
  try {
    make();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(SpillwayError);
  expect((thrown as SpillwayError).code).toBe(code);
  expect((thrown as SpillwayError).message).toContain(words);
}
