/**
 * Rows of vectors in slabs. A buffer for each row would cost more to make than all else that the scheduler does for
 * a text, and would be kept or freed one by one.
 *
 * Whoever reads gets a copy, because the row may be written again; copies share a block, and that is freed when
 * none of them is held any more.
 */

/** Bytes of one slab and of one block of copies, at least a row. */
const SLAB_BYTES = 256 * 1024;
const BLOCK_BYTES = 32 * 1024;

export class VectorRows {
  readonly #dimensions: number;
  readonly #rowsMax: number;
  readonly #rowsPerSlab: number;
  readonly #rowsPerBlock: number;
  readonly #slabs: Float32Array[] = [];
  #block = new Float32Array(0);
  #blockUsed = 0;

  /** @param rowsMax rows that are ever written; slabs are made as they are needed */
  constructor(dimensions: number, rowsMax: number) {
    const rowsIn = (bytes: number): number => Math.max(1, Math.floor(bytes / (dimensions * Float32Array.BYTES_PER_ELEMENT)));
    this.#dimensions = dimensions;
    this.#rowsMax = rowsMax;
    this.#rowsPerSlab = rowsIn(SLAB_BYTES);
    this.#rowsPerBlock = rowsIn(BLOCK_BYTES);
  }

  write(row: number, vector: Float32Array): void {
    const index = Math.floor(row / this.#rowsPerSlab);
    const first = index * this.#rowsPerSlab;
    const rows = Math.min(this.#rowsPerSlab, this.#rowsMax - first);
    const slab = (this.#slabs[index] ??= new Float32Array(rows * this.#dimensions));
    slab.set(vector, (row - first) * this.#dimensions);
  }

  /** A copy of what was written. */
  read(row: number): Float32Array {
    if (this.#blockUsed === this.#block.length) {
      this.#block = new Float32Array(this.#rowsPerBlock * this.#dimensions);
      this.#blockUsed = 0;
    }
    const index = Math.floor(row / this.#rowsPerSlab);
    const start = (row - index * this.#rowsPerSlab) * this.#dimensions;
    const copy = this.#block.subarray(this.#blockUsed, this.#blockUsed + this.#dimensions);
    copy.set(this.#slabs[index]!.subarray(start, start + this.#dimensions));
    this.#blockUsed += this.#dimensions;
    return copy;
  }
}
