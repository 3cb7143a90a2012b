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

export class FileJob {
  readonly path: string;
  readonly hash: string;
  readonly sizeBytes: number;
  readonly #embedded: { readonly chunk: Chunk; readonly vector: Float32Array }[] = [];
  #waiting: number;
  #failure: string | undefined;

  constructor(file: { path: string; hash: string; sizeBytes: number }, chunkCount: number) {
    this.path = file.path;
    this.hash = file.hash;
    this.sizeBytes = file.sizeBytes;
    this.#waiting = chunkCount;
  }

  /** Whether nothing of it waits for a vector any more. */
  get isSettled(): boolean {
    return this.#waiting === 0;
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

  /** The settled file in segments of at most `segmentChunks` chunks; one empty segment if it has none. */
  segments(segmentChunks: number): FileSegmentMessage[] {
    const rows = this.#embedded.sort((a, b) => a.chunk.startByte - b.chunk.startByte);
    const segments: FileSegmentMessage[] = [];
    for (let first = 0; first < Math.max(1, rows.length); first += segmentChunks) {
      const part = rows.slice(first, first + segmentChunks);
      const dimensions = part[0]?.vector.length ?? 0;
      const vectors = new Float32Array(part.length * dimensions);
      part.forEach(({ vector }, index) => vectors.set(vector, index * dimensions));
      segments.push({
        path: this.path,
        hash: this.hash,
        sizeBytes: this.sizeBytes,
        chunkCount: rows.length,
        chunks: part.map(({ chunk }, index) => ({ ...chunk, ordinal: first + index })),
        vectors,
      });
    }
    return segments;
  }
}
