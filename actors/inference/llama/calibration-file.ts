/**
 * Remembers what was measured on this machine, so that each model is measured once.
 *
 * One small JSON file in the cache folder. A measurement is worth less than a second, so nothing about the file
 * is an error: one that is missing, broken or too large counts as empty, one that cannot be written is left, and
 * when two processes write at once the later one wins. It is replaced as a whole, so a reader never sees half of it.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { cacheFolder } from '../../../kernel/index.ts';

/** What a measurement depends on. */
export interface CalibrationKey {
  /** Hash of the model. */
  readonly sha256: string;
  /** The native library and its version. */
  readonly library: string;
  /** The processor's name and what it can do. */
  readonly processor: string;
}

interface Entry extends CalibrationKey {
  /** `null` for never: JSON has no infinity. */
  readonly flashAttentionTokensMin: number | null;
}

/** The oldest are forgotten first. */
const ENTRIES_MAX = 64;
const BYTES_MAX = 256 * 1024;

export class CalibrationFile {
  readonly #path: string;

  constructor(folder: string = join(cacheFolder(), 'calibration')) {
    this.#path = join(folder, 'llama.json');
  }

  read(key: CalibrationKey): number | undefined {
    const found = this.#entries().find((entry) => isOf(entry, key));
    return found === undefined ? undefined : found.flashAttentionTokensMin ?? Infinity;
  }

  write(key: CalibrationKey, flashAttentionTokensMin: number): void {
    const { sha256, library, processor } = key;
    const entry: Entry = { sha256, library, processor, flashAttentionTokensMin: Number.isFinite(flashAttentionTokensMin) ? flashAttentionTokensMin : null };
    const others = this.#entries().filter((other) => !isOf(other, key));
    const text = `${JSON.stringify([...others, entry].slice(-ENTRIES_MAX), undefined, 2)}\n`;
    const besidePath = `${this.#path}.tmp-${process.pid}-${threadId}`;
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      try {
        writeFileSync(besidePath, text);
        renameSync(besidePath, this.#path);
      } catch (cause) {
        rmSync(besidePath, { force: true });
        throw cause;
      }
    } catch {
      // A folder that is full, read-only or no folder: the next start measures again.
    }
  }

  #entries(): Entry[] {
    try {
      if (statSync(this.#path).size > BYTES_MAX) return [];
      const found: unknown = JSON.parse(readFileSync(this.#path, 'utf8'));
      return Array.isArray(found) ? found.filter(isEntry) : [];
    } catch {
      return [];
    }
  }
}

function isOf(entry: Entry, { sha256, library, processor }: CalibrationKey): boolean {
  return entry.sha256 === sha256 && entry.library === library && entry.processor === processor;
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const { sha256, library, processor, flashAttentionTokensMin } = value as Partial<Entry>;
  const isLength = flashAttentionTokensMin === null || (Number.isSafeInteger(flashAttentionTokensMin) && flashAttentionTokensMin! >= 0);
  return [sha256, library, processor].every((part) => typeof part === 'string') && isLength;
}
