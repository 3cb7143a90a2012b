/**
 * Refuses vectors that have no direction before they reach the index: one value that is not a
 * number would make its chunk's distance unknown, and unknown sorts before every true hit.
 */
import { SpillwayError } from '../../kernel/index.ts';

/** Checks `rows × dimensions` values, row-major. `nameRow` names a row in the message. Throws `dimension_mismatch`, `vector_invalid`. */
export function requireDirections(vectors: Float32Array, rows: number, dimensions: number, nameRow: (row: number) => string): void {
  if (vectors.length !== rows * dimensions) {
    const came = rows === 1 ? `${vectors.length}` : `${vectors.length / Math.max(1, rows)} on average over ${rows} vectors`;
    throw new SpillwayError('dimension_mismatch', `The index holds vectors of ${dimensions} dimensions; ${nameRow(0)} came with ${came}. Use the model that made the index.`, {
      details: { expected: dimensions, actual: came },
    });
  }
  for (let row = 0; row < rows; row += 1) {
    let squares = 0;
    for (let i = row * dimensions; i < (row + 1) * dimensions; i += 1) squares += vectors[i]! * vectors[i]!;
    if (!(squares > 0 && squares < Infinity)) {
      throw new SpillwayError('vector_invalid', `The vector of ${nameRow(row)} is zero or not finite, so nothing can be similar to it. Check the model that made it.`, {
        details: { row },
      });
    }
  }
}
