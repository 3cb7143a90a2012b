/**
 * Known-item search: does a text come back for a few of its words?
 *
 *     node --conditions=spillway-src bench/known-item.ts [--folder <folder>]... [--kind paragraph|chunk]
 *          [--extension .md]... [--words 5] [--seeds 3] [--limit 2000] [--model <file.gguf>] [--json]
 *
 * From each item some of its words are taken, in random order, and one is misspelt. The item
 * counts as found at 1 (R@1) if no other item's vector is nearer to the query's, and at 5 (R@5) if
 * fewer than five are.
 *
 * A paragraph is a block of Markdown between blank lines, outside code fences, with 20 to 250 words
 * and at least three quarters letters and spaces; link targets, HTML tags and addresses are left
 * out. A chunk is whole lines up to 900 characters, about 200 tokens, whatever they hold. Of items
 * whose sets of words agree by 0.7 or more (Jaccard), such as copies of a licence, one is kept.
 * Words for queries are distinct and drawn at random from those with four letters and more that are
 * no function words of English; all words when an item has too few of those.
 *
 * The default folder is `node_modules`, without TypeScript, whose text is in the model's word list,
 * and without the `node` package, nearly all of which is one change log.
 */
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureLexicalModel } from '../actors/inference/lexical/index.ts';
import { llamaBackend } from '../actors/inference/llama/llama-backend.ts';
import { mulberry32 } from './models/mulberry32.ts';

export interface KnownItemOptions {
  readonly print: (line: string) => void;
  readonly folders?: readonly string[];
  readonly extensions?: readonly string[];
  readonly kind?: 'paragraph' | 'chunk';
  /** Words in a query. */
  readonly words?: number;
  readonly seeds?: number;
  /** The most items; drawn at random from all. */
  readonly limit?: number;
  /** Path of a GGUF file; the built-in model if left out. */
  readonly model?: string;
}

export interface KnownItemReport {
  readonly model: string;
  readonly items: number;
  readonly words: number;
  readonly itemsPerSecond: number;
  readonly runs: readonly { readonly seed: number; readonly r1: number; readonly r5: number }[];
}

const SKIPPED_FOLDER = new Set(['typescript', '@typescript', 'node', '.bin', '.cache', '.vite', '.vitest']);
const FILE_BYTES_MAX = 400_000;
const CHUNK_CHARACTERS = 900;
const SAME_ITEM = 0.7;
const WORD_LETTERS_MIN = 4;
const FUNCTION_WORDS = new Set(
  ('about above after again against almost alone along already also although always among another anybody anyone anything around away back became because become been before behind being below ' +
  'between both cannot could does doing done down during each either else enough even ever every everything from further gets give given goes going gone have having here hers herself himself ' +
  'however into itself just keep kind last least less like likely made make makes making many might mine more most much must myself need needs neither never nobody none nothing often once only ' +
  'onto other others otherwise ours over perhaps please possible quite rather really same seem seems several shall should since some someone something such sure take than that their theirs them ' +
  'themselves then there these they thing things this those though through thus together toward towards under until upon used uses using usually very want well went were what whatever when ' +
  'where whether which while whole whom whose will with within without would your yours yourself').split(' '),
);

type Random = () => number;

function shuffle<T>(items: T[], random: Random): T[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];

function* files(folder: string, extensions: readonly string[]): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && !SKIPPED_FOLDER.has(entry.name)) yield* files(path, extensions);
    else if (entry.isFile() && extensions.some((end) => entry.name.endsWith(end)) && statSync(path).size <= FILE_BYTES_MAX) yield path;
  }
}

function* paragraphsOf(text: string): Generator<string> {
  const prose = text
    .replace(/```[\s\S]*?```|~~~[\s\S]*?~~~/g, '\n\n')
    .replace(/\]\([^)]*\)/g, ']')
    .replace(/<[^>]*>|https?:\/\/\S+/g, ' ');
  for (const block of prose.split(/\n\s*\n/)) {
    const paragraph = block.trim().replace(/\s+/g, ' ');
    const count = paragraph.match(/[\p{L}\p{N}]+/gu)?.length ?? 0;
    const letters = paragraph.match(/[\p{L}\p{M} ]/gu)?.length ?? 0;
    if (count >= 20 && count <= 250 && letters >= 0.75 * paragraph.length) yield paragraph;
  }
}

function* chunksOf(text: string): Generator<string> {
  let chunk = '';
  for (const line of text.split('\n')) {
    if (line.length > CHUNK_CHARACTERS / 2) continue;
    chunk += `${line}\n`;
    if (chunk.length < CHUNK_CHARACTERS) continue;
    yield chunk;
    chunk = '';
  }
}

/** Keeps the first of items that say nearly the same. */
function distinct(items: Iterable<string>): string[] {
  const kept: string[] = [];
  const sizes: number[] = [];
  const holders = new Map<string, number[]>();
  for (const item of items) {
    const words = new Set(wordsOf(item));
    const shared = new Map<number, number>();
    for (const word of words) for (const index of holders.get(word) ?? []) shared.set(index, (shared.get(index) ?? 0) + 1);
    if ([...shared].some(([index, count]) => count >= SAME_ITEM * (words.size + sizes[index]! - count))) continue;
    for (const word of words) holders.set(word, [...(holders.get(word) ?? []), kept.length]);
    kept.push(item);
    sizes.push(words.size);
  }
  return kept;
}

/** One letter left out, put in, replaced, or changed for its neighbour. */
function misspell(word: string, random: Random): string {
  const letters = Array.from(word);
  const alphabet = Array.from(/[a-z]/.test(word) ? 'abcdefghijklmnopqrstuvwxyz' : word);
  for (;;) {
    const changed = [...letters];
    const at = Math.floor(random() * letters.length);
    const letter = alphabet[Math.floor(random() * alphabet.length)]!;
    const kind = Math.floor(random() * 4);
    if (kind === 0) changed.splice(at, 1);
    else if (kind === 1) changed.splice(at, 0, letter);
    else if (kind === 2) changed[at] = letter;
    else {
      const first = Math.max(0, Math.min(at, letters.length - 2));
      changed.splice(first, 2, ...letters.slice(first, first + 2).toReversed());
    }
    if (changed.join('') !== word) return changed.join('');
    if (new Set(letters).size === 1) return `${word}${word}`;
  }
}

function queryFor(item: string, wordCount: number, random: Random): string {
  const all = [...new Set(wordsOf(item))];
  const telling = all.filter((word) => Array.from(word).length >= WORD_LETTERS_MIN && !FUNCTION_WORDS.has(word));
  const words = shuffle(telling.length >= wordCount ? telling : all, random).slice(0, wordCount);
  words[0] = misspell(words[0]!, random);
  return shuffle(words, random).join(' ');
}

/** Runs the experiment. Prints one line for each seed. */
export async function run({
  print, folders = [new URL('../node_modules', import.meta.url).pathname], extensions = ['.md'], kind = 'paragraph', words = 5, seeds = 3, limit = 2000, model,
}: KnownItemOptions): Promise<KnownItemReport> {
  const split = kind === 'chunk' ? chunksOf : paragraphsOf;
  const found: string[] = [];
  for (const folder of folders) for (const path of files(folder, extensions)) found.push(...split(readFileSync(path, 'utf8')));
  const items = shuffle(distinct(found), mulberry32(0)).slice(0, limit);

  const cacheFolder = model === undefined ? mkdtempSync(join(tmpdir(), 'spillway-known-item-')) : undefined;
  try {
    const backend = await llamaBackend.load(model ?? (await ensureLexicalModel(cacheFolder!)).path, { truncate: 'right' });
    try {
      const { dimensions, name } = backend.model;
      const embed = async (texts: readonly string[]): Promise<Float32Array> =>
        (await backend.embed(texts, { cancelled: () => false, deadlineMs: Infinity })).vectors;
      const startedMs = performance.now();
      const itemVectors = await embed(items);
      const itemsPerSecond = Math.round((items.length / (performance.now() - startedMs)) * 1000);
      print(`${name}: ${items.length} items (${kind}), ${words} words each, one misspelt; ${itemsPerSecond} items/s embedded`);
      const runs: { seed: number; r1: number; r5: number }[] = [];
      for (let seed = 1; seed <= seeds; seed++) {
        const random = mulberry32(seed);
        const queryVectors = await embed(items.map((item) => queryFor(item, words, random)));
        const { r1, r5 } = rank(queryVectors, itemVectors, dimensions);
        print(`seed ${seed}: R@1 ${r1.toFixed(3)}  R@5 ${r5.toFixed(3)}`);
        runs.push({ seed, r1, r5 });
      }
      return { model: name, items: items.length, words, itemsPerSecond, runs };
    } finally {
      await backend.close();
    }
  } finally {
    if (cacheFolder !== undefined) rmSync(cacheFolder, { recursive: true, force: true });
  }
}

/** Query `q` looks for item `q`, by the inner product of unit vectors. */
function rank(queryVectors: Float32Array, itemVectors: Float32Array, dimensions: number): { r1: number; r5: number } {
  const count = itemVectors.length / dimensions;
  let at1 = 0;
  let at5 = 0;
  for (let q = 0; q < count; q++) {
    const query = queryVectors.subarray(q * dimensions, (q + 1) * dimensions);
    const own = similarity(query, itemVectors, q);
    let nearer = 0;
    // A tie, or a vector that is not a number, counts against the model.
    for (let i = 0; i < count && nearer < 5; i++) if (i !== q && !(similarity(query, itemVectors, i) < own)) nearer++;
    if (nearer < 1) at1++;
    if (nearer < 5) at5++;
  }
  return { r1: at1 / count, r5: at5 / count };
}

function similarity(query: Float32Array, vectors: Float32Array, index: number): number {
  let sum = 0;
  for (let k = 0, at = index * query.length; k < query.length; k++) sum += query[k]! * vectors[at + k]!;
  return sum;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      folder: { type: 'string', multiple: true }, extension: { type: 'string', multiple: true }, kind: { type: 'string' },
      words: { type: 'string' }, seeds: { type: 'string' }, limit: { type: 'string' }, model: { type: 'string' }, json: { type: 'boolean', default: false },
    },
  });
  const report = await run({
    print: values.json ? () => {} : console.log,
    ...(values.folder && { folders: values.folder }),
    ...(values.extension && { extensions: values.extension }),
    ...(values.kind === 'chunk' && { kind: 'chunk' }),
    ...(values.words && { words: Number(values.words) }),
    ...(values.seeds && { seeds: Number(values.seeds) }),
    ...(values.limit && { limit: Number(values.limit) }),
    ...(values.model && { model: values.model }),
  });
  if (values.json) console.log(JSON.stringify(report));
}
