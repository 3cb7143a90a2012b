/** Whole characters from tokens that hold any bytes. The tokens are bytes here, so every cut is possible. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenText } from '../../../actors/inference/generation/token-text.ts';

const decode = (tokens: readonly Uint8Array[]): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.concat(tokens));

function piecesOf(tokens: readonly Uint8Array[]): string[] {
  const text = new TokenText<Uint8Array>(decode, []);
  return tokens.map((token) => text.push(token));
}

/** The bytes cut into tokens of the lengths given. */
function cut(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const tokens: Uint8Array[] = [];
  for (let at = 0, next = 0; at < bytes.length; next++) {
    const length = lengths[next % lengths.length]!;
    tokens.push(bytes.subarray(at, at + length));
    at += length;
  }
  return tokens;
}

const lengths = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 });

describe('text from tokens', () => {
  it('never splits a character between pieces, wherever the tokens are cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), lengths, (text, tokenLengths) => {
        const pieces = piecesOf(cut(Buffer.from(text), tokenLengths));
        expect(pieces.join('')).toBe(text);
        for (const piece of pieces) expect(piece.isWellFormed() && (text.includes('\uFFFD') || !piece.includes('\uFFFD'))).toBe(true);
      }),
    );
  });

  it('gives for any bytes what decoding them at once gives, but for an unfinished end', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), lengths, (bytes, tokenLengths) => {
        const whole = decode([bytes]);
        const joined = piecesOf(cut(bytes, tokenLengths)).join('');
        expect(whole.endsWith('\uFFFD') ? [whole, whole.slice(0, -1)] : [whole]).toContain(joined);
      }),
      { numRuns: 500 },
    );
  });

  it('holds no more than a few tokens of bytes that are wrong for good', () => {
    const most = { tokens: 0 };
    const text = new TokenText<Uint8Array>((tokens) => {
      most.tokens = Math.max(most.tokens, tokens.length);
      return decode(tokens);
    }, []);
    let length = 0;
    for (let count = 1; count <= 1_000; count++) length += text.push(Uint8Array.of(0x80)).length;
    expect(length).toBe(999);
    expect(most.tokens).toBeLessThan(16);
  });

  it('tells the tokenizer what stood before, for its leading spaces', () => {
    const seen: (readonly string[])[] = [];
    const text = new TokenText<string>(
      (tokens, before) => {
        seen.push(before);
        return tokens.join('');
      },
      ['a', 'b', 'c', 'd', 'e'],
    );
    text.push('f');
    text.push('g');
    expect(seen).toEqual([['b', 'c', 'd', 'e'], ['c', 'd', 'e', 'f']]);
  });
});
