/**
 * The texts of the inference bench. All ways walk through one endless sequence, the same for all, and no
 * text of it comes twice unless the workload says so: a cache or a de-duplication earns nothing by accident.
 */
import { textOfTokens } from '../models/minilm.ts';
import type { TextLength, Workload } from './task.ts';

const MIXED_MIN = 8;
const MIXED_MAX = 256;
/** So many lengths make one block of the mix, evenly over the logarithm, so that every block is the same work. */
const MIXED_BLOCK = 64;
/** Odd, so that it visits every place of a block once: neighbours in a block are not of like length. */
const MIXED_STRIDE = 27;
/** A repeated text is one of so many before it, at the most. */
const REPEAT_WITHIN = 500;

export class TextSource {
  #texts = 0;

  /** The next `count` texts of a workload. */
  take({ length, repeated = 0 }: Workload, count: number): string[] {
    const texts: string[] = [];
    for (let index = 0; index < count; index++) {
      if (texts.length > 0 && repeatsAmong(index + 1, repeated) > repeatsAmong(index, repeated)) {
        texts.push(texts[texts.length - 1 - ((index * MIXED_STRIDE) % Math.min(REPEAT_WITHIN, texts.length))]!);
      } else {
        texts.push(textOfTokens(tokensOf(length, index), ++this.#texts));
      }
    }
    return texts;
  }
}

/** A number of texts near `count` whose work is typical of the workload. */
export function wholeBlocks({ length }: Workload, count: number): number {
  if (length !== 'mixed') return Math.max(1, Math.round(count));
  return Math.max(1, Math.round(count / MIXED_BLOCK)) * MIXED_BLOCK;
}

/** Rounded, because multiples of a share such as 0.3 are not exact. */
function repeatsAmong(texts: number, share: number): number {
  return Math.floor(Number((texts * share).toFixed(6)));
}

function tokensOf(length: TextLength, index: number): number {
  if (length !== 'mixed') return length;
  const place = ((index * MIXED_STRIDE) % MIXED_BLOCK + 0.5) / MIXED_BLOCK;
  return Math.round(MIXED_MIN * (MIXED_MAX / MIXED_MIN) ** place);
}
