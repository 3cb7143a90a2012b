/**
 * Makes `actors/inference/lexical/words.ts`, the word list of the built-in model.
 *
 *     node --conditions=spillway-src bench/lexical-words.ts <name>:<weight>:<folder>[,<folder>...] ...
 *
 * Each argument is one source: a name, its weight, and folders of documentation or code. Only the
 * number of paragraphs that hold a word leaves this script, never a sentence. A word counts if two
 * sources or more use it, so that no source's private names get in; its frequency is the weighted
 * mean over the sources, so that a large source does not outvote the others.
 */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { constants, brotliCompressSync } from 'node:zlib';

const WORDS_MAX = 24_000;
const SOURCE_BYTES_MAX = 60_000_000;
const TEXT_FILE = /\.(?:md|html|rst|txt|py|pod|pm|d\.ts|js)$|^[^.]+$/;
const SKIPPED_FOLDER = new Set(['node_modules', 'site-packages', 'test', 'tests', 'unicore', 'src', 'arch', '__pycache__']);
const SKIPPED_FILE = /^(?:all|print)\.html$/;
/** Words as the tokenizer sees them, without mere numbers. */
const WORD = /^(?=.*[a-z])[a-z0-9]{2,18}$/;

function* textFiles(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!SKIPPED_FOLDER.has(entry.name)) yield* textFiles(path);
    } else if (entry.isFile() && TEXT_FILE.test(entry.name) && !SKIPPED_FILE.test(entry.name) && statSync(path).size < 4_000_000) {
      yield path;
    }
  }
}

function plainText(path: string): string {
  const text = readFileSync(path, 'utf8');
  if (!path.endsWith('.html')) return text;
  return text
    .replace(/<(script|style|nav)[\s\S]*?<\/\1>/g, ' ')
    .replace(/<\/(?:p|li|pre|h\d|td|div|section)>/g, '\n\n')
    .replace(/<[^>]+>/g, '')
    .replace(/&#?\w+;/g, ' ');
}

/** The share of a source's paragraphs (blocks of 12 words and more) that hold each word. */
function paragraphShares(folders: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  const seen = new Set<string>();
  let bytes = 0;
  for (const folder of folders) {
    for (const path of textFiles(folder)) {
      const text = plainText(path);
      bytes += text.length;
      if (bytes > SOURCE_BYTES_MAX) break;
      for (const block of text.split(/\n\s*\n/)) {
        if (block.length < 60 || block.length > 4000) continue;
        const words = block.normalize('NFD').replace(/\p{M}+/gu, '').toLowerCase().match(/[\p{L}\p{N}]+/gu);
        if (words === null || words.length < 12) continue;
        const distinct = new Set(words);
        const beginning = [...distinct].slice(0, 12).join(' ');
        if (seen.has(beginning)) continue;
        seen.add(beginning);
        for (const word of distinct) counts.set(word, (counts.get(word) ?? 0) + 1);
      }
    }
  }
  const shares = new Map<string, number>();
  for (const [word, count] of counts) if (count > 1 && WORD.test(word)) shares.set(word, count / seen.size);
  return shares;
}

const sources = process.argv.slice(2).map((argument) => {
  const [name, weight, folders] = argument.split(':');
  if (name === undefined || folders === undefined || !(Number(weight) > 0)) throw new Error(`expected <name>:<weight>:<folders>, got ${argument}`);
  return { name, weight: Number(weight), folders: folders.split(',') };
});

const merged = new Map<string, { share: number; sources: number }>();
const weightTotal = sources.reduce((sum, { weight }) => sum + weight, 0);
for (const { name, weight, folders } of sources) {
  const shares = paragraphShares(folders);
  console.log(`${name}: ${shares.size} words`);
  for (const [word, share] of shares) {
    const entry = merged.get(word) ?? { share: 0, sources: 0 };
    entry.share += (weight * share) / weightTotal;
    entry.sources++;
    merged.set(word, entry);
  }
}

const ranked = [...merged]
  .filter(([, entry]) => entry.sources > 1)
  .map(([word, { share, sources }]) => ({ word, share, rank: share * Math.sqrt(sources) }))
  .sort((a, b) => b.rank - a.rank || (a.word < b.word ? -1 : 1))
  .slice(0, WORDS_MAX);

/** One line for each half power of two of rarity; within it words in order, each a shared-prefix length in base 36 and the rest. */
const lines: string[] = [];
for (const { word, share } of ranked.sort((a, b) => (a.word < b.word ? -1 : 1))) {
  const bucket = Math.round(-2 * Math.log2(share));
  while (lines.length <= bucket) lines.push('');
  lines[bucket] += `${word} `;
}
const coded = lines.map((line) => {
  let previous = '';
  return line.trim().split(' ').filter(Boolean).map((word) => {
    let shared = 0;
    while (shared < previous.length && previous[shared] === word[shared]) shared++;
    previous = word;
    return shared.toString(36) + word.slice(shared);
  }).join(' ');
}).join('\n');

/** Han characters of the national standards that browsers and Node decode: GB 2312, JIS X 0208, KS X 1001, Big5. */
function commonHan(): Uint8Array {
  const bitmap = new Uint8Array((0x9fff - 0x4e00 + 1) / 8);
  const ranges = [['gbk', 0xb0, 0xf7, 0xa1], ['shift_jis', 0x88, 0xea, 0x40], ['euc-kr', 0xca, 0xfd, 0xa1], ['big5', 0xa4, 0xc6, 0x40]] as const;
  for (const [encoding, first, last, trailFirst] of ranges) {
    const decoder = new TextDecoder(encoding);
    for (let lead = first; lead <= last; lead++) {
      for (let trail: number = trailFirst; trail <= 0xfe; trail++) {
        const code = decoder.decode(Uint8Array.of(lead, trail)).codePointAt(0)! - 0x4e00;
        if (code >= 0 && code < bitmap.length * 8) bitmap[code >> 3]! |= 1 << (code & 7);
      }
    }
  }
  return bitmap;
}

const pack = (data: Uint8Array): string => brotliCompressSync(data, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 24 } }).toString('base64');
const quoted = (text: string): string => text.replace(/.{1,160}/g, (piece) => `  '${piece}' +\n`).replace(/ \+\n$/, ';\n');
const target = new URL('../actors/inference/lexical/words.ts', import.meta.url);
writeFileSync(target, `/**
 * The data of the built-in model: common words with their rarity, and the common Han characters.
 *
 * Written by \`bench/lexical-words.ts\`, which says what the word list holds; \`word-list.ts\` reads
 * it. The words were counted in: the documentation of Rust 1.95 (MIT OR Apache-2.0); the library
 * of CPython 3.11 (PSF-2.0); numpy 2.4, scipy 1.17, sympy 1.14 and networkx 3.6 (BSD-3-Clause);
 * the library of Perl 5.36 (Artistic-1.0-Perl OR GPL-1.0-or-later); the help of Vim 9.0 (Vim); the
 * examples of awscli 1.45 (Apache-2.0); the library declarations of TypeScript 7.0 (Apache-2.0);
 * npm 11 (Artistic-2.0); and the common licences of Debian 12.
 */

/** Brotli, base64. Line \`b\` holds the words that about one paragraph in \`2 ** (b / 2)\` uses. */
export const PACKED_WORDS =
${quoted(pack(Buffer.from(coded)))}
/** Brotli, base64: one bit for each code point from U+4E00 to U+9FFF, lowest bit first. */
export const PACKED_HAN =
${quoted(pack(commonHan()))}`);
console.log(`${ranked.length} words, rarest bucket ${lines.length - 1}, ${statSync(target).size} bytes`);
