/**
 * Text to token numbers, as tokenizer.json says.
 *
 * The library does the work. Around it this file has what it lacks: the special tokens apart from the text's own, so
 * that a long text is cut between them; a memory of words, which most texts have in common and which make the
 * tokenizers of the BERT family several times faster; and the place of each token in the text.
 *
 * Special tokens written out in a text are ordinary text: otherwise whoever writes a document could end it early
 * or, before a model that ranks, put a second one behind it.
 */
import { Tokenizer } from '@huggingface/tokenizers';
import { modelError } from '../gguf/parser.ts';
import type { JsonFile } from './json-file.ts';
import { splitBeforeSpaces, splitBeyondAscii, splitForBert } from './word-splitter.ts';

/** Words of a language that come again and again; beyond this the memory starts anew. */
const WORDS_MAX = 32_768;
const WORD_UNITS_MAX = 32;
const VOCABULARY_MAX = 2 ** 24;
/** The library takes a kind it does not know for another one. Old files do not state any. */
const KINDS: ReadonlySet<unknown> = new Set(['WordPiece', 'Unigram', 'BPE', undefined]);

/** What stands around a text, or around and between two, and which type each of their tokens has. */
export interface TokenFrame {
  readonly before: readonly number[];
  readonly between: readonly number[];
  readonly after: readonly number[];
  /** Types of: before, first text, between, second text, after. */
  readonly types: readonly [number, number, number, number, number];
}

/** Tokens with the part of the text that each belongs to, in UTF-16 units. Those of one word have the word's part. */
export interface PlacedTokens {
  readonly ids: readonly number[];
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

export class TextTokenizer {
  readonly #path: string;
  readonly #tokenizer: Tokenizer;
  readonly #specialIds: ReadonlyMap<string, number>;
  /** Whether words of ASCII can be tokenized apart from each other, see word-splitter.ts. */
  readonly #isBert: boolean;
  readonly #words = new Map<string, readonly number[]>();
  /** One more than the largest number it gives. */
  readonly vocabularySize: number;
  readonly frame: TokenFrame;

  /** @throws SpillwayError `model_malformed` when the file is no tokenizer or contradicts itself, `model_unsupported` for one of another kind */
  constructor(file: JsonFile, config: JsonFile | undefined) {
    this.#path = file.path;
    const json = file.content;
    const kind = typeOf(json['model']);
    if (!KINDS.has(kind)) throw modelError('model_unsupported', this.#path, `has a tokenizer of the kind ${JSON.stringify(kind)}; expected WordPiece, Unigram or BPE`);
    const added = listOf(json['added_tokens']);
    this.#specialIds = new Map(added.map(({ content, id }) => [String(content), Number(id)]));
    // A token that is not special is part of the language, a special one is not: see above.
    const ordinary = added.filter(({ special }) => special !== true);
    try {
      this.#tokenizer = new Tokenizer({ ...json, added_tokens: ordinary }, config?.content ?? {});
    } catch (cause) {
      throw modelError('model_malformed', this.#path, `is no tokenizer that can be read (${(cause as Error).message})`, cause);
    }
    this.#isBert = typeOf(json['normalizer']) === 'BertNormalizer' && typeOf(json['pre_tokenizer']) === 'BertPreTokenizer' && kind === 'WordPiece' && ordinary.length === 0;
    this.vocabularySize = this.#sizeOf(json['model'], added);
    const frame = this.#frameOf(null);
    if (frame === undefined) throw modelError('model_malformed', this.#path, 'has a post_processor without a place for the text');
    this.frame = frame;
  }

  /** The text's own tokens, without special ones; none for a text of white space. */
  encode(text: string): readonly number[] {
    if (!this.#isBert) return text.trim() === '' ? [] : this.#ask(text);
    const ids: number[] = [];
    splitForBert(text, (start, end) => {
      for (const id of this.#word(text.slice(start, end))) ids.push(id);
    });
    return ids;
  }

  /** The same tokens with their places, or `undefined` when this tokenizer does not let them be found. */
  encodePlaced(text: string): PlacedTokens | undefined {
    const placed = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
    const add = (ids: readonly number[], start: number, end: number): void => {
      for (const id of ids) {
        placed.ids.push(id);
        placed.starts.push(start);
        placed.ends.push(end);
      }
    };
    if (this.#isBert) {
      splitForBert(text, (start, end, isAscii) => {
        const word = text.slice(start, end);
        const ids = this.#word(word);
        const parts = isAscii ? [word] : this.#confirmed(ids, splitBeyondAscii(word)) ?? [word];
        let at = start;
        for (const part of parts) add(this.#word(part), at, at += part.length);
      });
      return placed;
    }
    const parts = this.#confirmed(this.encode(text), splitBeforeSpaces(text));
    let at = 0;
    for (const part of parts ?? []) {
      add(this.#ask(part), at + part.length - part.trimStart().length, at + part.trimEnd().length);
      at += part.length;
    }
    return parts === undefined ? undefined : placed;
  }

  /** The frame of two texts. @throws SpillwayError `model_unsupported` when the tokenizer has none */
  pairFrame(): TokenFrame {
    const frame = this.#frameOf(SECOND);
    if (frame === undefined) throw modelError('model_unsupported', this.#path, 'has no way to put two texts together; expected the tokenizer of a model that ranks');
    return frame;
  }

  /** The parts, if their tokens one after another are those of the whole. */
  #confirmed(whole: readonly number[], parts: readonly string[]): readonly string[] | undefined {
    const ids = parts.flatMap((part) => this.#isBert ? this.#word(part) : this.#ask(part));
    return ids.length === whole.length && ids.every((id, i) => id === whole[i]) ? parts : undefined;
  }

  #word(word: string): readonly number[] {
    const known = this.#words.get(word);
    if (known !== undefined) return known;
    const ids = this.#ask(word);
    if (word.length <= WORD_UNITS_MAX) {
      if (this.#words.size >= WORDS_MAX) this.#words.clear();
      // A slice of a text would keep the whole text in memory.
      this.#words.set(Buffer.from(word, 'utf16le').toString('utf16le'), ids);
    }
    return ids;
  }

  #ask(text: string): readonly number[] {
    return this.#tokenizer.encode(text, { add_special_tokens: false }).ids;
  }

  #frameOf(second: typeof SECOND | null): TokenFrame | undefined {
    const processor = this.#tokenizer.post_processor;
    if (processor === null) return second === null ? NO_FRAME : undefined;
    const processed = processor.post_process([FIRST], second === null ? null : [second], true);
    const { tokens } = processed;
    const types = processed.token_type_ids ?? [];
    const first = tokens.indexOf(FIRST);
    const behind = second === null ? first : tokens.indexOf(second);
    if (first === -1 || behind < first || (second !== null && behind === first)) return undefined;
    const ids = (from: number, to: number): number[] => tokens.slice(from, to).map((token: string) => this.#specialId(token));
    const typeAt = (at: number): number => types[at] ?? 0;
    return {
      before: ids(0, first),
      between: second === null ? [] : ids(first + 1, behind),
      after: ids(behind + 1, tokens.length),
      types: [typeAt(0), typeAt(first), typeAt(first + 1), typeAt(behind), typeAt(tokens.length - 1)],
    };
  }

  #specialId(token: string): number {
    const id = this.#specialIds.get(token) ?? this.#tokenizer.token_to_id(token);
    if (id === undefined) throw modelError('model_malformed', this.#path, `puts the token ${JSON.stringify(token).slice(0, 80)} around texts, which its vocabulary lacks`);
    return id;
  }

  #sizeOf(model: unknown, added: readonly Readonly<Record<string, unknown>>[]): number {
    const vocab = (model as { vocab?: unknown } | null)?.vocab;
    const ids = Array.isArray(vocab) ? [vocab.length - 1] : Object.values(vocab ?? {});
    let largest = -1;
    for (const id of [...ids, ...added.map((token) => token['id'])] as readonly unknown[]) {
      if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id >= VOCABULARY_MAX) {
        throw modelError('model_malformed', this.#path, `has ${JSON.stringify(id)?.slice(0, 80)} as the number of a token; expected 0 to ${VOCABULARY_MAX - 1}`);
      }
      largest = Math.max(largest, id);
    }
    return largest + 1;
  }
}

/** Stand for the texts when the post-processor is asked what it puts around them; no vocabulary has tokens with a NUL. */
const FIRST = '\0first';
const SECOND = '\0second';
const NO_FRAME: TokenFrame = { before: [], between: [], after: [], types: [0, 0, 0, 0, 0] };

function typeOf(part: unknown): unknown {
  return (part as { type?: unknown } | null | undefined)?.type;
}

function listOf(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter((entry): entry is Record<string, unknown> => typeof entry === 'object' && entry !== null) : [];
}
