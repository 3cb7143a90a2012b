/**
 * What the three readers (Markdown, code, prose) tell the chunk planner about a text: for each
 * line, how good a place it is to begin a chunk.
 */
import type { LineIndex } from './line-index.ts';
import { endsSentence, isSpace } from './token-estimate.ts';

/** A heading: a chunk begins here even when there is room left. */
export const STRENGTH_HEADING = 200;
/** Directly below a heading or the like: a chunk does not begin here if anything else is possible. */
export const STRENGTH_GLUED = 0;

export interface Boundaries {
  /** For each line that is not blank; larger is better. */
  readonly strengths: Uint8Array;
  /** For each line, blank or not, the number of the block that is kept whole when it fits, 0 for none. */
  readonly blocks: Uint32Array;
}

export type BoundaryReader = (text: string, lines: LineIndex) => Boundaries;

export function emptyBoundaries(lines: LineIndex): Boundaries {
  return { strengths: new Uint8Array(lines.count), blocks: new Uint32Array(lines.count) };
}

/** Offset of the first code unit of a line that is not white space; its end when it is blank. */
export function contentStart(text: string, lines: LineIndex, line: number): number {
  const end = lines.ends[line]!;
  let at = lines.starts[line]!;
  while (at < end && isSpace(text.charCodeAt(at))) at += 1;
  return at;
}

/** Whether the text before `end` closes a sentence, white space left aside. */
export function sentenceEndsBefore(text: string, start: number, end: number): boolean {
  let at = end - 1;
  while (at >= start && isSpace(text.charCodeAt(at))) at -= 1;
  return at >= start && endsSentence(text.charCodeAt(at));
}

/** Plain text: paragraphs, then sentences that begin a line, then lines. */
export const proseBoundaries: BoundaryReader = (text, lines) => {
  const boundaries = emptyBoundaries(lines);
  let blankBefore = true;
  for (let line = 0; line < lines.count; line += 1) {
    if (contentStart(text, lines, line) === lines.ends[line]) {
      blankBefore = true;
      continue;
    }
    const newSentence = line > 0 && sentenceEndsBefore(text, lines.starts[line - 1]!, lines.ends[line - 1]!);
    boundaries.strengths[line] = blankBefore ? 40 : newSentence ? 4 : 2;
    blankBefore = false;
  }
  return boundaries;
};
