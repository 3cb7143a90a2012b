/**
 * Markdown by lines: headings, fences, tables, lists, paragraphs.
 *
 * A line scanner, not a parser: a full syntax tree of a large document costs seconds, and all that
 * is asked here is where a chunk should begin. It reads the block rules of CommonMark that matter
 * for that (ATX and setext headings, fences of both kinds, thematic breaks) plus tables and front
 * matter, and each line is looked at a fixed number of times.
 */
import { contentStart, emptyBoundaries, sentenceEndsBefore, STRENGTH_GLUED, STRENGTH_HEADING } from './boundaries.ts';
import type { Boundaries } from './boundaries.ts';
import type { LineIndex } from './line-index.ts';

const HASH = 0x23;
const DASH = 0x2d;
const EQUALS = 0x3d;
const PIPE = 0x7c;
const BACKTICK = 0x60;
const TILDE = 0x7e;
const HTML_HEADING = /^<h[1-6][\s>]/i;
const LIST_ITEM = /^(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
/** Front matter that is longer is not kept whole anyway. */
const FRONT_MATTER_LINES_MAX = 200;

type Kind = 'none' | 'heading' | 'table' | 'other';

export function markdownBoundaries(text: string, lines: LineIndex): Boundaries {
  const boundaries = emptyBoundaries(lines);
  const { strengths, blocks } = boundaries;
  let block = 0;
  let fence: Fence | undefined;
  let blankBefore = true;
  let before: Kind = 'none';
  let line = frontMatterLines(text, lines);
  if (line > 0) blocks.fill(++block, 0, line);

  for (; line < lines.count; line += 1) {
    const end = lines.ends[line]!;
    const at = contentStart(text, lines, line);
    if (at === end) {
      blankBefore = true;
      if (fence !== undefined) blocks[line] = block;
      if (before === 'table') before = 'other';
      continue;
    }
    if (fence !== undefined) {
      strengths[line] = blankBefore ? 3 : 1;
      blocks[line] = block;
      if (closes(fence, text, at, end)) fence = undefined;
      blankBefore = false;
      continue;
    }
    let strength: number;
    let kind: Kind = 'other';
    const opened = fenceAt(text, at, end);
    if (opened !== undefined) {
      fence = opened;
      blocks[line] = ++block;
      strength = blankBefore ? 30 : 20;
    } else if (isHeading(text, lines, line, at, end, blankBefore || before !== 'other')) {
      kind = 'heading';
      strength = STRENGTH_HEADING;
    } else if (before === 'heading' && !blankBefore && isRun(text, lines, line, EQUALS, DASH)) {
      // The underline of a setext heading belongs to it.
      kind = 'heading';
      strength = STRENGTH_GLUED;
    } else if (isTableRow(text, lines, line, at, end, before === 'table')) {
      kind = 'table';
      if (before !== 'table') block += 1;
      blocks[line] = block;
      strength = before === 'table' ? 2 : 35;
    } else strength = textStrength(text, lines, line, at, end, blankBefore);
    strengths[line] = before === 'heading' ? STRENGTH_GLUED : strength;
    before = kind;
    blankBefore = false;
  }
  return boundaries;
}

function textStrength(text: string, lines: LineIndex, line: number, at: number, end: number, blankBefore: boolean): number {
  const indent = at - lines.starts[line]!;
  if (isRun(text, lines, line, DASH, 0x2a, 0x5f)) return 60;
  if (LIST_ITEM.test(text.slice(at, Math.min(end, at + 12)))) {
    if (indent < 2) return blankBefore ? 25 : 15;
    return blankBefore ? 12 : 8;
  }
  if (blankBefore) return indent < 2 ? 40 : 12;
  return line > 0 && sentenceEndsBefore(text, lines.starts[line - 1]!, lines.ends[line - 1]!) ? 4 : 2;
}

function isHeading(text: string, lines: LineIndex, line: number, at: number, end: number, mayBeSetext: boolean): boolean {
  if (at - lines.starts[line]! > 3) return false;
  if (text.charCodeAt(at) === HASH) {
    let hashes = 1;
    while (hashes <= 6 && text.charCodeAt(at + hashes) === HASH) hashes += 1;
    const after = text.charCodeAt(at + hashes);
    return hashes <= 6 && (at + hashes === end || after === 0x20 || after === 0x09);
  }
  if (HTML_HEADING.test(text.slice(at, Math.min(end, at + 4)))) return true;
  return mayBeSetext && line + 1 < lines.count && isRun(text, lines, line + 1, EQUALS, DASH)
    && !isRun(text, lines, line, DASH, EQUALS) && !LIST_ITEM.test(text.slice(at, Math.min(end, at + 12)))
    && text.charCodeAt(at) !== PIPE && text.charCodeAt(at) !== 0x3e;
}

/** Whether a line is three or more times one of `marks` and nothing else (two suffice for no rule). */
function isRun(text: string, lines: LineIndex, line: number, ...marks: number[]): boolean {
  const start = contentStart(text, lines, line);
  const end = lines.ends[line]!;
  const mark = text.charCodeAt(start);
  if (!marks.includes(mark)) return false;
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code === mark) length += 1;
    else if (code !== 0x20 && code !== 0x09) return false;
  }
  return length >= 3;
}

function isTableRow(text: string, lines: LineIndex, line: number, at: number, end: number, inTable: boolean): boolean {
  if (text.charCodeAt(at) === PIPE) return true;
  if (!inTable && (line + 1 >= lines.count || !isDelimiterRow(text, lines, line + 1))) return false;
  return text.slice(at, end).includes('|');
}

/** The row of dashes below a table's head: nothing but `|`, `:`, `-` and spaces, and both marks. */
function isDelimiterRow(text: string, lines: LineIndex, line: number): boolean {
  let pipes = 0;
  let dashes = 0;
  for (let at = contentStart(text, lines, line); at < lines.ends[line]!; at += 1) {
    const code = text.charCodeAt(at);
    if (code === PIPE) pipes += 1;
    else if (code === DASH) dashes += 1;
    else if (code !== 0x3a && code !== 0x20 && code !== 0x09) return false;
  }
  return pipes > 0 && dashes > 0;
}

interface Fence {
  readonly mark: number;
  readonly length: number;
}

function fenceAt(text: string, at: number, end: number): Fence | undefined {
  const mark = text.charCodeAt(at);
  if (mark !== BACKTICK && mark !== TILDE) return undefined;
  let length = 1;
  while (at + length < end && text.charCodeAt(at + length) === mark) length += 1;
  // A line such as ```inline``` is a code span, not a fence.
  if (length < 3 || (mark === BACKTICK && text.slice(at + length, end).includes('`'))) return undefined;
  return { mark, length };
}

function closes(fence: Fence, text: string, at: number, end: number): boolean {
  let length = 0;
  while (at + length < end && text.charCodeAt(at + length) === fence.mark) length += 1;
  return length >= fence.length && text.slice(at + length, end).trim() === '';
}

/** How many lines of YAML stand between two lines of dashes at the very top, with those; else 0. */
function frontMatterLines(text: string, lines: LineIndex): number {
  const isDashes = (line: number): boolean => text.slice(lines.starts[line], lines.starts[line]! + 4).trim() === '---';
  if (!isDashes(0)) return 0;
  for (let line = 1; line < Math.min(lines.count, FRONT_MATTER_LINES_MAX); line += 1) {
    if (isDashes(line)) return line + 1;
  }
  return 0;
}
