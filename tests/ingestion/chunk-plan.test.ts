/**
 * The invariants of chunk planning over arbitrary text, and its manners on Markdown and code.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { planChunks, splitChunk, textKindOf } from '../../actors/ingestion/chunk-plan.ts';
import type { Chunk } from '../../actors/ingestion/chunk-plan.ts';
import { estimateTokens, quartersOf } from '../../actors/ingestion/token-estimate.ts';

const PATHS = ['a.md', 'a.ts', 'a.txt'];

/** Lines that mean something to a reader, glued with arbitrary text in any script. */
const pieceOfText = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: 'grapheme', maxLength: 60 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
  { weight: 4, arbitrary: fc.constantFrom(
    '# ', '## Heading', '```', '````js', '~~~', '| a | b |', '|---|---|', '---', '===', '- item', '    ', '\t', '  }', '});', 'function f() {',
    'class A:', '// comment', '> quote', 'Ein Satz. Noch einer! ', '漢字の文。次の文。', '한국어 문장입니다. ', 'Это предложение. ', '👨‍👩‍👧‍👦👍🏽e\u0301', 'a'.repeat(90), '\u2028', '\uFEFF', '\r',
  ) },
  { weight: 4, arbitrary: fc.constantFrom('\n', '\n\n', '\r\n', '\r\n\r\n', '\n\n\n\n') },
);
const anyText = fc.array(pieceOfText, { maxLength: 80 }).map((pieces) => pieces.join('').toWellFormed());
const anySettings = fc.record({ maxTokens: fc.integer({ min: 16, max: 120 }) });

function lineOf(text: string, unit: number): number {
  return text.slice(0, unit).split('\n').length;
}

/** What must hold for the chunks of any text, whether planned or split. */
function checkRanges(text: string, chunks: readonly Chunk[], from = 0, to = Buffer.byteLength(text)): void {
  const bytes = Buffer.from(text);
  let previousEnd = from;
  for (const chunk of chunks) {
    expect(chunk.startByte).toBeGreaterThanOrEqual(previousEnd);
    expect(bytes.subarray(previousEnd, chunk.startByte).toString().trim()).toBe('');
    expect(bytes.subarray(chunk.startByte, chunk.endByte).toString()).toBe(chunk.text);
    expect(chunk.text.isWellFormed()).toBe(true);
    expect(chunk.text.trim()).not.toBe('');
    const startUnit = bytes.subarray(0, chunk.startByte).toString().length;
    expect(chunk.startLine).toBe(lineOf(text, startUnit));
    expect(chunk.endLine).toBe(lineOf(text, startUnit + chunk.text.length));
    // Neither edge lies between CR and LF.
    expect(text.slice(startUnit - 1, startUnit + 1)).not.toBe('\r\n');
    const endUnit = startUnit + chunk.text.length;
    expect(text.slice(endUnit - 1, endUnit + 1)).not.toBe('\r\n');
    previousEnd = chunk.endByte;
  }
  expect(bytes.subarray(previousEnd, to).toString().trim()).toBe('');
}

test('chunks are exact ranges in order that cover all text and keep to the limit', () => {
  fc.assert(fc.property(anyText, anySettings, fc.constantFrom(...PATHS), (text, settings, path) => {
    const chunks = planChunks({ path, text }, settings);
    checkRanges(text, chunks);
    expect(chunks.map((chunk) => chunk.ordinal)).toEqual(chunks.map((_, index) => index));
    for (const chunk of chunks) {
      expect(estimateTokens(chunk.text)).toBeLessThanOrEqual(settings.maxTokens);
      expect(chunk.endLine - chunk.startLine).toBeLessThan(100);
    }
    expect(new Set(chunks.map((chunk) => chunk.id)).size).toBe(chunks.length);
  }), { numRuns: 600 });
});

test('the same text, path and settings give the same chunks, and anything else gives other ids', () => {
  fc.assert(fc.property(anyText, anySettings, (text, settings) => {
    const chunks = planChunks({ path: 'a.md', text }, settings);
    expect(planChunks({ path: 'a.md', text: Buffer.from(text).toString() }, { ...settings })).toEqual(chunks);
    const ids = new Set(chunks.map((chunk) => chunk.id));
    const others = [planChunks({ path: 'b.md', text }, settings), planChunks({ path: 'a.md', text }, { maxTokens: settings.maxTokens + 1 })];
    for (const chunk of others.flat()) expect(ids.has(chunk.id)).toBe(false);
  }), { numRuns: 150 });
});

test('a split gives smaller chunks that are exact ranges of the same text, down to one character', () => {
  fc.assert(fc.property(anyText, fc.constantFrom(...PATHS), (text, path) => {
    for (const chunk of planChunks({ path, text }, { maxTokens: 60 })) {
      let open = splitChunk(path, chunk);
      checkRanges(text, open, chunk.startByte, chunk.endByte);
      expect(splitChunk(path, chunk)).toEqual(open);
      for (let round = 0; round < 20; round += 1) {
        const next = open.flatMap((part) => splitChunk(path, part));
        checkRanges(text, next, chunk.startByte, chunk.endByte);
        for (const part of next) expect(part.ordinal).toBe(chunk.ordinal);
        if (next.length === open.length) break;
        open = next;
      }
      // What is left undivided is a single code point, white space beside it left aside.
      for (const part of open) expect(Array.from(part.text.trim()).length).toBe(1);
    }
  }), { numRuns: 40 });
});

test('a text of white space has no chunks, and a byte order mark keeps its bytes', () => {
  expect(planChunks({ path: 'a.md', text: '' })).toEqual([]);
  expect(planChunks({ path: 'a.md', text: '\uFEFF \r\n\t\n' })).toEqual([]);
  expect(planChunks({ path: 'a.md', text: '\uFEFF# Title' })).toMatchObject([{ startByte: 3, endByte: 10, startLine: 1, endLine: 1, text: '# Title' }]);
});

test('a grapheme of ordinary length is not cut, even where nothing else separates', () => {
  for (const grapheme of ['e\u0301', '👨‍👩‍👧‍👦', '👍🏽', 'नि', '한']) {
    for (const chunk of planChunks({ path: 'a.txt', text: grapheme.repeat(400) }, { maxTokens: 64 })) {
      expect(chunk.text.replaceAll(grapheme, '')).toBe('');
    }
  }
});

const words = (count: number): string => Array.from({ length: count }, (_, index) => `word${'abcdefgh'[index % 8]}`).join(' ');

const texts = (text: string, maxTokens = 100): string[] => planChunks({ path: 'a.md', text }, { maxTokens }).map((chunk) => chunk.text);

describe('Markdown', () => {
  test('a heading begins a chunk and stays with its first block', () => {
    const text = `# One\n\n${words(20)}\n\n## Two\n\n${words(20)}\n\nThree\n=====\n\n${words(20)}\n`;
    expect(texts(text).map((chunk) => chunk.split('\n')[0])).toEqual(['# One', '## Two', 'Three']);
  });

  test('a heading at the end of a full chunk moves to the next one', () => {
    const text = `${words(45)}\n\n## Next\n\n${words(45)}`;
    expect(texts(text).map((chunk) => chunk.split('\n')[0])).toEqual([words(45), '## Next']);
  });

  test('tiny sections are merged', () => {
    expect(texts('# A\n\none\n\n## B\n\ntwo\n\n## C\n\nthree\n')).toHaveLength(1);
  });

  test('fences and tables that fit are whole, however the text around them falls', () => {
    const fence = `\`\`\`\`js\nlet a = 1;\n\n# not a heading\n\`\`\`\nlet b = 2;\n\nlet c = 3;\n\`\`\`\``;
    // With this one hardly anything else goes into a chunk.
    const large = fence.replaceAll('let', 'let the quick brown fox be');
    const table = 'name | value\n--- | ---\none | 1\ntwo | 2\nthree | 3\nfour | 4';
    fc.assert(fc.property(fc.nat(60), fc.nat(20), fc.constantFrom('\n', '\n\n'), fc.constantFrom(fence, large, table), (before, after, gap, block) => {
      const text = `${words(before)}\n\n${block}${block === table ? '\n\n' : gap}${`${words(6)}\n`.repeat(after)}`;
      expect(texts(text, 70).filter((chunk) => chunk.includes(block))).toHaveLength(1);
    }));
  });

  test('a fence that is too large is cut at its blank lines', () => {
    const block = `\`\`\`\n${Array.from({ length: 12 }, () => `${words(10)}\n${words(10)}`).join('\n\n')}\n\`\`\``;
    const cut = texts(block);
    expect(cut.length).toBeGreaterThan(2);
    for (const chunk of cut.slice(0, -1)) expect(block.includes(`${chunk}\n\n`)).toBe(true);
  });

  test('front matter does not become headings', () => {
    const text = `---\ntitle: A\ndate: today\n---\n\n# A\n\n${words(10)}`;
    expect(texts(text, 200)).toEqual([text]);
  });
});

const body = (name: string): string => `/** Says ${name}. */\nexport function ${name}() {\n  const a = 1;\n\n  if (a) {\n    return a;\n  }\n}`;
const method = (name: string): string => `    def ${name}(self):\n        value = self.value\n\n        return value + 1`;

describe('code', () => {
  test('functions are kept whole, with the comment above them', () => {
    const names = ['one', 'two', 'three', 'four', 'five', 'six'];
    const chunks = planChunks({ path: 'a.ts', text: names.map(body).join('\n\n') }, { maxTokens: 80 });
    expect(chunks.length).toBeGreaterThan(2);
    for (const chunk of chunks) expect(chunk.text).toMatch(/^\/\*\*[^]*\n\}$/);
  });

  test('a long class is cut between its methods', () => {
    const text = `class A:\n${['one', 'two', 'three', 'four', 'five', 'six'].map(method).join('\n\n')}`;
    const chunks = planChunks({ path: 'a.py', text }, { maxTokens: 60 });
    expect(chunks.length).toBeGreaterThan(1);
    for (const chunk of chunks.slice(1)) expect(chunk.text).toMatch(/^ {4}def /);
  });
});

test('prose is cut at paragraphs first, at sentences in a long line, and at words in a long sentence', () => {
  const paragraphs = Array.from({ length: 6 }, () => words(25));
  expect(planChunks({ path: 'a.txt', text: paragraphs.join('\n\n') }, { maxTokens: 100 }).map((chunk) => chunk.text))
    .toEqual([0, 2, 4].map((index) => `${paragraphs[index]}\n\n${paragraphs[index + 1]}`));
  const sentences = planChunks({ path: 'a.txt', text: 'This is a sentence of some length. '.repeat(60) }, { maxTokens: 50 });
  for (const chunk of sentences) expect(chunk.text.trim()).toMatch(/^This.*length\.$/);
  for (const chunk of planChunks({ path: 'a.txt', text: words(500) }, { maxTokens: 50 })) expect(chunk.text.trim()).toMatch(/^word.*word[a-h]$/);
});

test('the kind of a text follows from its name', () => {
  expect(['README.md', 'a/b.MDX', 'x.test.ts', 'Makefile', 'LICENSE', 'notes.txt', 'a.md/b'].map(textKindOf))
    .toEqual(['markdown', 'markdown', 'code', 'code', 'prose', 'prose', 'prose']);
});

test('hostile input gives as many chunks as its size calls for', () => {
  const size = 60_000;
  const inputs = ['a', ' ', '\n', '#', '# \n', '```\n', '|\n', '|-', '---\n', '}\n', '. ', '\r\n', 'e\u0301', '👨‍👩‍👧‍👦', '(\n  ', '- a\n', '\u0301'];
  for (const input of inputs) {
    const text = input.repeat(size / input.length);
    for (const path of PATHS) {
      const chunks = planChunks({ path, text });
      checkCovered(text, chunks);
      expect(chunks.length).toBeLessThan(size / 40);
    }
  }
});

const nonBlank = (text: string): number => text.replaceAll(/\s/gu, '').length;

function checkCovered(text: string, chunks: readonly Chunk[]): void {
  expect(chunks.reduce((sum, chunk) => sum + nonBlank(chunk.text), 0)).toBe(nonBlank(text));
}

test('the estimate is zero exactly for white space, never shrinks when text is added, and adds up over lines', () => {
  const quarters = (text: string): number => quartersOf(text, 0, text.length);
  fc.assert(fc.property(anyText, anyText, (a, b) => {
    expect(estimateTokens(a) === 0).toBe(a.trim() === '');
    expect(estimateTokens(a + b)).toBeGreaterThanOrEqual(estimateTokens(a));
    expect(quarters(`${a}\n${b}`)).toBe(quarters(a) + quarters(b));
  }), { numRuns: 1_000 });
});
