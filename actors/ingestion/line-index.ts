/**
 * Where the lines of a text begin and end, as code unit offsets.
 *
 * A line ends at LF or CRLF, as in git and in compilers; a lone CR is white space within a line.
 */
export interface LineIndex {
  readonly count: number;
  /** Offset of the first code unit of each line. */
  readonly starts: Uint32Array;
  /** Offset after the last code unit of each line, its line ending left out. */
  readonly ends: Uint32Array;
}

export function indexLines(text: string): LineIndex {
  let count = 1;
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) count += 1;
  const starts = new Uint32Array(count);
  const ends = new Uint32Array(count);
  let start = 0;
  for (let line = 0; line < count; line += 1) {
    const at = line === count - 1 ? text.length : text.indexOf('\n', start);
    starts[line] = start;
    ends[line] = at > start && line < count - 1 && text.charCodeAt(at - 1) === 0x0d ? at - 1 : at;
    start = at + 1;
  }
  return { count, starts, ends };
}
