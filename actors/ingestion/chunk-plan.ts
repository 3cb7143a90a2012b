/**
 * Cutting a text into chunks: what is embedded, stored and found again.
 *
 * Own code rather than a chunking library, because three things must hold at once that none offers
 * together: exact byte and line ranges, Markdown and code layout respected, and a linear time that
 * no input can spoil. What was looked at either recurses over separators and searches the text
 * again for offsets, or knows only one kind of layout.
 *
 * How it works. A reader for the kind of text rates every line as a place to begin a chunk
 * (`boundaries.ts`). Lines too long for a chunk are cut into pieces (`cutLine`). Then pieces are
 * packed greedily: a chunk grows until the next piece would not fit, and ends at the best rated
 * boundary behind its first quarter. So small neighbours are merged, and large blocks are cut where
 * it hurts least. A heading ends the chunk before it unless that is very small. A fenced block or a
 * table is not cut if it fits as a whole; when it does not fit together with the heading above it,
 * the heading wins, since a heading alone is of no use to a search.
 *
 * Every chunk looks at no more than `LINES_MAX` lines or the pieces of its size, so the time is
 * linear in the text. The same text, path and settings give the same chunks and ids on every
 * machine; `PLAN_VERSION` goes up when the result for any text changes.
 */
import assert from 'node:assert';
import { hash } from 'node:crypto';
import { extname, posix } from 'node:path';
import { proseBoundaries, STRENGTH_GLUED, STRENGTH_HEADING } from './boundaries.ts';
import type { BoundaryReader } from './boundaries.ts';
import { codeBoundaries } from './code-boundaries.ts';
import { indexLines } from './line-index.ts';
import { markdownBoundaries } from './markdown-boundaries.ts';
import { cutLine, quartersOf } from './token-estimate.ts';

/** Part of every chunk id, so that ids of another planner are never mistaken for this one's. */
export const PLAN_VERSION = 1;

/** Half of the context of the usual BERT model: an estimate that is wrong by two still fits. */
const DEFAULT_CHUNK_SETTINGS: ChunkSettings = { maxTokens: 256 };

/** More lines do not make a useful search result, however short they are. */
const LINES_MAX = 100;
/** White space has no tokens; this bounds a chunk that consists of it for the most part. */
const UNITS_PER_TOKEN_MAX = 16;
/** A part of this share of the limit may be left before a boundary that is not a heading. */
const FILL_MIN = 1 / 4;
/** A heading begins a new chunk when what stands before it has this share of the limit. */
const FILL_BEFORE_HEADING = 1 / 8;

export interface ChunkSettings {
  /** The largest estimate (`estimateTokens`) a chunk may have; at least 16. */
  readonly maxTokens: number;
}

export interface Chunk {
  /** 128 bits in hex: a hash of path, byte range, text, settings and planner version. */
  readonly id: string;
  /** 0, 1, 2, … within the file. */
  readonly ordinal: number;
  readonly startByte: number;
  readonly endByte: number;
  /** 1-based. */
  readonly startLine: number;
  /** 1-based, inclusive. */
  readonly endLine: number;
  /** Exactly what the byte range decodes to. */
  readonly text: string;
}

export type TextKind = 'markdown' | 'code' | 'prose';

const READERS: Readonly<Record<TextKind, BoundaryReader>> = { markdown: markdownBoundaries, code: codeBoundaries, prose: proseBoundaries };

const MARKDOWN = new Set('md markdown mdx mkd mkdn mdown qmd rmd'.split(' '));
const CODE = new Set((
  'ts mts cts tsx js mjs cjs jsx py pyi pyw rb rs go c h cc cpp cxx hh hpp hxx cs java kt kts scala groovy gradle swift m mm php '
  + 'pl pm lua r jl ex exs erl hrl hs elm ml mli fs fsx clj cljs edn lisp el scm sh bash zsh fish ps1 bat cmd sql proto graphql gql '
  + 'json jsonc json5 yaml yml toml ini cfg conf properties xml html htm xhtml svg vue svelte astro css scss sass less styl tf hcl nix '
  + 'cmake mk dart zig v sv vhd nim d pas f90 asm s wat sol vim gd glsl hlsl wgsl cu dockerfile'
).split(' '));
const CODE_NAMES = new Set(['makefile', 'dockerfile', 'cmakelists.txt', 'rakefile', 'gemfile', 'jenkinsfile', 'build', 'workspace']);

/** How a file is laid out, by its name alone. */
export function textKindOf(path: string): TextKind {
  const name = posix.basename(path).toLowerCase();
  const extension = extname(name).slice(1);
  if (MARKDOWN.has(extension)) return 'markdown';
  return CODE.has(extension) || CODE_NAMES.has(name) ? 'code' : 'prose';
}

/**
 * The chunks of a text, in order, without overlap, covering everything but white space.
 *
 * @param file `path` decides the layout and goes into the ids; `text` is the file decoded from
 *   UTF-8 with its byte order mark, if it has one, left in
 */
export function planChunks(file: { readonly path: string; readonly text: string }, settings: ChunkSettings = DEFAULT_CHUNK_SETTINGS): Chunk[] {
  assert(Number.isInteger(settings.maxTokens) && settings.maxTokens >= 16, 'maxTokens must be an integer of at least 16');
  const quartersMax = settings.maxTokens * 4;
  const origin = { byte: 0, line: 1, ordinal: 0 };
  return plan(file.path, file.text, quartersMax, origin, `${settings.maxTokens}`);
}

/**
 * Two or more smaller chunks in place of one that a model refused as too long, or the chunk itself
 * when it is a single character. Deterministic; may be repeated on the results. All results carry
 * the ordinal of the chunk they replace.
 */
export function splitChunk(path: string, chunk: Chunk): Chunk[] {
  const quarters = quartersOf(chunk.text, 0, chunk.text.length);
  const origin = { byte: chunk.startByte, line: chunk.startLine, ordinal: chunk.ordinal };
  const halves = plan(path, chunk.text, Math.max(1, Math.floor(quarters / 2)), origin, `split ${quarters}`);
  return halves.length < 2 ? [chunk] : halves.map((half) => ({ ...half, ordinal: chunk.ordinal }));
}

interface Origin {
  readonly byte: number;
  readonly line: number;
  readonly ordinal: number;
}

function plan(path: string, text: string, quartersMax: number, origin: Origin, settings: string): Chunk[] {
  const pieces = cutIntoPieces(text, textKindOf(path), quartersMax);
  const chunks: Chunk[] = [];
  let byte = origin.byte;
  let unit = 0;
  let first = 0;
  while (first < pieces.count) {
    const next = endOfChunk(pieces, first, quartersMax);
    const start = pieces.starts[first]!;
    const end = pieces.ends[next - 1]!;
    const chunkText = text.slice(start, end);
    const startByte = byte + Buffer.byteLength(text.slice(unit, start));
    const endByte = startByte + Buffer.byteLength(chunkText);
    const id = hash('sha256', `${PLAN_VERSION}\0${settings}\0${path}\0${startByte}\0${endByte}\0${chunkText}`, 'hex').slice(0, 32);
    chunks.push({
      id, ordinal: origin.ordinal + chunks.length, startByte, endByte,
      startLine: origin.line + pieces.lines[first]!, endLine: origin.line + pieces.lines[next - 1]!, text: chunkText,
    });
    byte = endByte;
    unit = end;
    first = next;
  }
  return chunks;
}

/** The lines that are not blank, and the parts of those that are too long. Columns, one row each. */
interface Pieces {
  count: number;
  readonly starts: number[];
  readonly ends: number[];
  readonly lines: number[];
  readonly strengths: number[];
  /** The estimates of all pieces before this one, added up; one entry more than pieces. */
  readonly sums: number[];
  /** The first piece of the block kept whole that a piece belongs to, -1 for none. */
  readonly blockStarts: number[];
  /** At the first piece of such a block: the piece after its last. */
  readonly blockEnds: Map<number, number>;
}

function cutIntoPieces(text: string, kind: TextKind, quartersMax: number): Pieces {
  const lines = indexLines(text);
  const boundaries = READERS[kind](text, lines);
  const pieces: Pieces = { count: 0, starts: [], ends: [], lines: [], strengths: [], sums: [0], blockStarts: [], blockEnds: new Map() };
  const unitsMax = unitsLimit(quartersMax);
  let sum = 0;
  let blockStart = -1;
  let block = 0;
  for (let line = 0; line < lines.count; line += 1) {
    const end = lines.ends[line]!;
    let start = lines.starts[line]!;
    // The mark is not text, but it keeps its three bytes in front of the first chunk.
    if (line === 0 && text.charCodeAt(0) === 0xfeff) start = 1;
    let strength = boundaries.strengths[line]!;
    if (boundaries.blocks[line] !== block) {
      block = boundaries.blocks[line]!;
      blockStart = block === 0 ? -1 : pieces.count;
    }
    while (start < end) {
      let stop = end;
      let quarters = quartersOf(text, start, Math.min(end, start + unitsMax));
      if (quarters > quartersMax || end - start > unitsMax) {
        stop = cutLine(text, start, end, quartersMax, unitsMax);
        quarters = quartersOf(text, start, stop);
      }
      if (quarters > 0) {
        pieces.starts.push(start);
        pieces.ends.push(stop);
        pieces.lines.push(line);
        pieces.strengths.push(strength);
        pieces.blockStarts.push(blockStart);
        pieces.sums.push((sum += quarters));
        pieces.count += 1;
        if (blockStart !== -1) pieces.blockEnds.set(blockStart, pieces.count);
        strength = 1;
      }
      start = stop;
    }
  }
  return pieces;
}

function unitsLimit(quartersMax: number): number {
  return Math.max(64, (quartersMax * UNITS_PER_TOKEN_MAX) / 4);
}

/** Whether the pieces from `first` up to, but not including, `next` may be one chunk. */
function fits(pieces: Pieces, first: number, next: number, quartersMax: number): boolean {
  return share(pieces, first, next, quartersMax) <= 1;
}

/** How much of the largest chunk the pieces fill, by whatever limit they are nearest to. */
function share(pieces: Pieces, first: number, next: number, quartersMax: number): number {
  const quarters = pieces.sums[next]! - pieces.sums[first]!;
  const lines = pieces.lines[next - 1]! - pieces.lines[first]! + 1;
  const units = pieces.ends[next - 1]! - pieces.starts[first]!;
  return Math.max(quarters / quartersMax, lines / LINES_MAX, units / unitsLimit(quartersMax));
}

/** The piece after the last one of the chunk that begins with the piece `first`. */
function endOfChunk(pieces: Pieces, first: number, quartersMax: number): number {
  let next = first + 1;
  const enough = quartersMax * FILL_BEFORE_HEADING;
  while (next < pieces.count && fits(pieces, first, next + 1, quartersMax)) {
    if (pieces.strengths[next] === STRENGTH_HEADING && pieces.sums[next]! - pieces.sums[first]! >= enough) return next;
    next += 1;
  }
  if (next === pieces.count) return next;
  return bestBoundary(pieces, first, next, quartersMax, 'blocks whole') ?? bestBoundary(pieces, first, next, quartersMax, 'blocks cut') ?? next;
}

/** The best piece to begin the next chunk with, behind `first` and not behind `last`; the later of equals. */
function bestBoundary(pieces: Pieces, first: number, last: number, quartersMax: number, mode: 'blocks whole' | 'blocks cut'): number | undefined {
  const inBlock = (piece: number): boolean => {
    const start = pieces.blockStarts[piece]!;
    return start !== -1 && start !== piece && start >= first && fits(pieces, start, pieces.blockEnds.get(start)!, quartersMax);
  };
  // Where a block begins that would be cut otherwise, a chunk may end however small it is.
  const rescued = inBlock(last) ? pieces.blockStarts[last]! : -1;
  let best: number | undefined;
  for (let piece = last; piece > first; piece -= 1) {
    const strength = pieces.strengths[piece]!;
    if (best !== undefined && strength <= pieces.strengths[best]!) continue;
    if (mode === 'blocks whole' && (strength === STRENGTH_GLUED || inBlock(piece))) continue;
    const large = share(pieces, first, piece, quartersMax) >= FILL_MIN;
    if (large || strength === STRENGTH_HEADING || (mode === 'blocks whole' && piece === rescued)) best = piece;
  }
  return best;
}
