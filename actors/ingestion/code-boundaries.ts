/**
 * Source code by indentation and blank lines, in any language.
 *
 * A parser per language would know more, but it has to exist for each, be loaded, and survive
 * broken files. People already lay code out for readers: what belongs together is indented further
 * and has no blank line in it. So the best place to begin a chunk is the line with the least
 * indentation, better after a blank line, best where a declaration begins; never at a closing
 * bracket, and never between a comment or decorator and what it describes.
 */
import { contentStart, emptyBoundaries, STRENGTH_GLUED } from './boundaries.ts';
import type { Boundaries } from './boundaries.ts';
import type { LineIndex } from './line-index.ts';

/** Deeper than this, all lines are equally bad places. */
const COLUMNS_MAX = 40;
const TAB_COLUMNS = 4;
/** How much of a line's beginning decides what it is. */
const HEAD_UNITS = 48;

const CONTINUES = /^(?:[})\]]|(?:else|elif|catch|except|finally|then|end|fi|done|esac|rescue|ensure|where)\b)/;
const DECLARES = /^(?:(?:export|default|public|private|protected|internal|static|final|abstract|async|pub(?:\([a-z]+\))?|unsafe|extern|inline|virtual|override|sealed|data|open|declare|const)\s+)*(?:function|class|def|fn|func|fun|interface|struct|impl|enum|trait|type|module|namespace|package|record|object|protocol|extension|macro_rules!|template|sub|proc|CREATE|create)\b/;
const DESCRIBES = /^(?:\/\/|\/\*|\*|#(?!include|define|if|endif|else|pragma|!)|--|;;|@|"""|'''|template\s*<)/;

export function codeBoundaries(text: string, lines: LineIndex): Boundaries {
  const boundaries = emptyBoundaries(lines);
  let blankBefore = true;
  let described = false;
  for (let line = 0; line < lines.count; line += 1) {
    const at = contentStart(text, lines, line);
    if (at === lines.ends[line]) {
      blankBefore = true;
      continue;
    }
    const head = text.slice(at, Math.min(lines.ends[line]!, at + HEAD_UNITS));
    if (CONTINUES.test(head) || (described && !blankBefore)) boundaries.strengths[line] = STRENGTH_GLUED;
    else {
      const base = 4 * (COLUMNS_MAX - columns(text, lines.starts[line]!, at));
      boundaries.strengths[line] = 1 + base + (blankBefore ? 6 : 0) + (DECLARES.test(head) ? 3 : 0);
    }
    described = DESCRIBES.test(head);
    blankBefore = false;
  }
  return boundaries;
}

function columns(text: string, start: number, end: number): number {
  let count = 0;
  for (let at = start; at < end && count < COLUMNS_MAX; at += 1) count += text.charCodeAt(at) === 0x09 ? TAB_COLUMNS : 1;
  return Math.min(count, COLUMNS_MAX);
}
