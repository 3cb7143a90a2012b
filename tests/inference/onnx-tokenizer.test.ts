import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Tokenizer } from '@huggingface/tokenizers';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { JsonFile } from '../../actors/inference/onnx/json-file.ts';
import { TextTokenizer } from '../../actors/inference/onnx/text-tokenizer.ts';
import { wordPieceTokenizer } from '../../bench/models/onnx-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-onnx-tokenizer-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'.split('');
const VOCABULARY = [
  '[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...LETTERS.map((letter) => `▁${letter}`), ...LETTERS, '▁the', 'ing', '▁ca', 'fe', 'σ', '▁σ', 'ς', '▁α', 'α',
  ...['.,!?-_()[]{}"\'`~^$+=<>|/\\@#%&*:;'.split(''), '中', '文', '、', '。', '€'].flat().map((mark) => `▁${mark}`),
];
const BERT = wordPieceTokenizer(VOCABULARY);
/** As XLM-RoBERTa's: a space belongs to the word behind it. */
const UNIGRAM = {
  version: '1.0', added_tokens: [{ id: 0, content: '<s>', special: true }, { id: 1, content: '</s>', special: true }], normalizer: { type: 'NFKC' },
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
    pair: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }, { Sequence: { id: 'B', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
    special_tokens: {},
  },
  decoder: { type: 'Metaspace' },
  model: { type: 'Unigram', unk_id: 2, vocab: [['<s>', 0], ['</s>', 0], ['<unk>', 0], ['▁', -3], ['▁the', -2], ['▁c', -4], ['at', -3], ...LETTERS.map((letter) => [letter, -6]), [',', -4]] },
};

function open(json: object): TextTokenizer {
  const path = join(folder, 'tokenizer.json');
  writeFileSync(path, JSON.stringify(json));
  return new TextTokenizer(JsonFile.read(path, 1e6), undefined);
}

/** The library's own result, with special tokens left as ordinary text. */
function libraryIds(json: { added_tokens?: unknown }, text: string): number[] {
  return new Tokenizer({ ...json, added_tokens: [] }, {}).encode(text, { add_special_tokens: false }).ids;
}

describe('tokens', () => {
  it('are the library\'s, whatever the text: words are remembered, cut at spaces and at ASCII punctuation', () => {
    const tokenizer = open(BERT);
    const piece = fc.oneof(
      fc.constantFrom('the', 'The', 'THEing', 'cafe', 'café', 'cafe\u0301', 'ΑΣ', 'ΑΣ.', 'ΑΣ.Α', 'Σ', '中文', 'a中b', '[CLS]', '##ing', ' ', '\t', '\r\n', '\u00a0', '\u2003', '\u200b', '\u0000', '\v', '.', '..', '!a?', 'a-b_c', '€', '😀', '、', 'İ', 'ß', 'x'.repeat(101), '\u0301', ' \u0301'),
      fc.string({ unit: 'grapheme', maxLength: 6 }), fc.string({ unit: 'binary', maxLength: 4 }),
    );
    fc.assert(fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('');
      expect(tokenizer.encode(text)).toEqual(libraryIds(BERT, text));
    }), { numRuns: 1_500, seed: 1 });
  });

  it('of special tokens that stand in a text are those of ordinary text', () => {
    const tokenizer = open(BERT);
    const ids = tokenizer.encode('the [SEP] the');
    expect(ids).not.toContain(3);
    expect(ids).toEqual([...tokenizer.encode('the'), ...tokenizer.encode('['), ...tokenizer.encode('sep'), ...tokenizer.encode(']'), ...tokenizer.encode('the')]);
  });

  it('of a blank text are none', () => {
    for (const json of [BERT, UNIGRAM]) expect(open(json).encode(' \n\t ')).toEqual([]);
  });
});

describe('places', () => {
  it('are those of the words, one for each token, in order and within the text', () => {
    const tokenizer = open(BERT);
    fc.assert(fc.property(fc.array(fc.oneof(fc.constantFrom('the', 'café', '中文', 'ΑΣ.Α', '.', ' ', '\n', '[a]', '😀', '\u200b'), fc.string({ unit: 'grapheme', maxLength: 5 })), { maxLength: 10 }), (pieces) => {
      const text = pieces.join('');
      const { ids, starts, ends } = tokenizer.encodePlaced(text)!;
      expect(ids).toEqual(tokenizer.encode(text));
      for (const i of ids.keys()) {
        expect(ends[i]!).toBeGreaterThan(starts[i]!);
        expect(ends[i]!).toBeLessThanOrEqual(text.length);
        if (i > 0) expect(starts[i]!).toBeGreaterThanOrEqual(starts[i - 1]!);
      }
    }), { numRuns: 500, seed: 2 });
  });

  it('are found within a text that is not ASCII, down to each ideograph', () => {
    const { ids, starts, ends } = open(BERT).encodePlaced('the 中文。x')!;
    expect(ids.map((_, i) => 'the 中文。x'.slice(starts[i], ends[i]))).toEqual(['the', '中', '文', '。', 'x']);
  });

  it('are found where a space belongs to the word behind it, too', () => {
    const tokenizer = open(UNIGRAM);
    const text = 'the cat, the  dog';
    const { ids, starts, ends } = tokenizer.encodePlaced(text)!;
    expect(ids).toEqual(libraryIds(UNIGRAM, text));
    expect([...new Set(ids.map((_, i) => text.slice(starts[i], ends[i])))]).toEqual(['the', 'cat,', 'dog']);
  });

  it('are not told when the parts of a text have other tokens than the whole', () => {
    const tokenizer = open({ ...UNIGRAM, pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' }, normalizer: { type: 'Replace', pattern: { String: 'a b' }, content: 'the' } });
    expect(tokenizer.encodePlaced('a b')).toBeUndefined();
  });
});

describe('the frame', () => {
  it('is what the file puts around one text and two', () => {
    expect(open(BERT).frame).toEqual({ before: [2], between: [], after: [3], types: [0, 0, 0, 0, 0] });
    expect(open(BERT).pairFrame()).toEqual({ before: [2], between: [3], after: [3], types: [0, 0, 0, 1, 1] });
    expect(open(UNIGRAM).pairFrame()).toEqual({ before: [0], between: [1, 1], after: [1], types: [0, 0, 0, 0, 0] });
  });

  it('is none without a post-processor, and then two texts cannot be put together', () => {
    const tokenizer = open({ ...BERT, post_processor: null });
    expect(tokenizer.frame).toMatchObject({ before: [], after: [] });
    expect(() => tokenizer.pairFrame()).toThrow(expect.objectContaining({ code: 'model_unsupported' }));
  });

  it('is refused when it needs a token that the vocabulary lacks', () => {
    const template = { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '[NONE]', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }], pair: [], special_tokens: {} };
    expect(() => open({ ...BERT, post_processor: template })).toThrow(expect.objectContaining({ code: 'model_malformed' }));
  });
});

describe('a file that is no tokenizer', () => {
  it.each<[string, object, RegExp]>([
    ['is empty', {}, /no tokenizer that can be read/],
    ['lacks its model', { ...BERT, model: null }, /no tokenizer that can be read/],
    ['has a text as the number of a token', { ...BERT, model: { ...(BERT['model'] as object), vocab: { a: 'one' } } }, /"one" as the number of a token/],
    ['has a number out of all reason', { ...BERT, model: { ...(BERT['model'] as object), vocab: { a: 1e12 } } }, /as the number of a token/],
    ['has no place for the text', { ...BERT, post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '[CLS]', type_id: 0 } }], pair: [], special_tokens: {} } }, /without a place for the text/],
  ])('%s', (_, json, message) => {
    expect(() => open(json)).toThrow(expect.objectContaining({ code: 'model_malformed', message: expect.stringMatching(message) as string }));
  });

  it('but of a kind that the library would take for another is not supported', () => {
    expect(() => open({ ...BERT, model: { ...(BERT['model'] as object), type: 'WordLevel' } })).toThrow(expect.objectContaining({ code: 'model_unsupported' }));
  });
});

it('the writer of the benches writes a tokenizer that the library reads', () => {
  open(BERT);
  const json = JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')) as object;
  expect(new Tokenizer(json, {}).encode('the cat').tokens).toEqual(['[CLS]', 'the', 'ca', '##t', '[SEP]']);
});
