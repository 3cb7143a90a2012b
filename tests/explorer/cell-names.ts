/**
 * Names for cells, so that a trace tells of TAIL and not of cell 32. They are those of rings/layout.ts,
 * whose constants end in `_WORD`, or in `_CELL` for a pair.
 */
import type { Layout } from './ring-source.ts';

export class CellNames {
  readonly #names = new Map<number, string>();
  readonly #recordsCell: number;
  readonly #regions: readonly number[];
  readonly #special: (byte: number) => string | undefined;

  /**
   * @param regions first byte of each shared buffer; the first buffer is a ring
   * @param special names for bytes of the first buffer that come before all others
   */
  constructor(layout: Layout, regions: readonly number[], special: (byte: number) => string | undefined = () => undefined) {
    this.#regions = regions;
    this.#special = special;
    this.#recordsCell = layout.HEADER_BYTES / 4;
    for (const [constant, place] of Object.entries(layout)) {
      if (typeof place !== 'number') continue;
      const name = constant.replace(/_(?:WORD|CELL)$/, '');
      if (constant.endsWith('_WORD')) this.#add(place, name);
      if (constant.endsWith('_CELL')) for (const half of [0, 1]) this.#add(place * 2 + half, name);
    }
  }

  nameOf(cell: number): string {
    const region = this.#regions.findLastIndex((first) => first <= cell * 4);
    if (region > 0) return `buffer ${region + 1} word ${cell - this.#regions[region]! / 4}`;
    const record = `records+${(cell - this.#recordsCell) * 4}`;
    return this.#special(cell * 4) ?? this.#names.get(cell) ?? (cell < this.#recordsCell ? `word ${cell}` : record);
  }

  /** Words of several kinds of ring may lie at one place. */
  #add(cell: number, name: string): void {
    const known = this.#names.get(cell);
    this.#names.set(cell, known === undefined ? name : `${known}|${name}`);
  }
}
