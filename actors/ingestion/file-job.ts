/**
 * One file on its way through embedding. A file is stored only when all its chunks have their vectors,
 * because the model may refuse a chunk as too long: it is then split, and the numbering of the chunks
 * is known only at the end.
 */
import type { RequestOf } from '../../kernel/index.ts';
import type { StorageSpec } from '../storage/index.ts';
import { splitChunk, type Chunk } from './chunk-plan.ts';

export type FileSegmentMessage = RequestOf<StorageSpec, 'put'>['segments'][number];

/** One text to embed, and the file it belongs to. */
export interface ChunkItem {
  readonly job: FileJob;
  readonly chunk: Chunk;
}

/** What one message to the storage may hold. */
export interface MessageLimits {
  readonly chunksMax: number;
  /** UTF-16 units of text. A single chunk may have more. */
  readonly unitsMax: number;
}

export class FileJob {
  readonly path: string;
  readonly hash: string;
  readonly sizeBytes: number;
  /** Secrets that were masked in it. */
  readonly masked: number;
  readonly #embedded: { readonly chunk: Chunk; readonly vector: Float32Array }[] = [];
  #waiting: number;
  #failure: string | undefined;
  #isTaken = false;

  constructor(file: { path: string; hash: string; sizeBytes: number }, chunkCount: number, masked: number) {
    this.path = file.path;
    this.hash = file.hash;
    this.sizeBytes = file.sizeBytes;
    this.masked = masked;
    this.#waiting = chunkCount;
  }

  /** True once, when nothing of it waits for a vector any more: to the batch that is to store it. */
  takeSettled(): boolean {
    if (this.#isTaken || this.#waiting > 0) return false;
    this.#isTaken = true;
    return true;
  }

  /** Why it cannot be stored, if it cannot. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** @param vector is kept: hand over a copy */
  embedded(chunk: Chunk, vector: Float32Array): void {
    this.#embedded.push({ chunk, vector });
    this.#waiting--;
  }

  /** The chunk has nothing that the model could see; it is left out. */
  blank(): void {
    this.#waiting--;
  }

  /** The model takes no text of this length. @returns the chunk's parts, which wait in its place */
  tooLong(chunk: Chunk): Chunk[] {
    const parts = splitChunk(this.path, chunk);
    if (parts.length < 2) {
      this.failed('a single character is longer than the model takes');
      return [];
    }
    this.#waiting += parts.length - 1;
    return parts;
  }

  failed(reason: string): void {
    this.#failure ??= reason;
    this.#waiting--;
  }

  /** The settled file in segments that each fit a message; one empty segment if it has no chunks. */
  segments(limits: MessageLimits): FileSegmentMessage[] {
    const rows = this.#embedded.sort((a, b) => a.chunk.startByte - b.chunk.startByte);
    const segments: FileSegmentMessage[] = [];
    let first = 0;
    do {
      let end = first;
      for (let units = 0; end < rows.length && end - first < limits.chunksMax; end++) {
        units += rows[end]!.chunk.text.length;
        if (units > limits.unitsMax && end > first) break;
      }
      const [start, part] = [first, rows.slice(first, end)];
      const dimensions = part[0]?.vector.length ?? 0;
      const vectors = new Float32Array(part.length * dimensions);
      part.forEach(({ vector }, index) => vectors.set(vector, index * dimensions));
      segments.push({
        path: this.path,
        hash: this.hash,
        sizeBytes: this.sizeBytes,
        chunkCount: rows.length,
        chunks: part.map(({ chunk }, index) => ({ ...chunk, ordinal: start + index })),
        vectors,
      });
      first = end;
    } while (first < rows.length);
    return segments;
  }
}
