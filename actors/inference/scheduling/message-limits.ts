/**
 * What fits into one message to an inference actor, and one answer from it.
 */

/** Texts in one unit at the most: enough to hide the cost of a message, few enough to be cancelled soon. */
const BATCH_TEXTS_MAX = 32;
/** Bytes of vectors that one answer may hold, well below what a data lane takes. */
const BATCH_VECTOR_BYTES = 256 * 1024;
/** UTF-16 units of text in one unit: up to two bytes each, half of what a data lane takes. */
export const BATCH_UNITS_MAX = 120_000;
/** A single text may fill a unit on its own; a longer one is refused. */
export const TEXT_UNITS_MAX = 240_000;

/** The same for the control lane, whose records hold 32 KiB: up to three bytes for a UTF-16 unit, and the texts' lengths. */
export const URGENT_UNITS_MAX = 8_000;
const URGENT_VECTOR_BYTES = 24 * 1024;

/** How many texts one unit may have for a model of so many dimensions. */
export function batchTextsMax(dimensions: number): number {
  return Math.max(1, Math.min(BATCH_TEXTS_MAX, rows(BATCH_VECTOR_BYTES, dimensions)));
}

/** How many texts may go by the control lane together; 0 if not even one vector fits into its answer. */
export function urgentTextsMax(dimensions: number): number {
  return Math.min(BATCH_TEXTS_MAX, rows(URGENT_VECTOR_BYTES, dimensions));
}

function rows(bytes: number, dimensions: number): number {
  return Math.floor(bytes / (Math.max(1, dimensions) * Float32Array.BYTES_PER_ELEMENT));
}
