/** Stop sequences in a text that comes in pieces. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopScanner } from '../../../actors/inference/generation/stop-scanner.ts';

/** Pieces until the first stop, and what was held back if there was none. */
function scan(stops: readonly string[], pieces: readonly string[]): { text: string; stop: string | undefined } {
  const scanner = new StopScanner(stops);
  let text = '';
  for (const piece of pieces) {
    const found = scanner.push(piece);
    text += found.text;
    if (found.stop !== undefined) return { text, stop: found.stop };
  }
  return { text: text + scanner.flush(), stop: undefined };
}

describe('a stop sequence', () => {
  it('is found across pieces, and nothing of it is shown', () => {
    expect(scan(['END'], ['one E', 'N', 'D two'])).toEqual({ text: 'one ', stop: 'END' });
  });

  it('that only began is text in the end', () => {
    expect(scan(['END'], ['one EN', 'D'.toLowerCase(), ' E'])).toEqual({ text: 'one ENd E', stop: undefined });
  });

  it('that begins within its own beginning is found', () => {
    expect(scan(['aab'], ['a', 'a', 'a', 'b'])).toEqual({ text: 'a', stop: 'aab' });
  });

  it('of several is the first, and of two at one place the longer', () => {
    expect(scan(['b', 'a'], ['xab'])).toEqual({ text: 'x', stop: 'a' });
    expect(scan(['a', 'ab'], ['xab'])).toEqual({ text: 'x', stop: 'ab' });
  });

  it('ends the text where it would in one piece, or was complete before', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 30 });
    const stops = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 4 }), { maxLength: 3 });
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 12 }), stops, (pieces, sequences) => {
        // The first piece with which a sequence is complete decides.
        const whole = pieces.findIndex((_, last) => sequences.some((stop) => pieces.slice(0, last + 1).join('').includes(stop)));
        const text = pieces.slice(0, whole === -1 ? undefined : whole + 1).join('');
        const expected = whole === -1 ? text : text.slice(0, Math.min(...sequences.map((stop) => text.indexOf(stop)).filter((at) => at >= 0)));
        const found = scan(sequences, pieces);
        expect(found.text).toBe(expected);
        expect(found.stop !== undefined).toBe(whole !== -1);
      }),
      { numRuns: 500 },
    );
  });
});
