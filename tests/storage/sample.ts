/**
 * Deterministic files, chunks and vectors for the storage tests, and a whole run over them as the
 * actors make it. Without any test library, because the child that gets killed runs it too.
 */
import { createHash } from 'node:crypto';

import type { FileSegment, Publication, VectorIndex, WriterOptions } from '../../actors/storage/vector-index.ts';

export const DIMENSIONS = 16;

export const OPTIONS: WriterOptions = {
  model: { name: 'sample', sha256: 'a'.repeat(64), dimensions: DIMENSIONS },
  settings: { chunkTokens: 64, overlap: 8 },
  root: '/project',
};

export interface SampleFile {
  readonly path: string;
  readonly content: string;
  readonly chunkCount: number;
}

export function sampleFile(number: number, content = 'first', chunkCount = 1 + (number % 5)): SampleFile {
  return { path: `folder-${number % 3}/file-${String(number).padStart(4, '0')}.md`, content, chunkCount };
}

export function sampleFiles(count: number): SampleFile[] {
  return Array.from({ length: count }, (_, number) => sampleFile(number));
}

export function hashOf({ path, content, chunkCount }: SampleFile): string {
  return createHash('sha256').update(`${path}\n${content}\n${chunkCount}`).digest('hex');
}

/** The file's chunks in segments of at most `size`; the vector of a chunk follows from its id alone. */
export function segmentsOf(file: SampleFile, size = 2, dimensions = DIMENSIONS): FileSegment[] {
  const hash = hashOf(file);
  const segments: FileSegment[] = [];
  for (let first = 0; first === 0 || first < file.chunkCount; first += size) {
    const ordinals = Array.from({ length: Math.min(size, file.chunkCount - first) }, (_, i) => first + i);
    const vectors = new Float32Array(ordinals.length * dimensions);
    const chunks = ordinals.map((ordinal, row) => {
      const id = `${hash.slice(0, 16)}-${ordinal}`;
      vectors.set(vectorOf(id, dimensions), row * dimensions);
      return { ordinal, id, startByte: ordinal * 100, endByte: ordinal * 100 + 90, startLine: ordinal * 4 + 1, endLine: ordinal * 4 + 4, text: `${file.content} ${file.path} ${ordinal}` };
    });
    segments.push({ path: file.path, hash, sizeBytes: file.chunkCount * 100, chunkCount: file.chunkCount, chunks, vectors });
  }
  return segments;
}

export function vectorOf(id: string, dimensions = DIMENSIONS): Float32Array {
  return unitVector(randomFrom(Number.parseInt(createHash('sha256').update(id).digest('hex').slice(0, 8), 16)), dimensions);
}

/** A repeatable source of numbers in [0, 1): the 32-bit xorshift of Marsaglia, "Xorshift RNGs" (2003). */
export function randomFrom(seed: number): () => number {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export function unitVector(random: () => number, dimensions = DIMENSIONS): Float32Array {
  const values = Float32Array.from({ length: dimensions }, () => random() - 0.5);
  const length = Math.hypot(...values);
  return values.map((value) => value / length);
}

/** One whole run over `files`: what was not asked for is not sent. Returns the publication and the paths sent. */
export function runOver(index: VectorIndex, dir: string, files: readonly SampleFile[], options: Partial<WriterOptions> & { runId?: string; prefixes?: string[] } = {}): Publication & { sent: string[] } {
  const { runId = crypto.randomUUID(), prefixes, ...rest } = options;
  const writer = index.openWriter(dir, { ...OPTIONS, ...rest });
  try {
    writer.begin({ runId });
    const comparisons = writer.compare(files.map((file) => ({ path: file.path, hash: hashOf(file) })));
    const wanted = files.filter((_, i) => comparisons[i] !== 'unchanged');
    for (const file of wanted) for (const segment of segmentsOf(file, 2, rest.model?.dimensions)) writer.put([segment]);
    writer.removeUnseen(prefixes);
    return { ...writer.publish(), sent: wanted.map((file) => file.path) };
  } finally {
    writer.close();
  }
}

/** Everything that readers see, in a comparable order; small indexes only. */
export function visibleRows(index: VectorIndex, dir: string, dimensions = DIMENSIONS): string[] {
  const reader = index.openReader(dir);
  try {
    const hits = reader.search(unitVector(randomFrom(1), dimensions), 1000);
    return hits.map(({ path, ordinal, id, startByte, endByte, startLine, endLine, text }) => JSON.stringify([path, ordinal, id, startByte, endByte, startLine, endLine, text])).sort();
  } finally {
    reader.close();
  }
}

export function problemsOf(index: VectorIndex, dir: string): string[] {
  const reader = index.openReader(dir);
  try {
    return reader.integrityCheck();
  } finally {
    reader.close();
  }
}

/** The rows that readers must see for `files`, in the order of `visibleRows`. */
export function rowsOf(files: readonly SampleFile[]): string[] {
  return files
    .flatMap((file) => segmentsOf(file).flatMap(({ path, chunks }) => chunks.map((c) => JSON.stringify([path, c.ordinal, c.id, c.startByte, c.endByte, c.startLine, c.endLine, c.text]))))
    .sort();
}
