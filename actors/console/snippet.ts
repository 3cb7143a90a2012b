/** The few lines of a chunk that show best why it was found. */
const LINES = 3;
const COLUMNS = 160;

/** The window of lines with the most words of the query, the first of equals; indented for a terminal. */
export function snippet(text: string, query: string): string {
  const words = new Set(query.toLowerCase().match(/[\p{L}\p{N}]{2,}/gu));
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '');
  const score = lines.map((line) => (line.toLowerCase().match(/[\p{L}\p{N}]{2,}/gu) ?? []).filter((word) => words.has(word)).length);
  let best = 0;
  let bestScore = -1;
  for (let start = 0; start <= Math.max(0, lines.length - LINES); start++) {
    const sum = score.slice(start, start + LINES).reduce((total, one) => total + one, 0);
    if (sum > bestScore) [best, bestScore] = [start, sum];
  }
  return lines
    .slice(best, best + LINES)
    .map((line) => `    ${printable(line.trim())}`)
    .join('\n');
}

/** A text from a file must not drive the terminal: control characters are shown as dots. */
function printable(line: string): string {
  const shown = line.replace(/\p{Cc}/gu, '·');
  return shown.length > COLUMNS ? `${shown.slice(0, COLUMNS - 1)}…` : shown;
}
