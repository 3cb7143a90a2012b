/**
 * Vectors of texts that were embedded before, the least recently used given up first.
 *
 * It belongs to one model, so a key stands for a text and what was to become of it if it is too long. The key is
 * a SHA-256, not the text: a text is often a slice of a file, and would keep the file in memory with it; and so an
 * entry's size depends on the model alone.
 */
import { hash } from 'node:crypto';
import type { TruncatePolicy } from '../backend.ts';
import type { EmbeddedText } from './embed-request.ts';
import { LinkedList, type Linked } from './linked-list.ts';
import { VectorRows } from './vector-rows.ts';

/** Bytes of an entry beside its vector, on V8's heap: its key, itself and its place in the map. */
const ENTRY_BYTES = 256;

interface Entry extends Linked<Entry> {
  readonly key: string;
  readonly row: number;
  readonly tokens: number;
  readonly truncated: boolean;
}

export interface CacheStats {
  readonly entries: number;
  readonly bytes: number;
  readonly hits: number;
  readonly misses: number;
  readonly evictions: number;
}

export class VectorCache {
  readonly #entries = new Map<string, Entry>();
  /** From the least to the most recently used. */
  readonly #order = new LinkedList<Entry>();
  readonly #rows: VectorRows;
  readonly #entryBytes: number;
  readonly #entriesMax: number;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  /** @param bytesMax of all entries; below the size of one entry, nothing is kept */
  constructor(bytesMax: number, dimensions: number) {
    this.#entryBytes = ENTRY_BYTES + dimensions * Float32Array.BYTES_PER_ELEMENT;
    this.#entriesMax = Math.floor(bytesMax / this.#entryBytes);
    this.#rows = new VectorRows(dimensions, this.#entriesMax);
  }

  get isOff(): boolean {
    return this.#entriesMax === 0;
  }

  get stats(): CacheStats {
    const entries = this.#order.size;
    return { entries, bytes: entries * this.#entryBytes, hits: this.#hits, misses: this.#misses, evictions: this.#evictions };
  }

  /**
   * @returns undefined for what is never kept. A text with a lone surrogate has no UTF-8, so its hash would be that
   *   of another text.
   */
  keyOf(text: string, truncate: TruncatePolicy | undefined): string | undefined {
    if (this.isOff || !text.isWellFormed()) return undefined;
    const digest = hash('sha256', text, 'binary');
    return truncate === undefined ? digest : digest + truncate;
  }

  /** The result that was kept, marked as `cached`; it is then the most recently used. */
  get(key: string): EmbeddedText | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) {
      this.#misses++;
      return undefined;
    }
    this.#hits++;
    this.#order.rotate(entry);
    const { row, tokens, truncated } = entry;
    return { vector: this.#rows.read(row), tokens, truncated, status: 'ok', cached: true };
  }

  /** Whether there is one, without counting it as a use. */
  has(key: string): boolean {
    return this.#entries.has(key);
  }

  /** Keeps a copy of an `ok` result. */
  set(key: string, { vector, tokens, truncated }: EmbeddedText): void {
    if (this.#entries.has(key)) return;
    const entry: Entry = { key, row: this.#freeRow(), tokens, truncated, previous: undefined, next: undefined, list: undefined };
    this.#rows.write(entry.row, vector);
    this.#entries.set(key, entry);
    this.#order.push(entry);
  }

  /** The next one, or that of the entry that was not used for longest, which then goes. */
  #freeRow(): number {
    if (this.#order.size < this.#entriesMax) return this.#order.size;
    const oldest = this.#order.first!;
    this.#order.remove(oldest);
    this.#entries.delete(oldest.key);
    this.#evictions++;
    return oldest.row;
  }
}
