/** The few lines of a chunk that show best why it was found. */
import { printable } from './printable.ts';

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
    .map((line) => `    ${shortened(line.trim())}`)
    .join('\n');
}

function shortened(line: string): string {
  const shown = printable(line);
  return shown.length > COLUMNS ? `${shown.slice(0, COLUMNS - 1)}…` : shown;
}
