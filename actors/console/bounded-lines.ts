/**
 * The lines of a stream, each with a bound: a line that is longer is told as such without being held, so no input
 * makes the process grow.
 */
import { isUtf8 } from 'node:buffer';

/** A line without its end, or why it cannot be given. */
export type Line = { readonly text: string } | { readonly fault: 'too_many_bytes' | 'not_unicode' };

const NEWLINE = 0x0a;

/** @param bytesMax of one line, without its end */
export async function* boundedLines(source: AsyncIterable<Uint8Array>, bytesMax: number): AsyncGenerator<Line, void, undefined> {
  let parts: Uint8Array[] = [];
  let sizeBytes = 0;
  let isTooLong = false;
  const add = (part: Uint8Array): void => {
    sizeBytes += part.length;
    if (sizeBytes > bytesMax) {
      isTooLong = true;
      parts = [];
    } else if (part.length > 0) parts.push(part);
  };
  const take = (): Line => {
    const line = isTooLong ? ({ fault: 'too_many_bytes' } as const) : decoded(parts);
    parts = [];
    sizeBytes = 0;
    isTooLong = false;
    return line;
  };
  for await (const chunk of source) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, end));
      yield take();
      start = end + 1;
    }
    // What is kept over chunks is a copy: the stream may use its buffer again.
    add(Uint8Array.from(chunk.subarray(start)));
  }
  if (sizeBytes > 0) yield take();
}

function decoded(parts: readonly Uint8Array[]): Line {
  const bytes = Buffer.concat(parts);
  if (!isUtf8(bytes)) return { fault: 'not_unicode' };
  const text = bytes.toString('utf8');
  return { text: text.endsWith('\r') ? text.slice(0, -1) : text };
}
