/**
 * A rejected design kept with its numbers: vectors in sqlite-vec's `vec0` table against plain blobs
 * that `vec_distance_cosine` scans. See docs/adr/0006-storage-on-sqlite.md.
 *
 *   files(id, gen_from, gen_to) ──< chunks of 32 a file ── vectors, in one of two layouts
 *
 * `vec0` carries the range of generations on every vector, because its search can only be filtered by
 * its own columns; the plain layout carries it on the file. Both answer the ten nearest visible
 * vectors exactly.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3-multiple-ciphers';
import { load } from 'sqlite-vec';
import { median, table } from '../statistics.ts';

export const VECTOR_LAYOUTS = ['vec0', 'plain'] as const;
export type VectorLayout = (typeof VECTOR_LAYOUTS)[number];

export interface LayoutReport {
  readonly putMs: number;
  readonly searchMs: number;
  /** Ending a tenth of the files. */
  readonly endMs: number;
  /** Deleting the vectors of that tenth. */
  readonly deleteMs: number;
}

export interface LayoutOptions {
  readonly vectors?: number;
  readonly print?: (line: string) => void;
}

const DIMENSIONS = 256;
const CHUNKS_PER_FILE = 32;
const KEYS_PER_FILE = 2 ** 20;
const FOREVER = 2 ** 52;
const SEARCHES = 12;

const SCHEMA: Readonly<Record<VectorLayout, string>> = {
  vec0: `CREATE VIRTUAL TABLE vectors USING vec0(embedding float[${DIMENSIONS}], gen_from integer, gen_to integer)`,
  plain: 'CREATE TABLE vectors(key INTEGER PRIMARY KEY, embedding BLOB)',
};

const SEARCH: Readonly<Record<VectorLayout, string>> = {
  vec0: 'SELECT rowid AS key, distance FROM vectors WHERE embedding MATCH ? AND k = 10 AND gen_from <= 1 AND gen_to > 1',
  plain: `SELECT key, vec_distance_cosine(embedding, ?) AS distance
    FROM files CROSS JOIN vectors ON key BETWEEN id * ${KEYS_PER_FILE} AND id * ${KEYS_PER_FILE} + ${KEYS_PER_FILE - 1}
    WHERE gen_from <= 1 AND gen_to > 1 ORDER BY distance, key LIMIT 10`,
};

export async function run({ vectors = 100_000, print = () => {} }: LayoutOptions = {}): Promise<Record<VectorLayout, LayoutReport>> {
  const reports = Object.fromEntries(VECTOR_LAYOUTS.map((layout) => [layout, measure(layout, vectors)])) as Record<VectorLayout, LayoutReport>;
  const cells = ({ putMs, searchMs, endMs, deleteMs }: LayoutReport): string[] => [putMs, searchMs, endMs, deleteMs].map((ms) => `${ms.toFixed(2)} ms`);
  for (const line of table([
    [`${vectors} x ${DIMENSIONS}`, 'put of 32', 'search', 'end a tenth', 'delete a tenth'],
    ...VECTOR_LAYOUTS.map((layout) => [layout, ...cells(reports[layout])]),
  ])) print(line);
  return reports;
}

function measure(layout: VectorLayout, count: number): LayoutReport {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-layout-'));
  const db = new Database(join(folder, 'layout.db'));
  try {
    load(db);
    for (const pragma of ['page_size = 16384', 'journal_mode = WAL', 'synchronous = FULL', 'cache_size = -65536']) db.pragma(pragma);
    db.exec('CREATE TABLE files(id INTEGER PRIMARY KEY, gen_from INTEGER, gen_to INTEGER)');
    db.exec(SCHEMA[layout]);
    return timed(db, layout, Math.floor(count / CHUNKS_PER_FILE));
  } finally {
    db.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function timed(db: Database.Database, layout: VectorLayout, files: number): LayoutReport {
  const nextVector = unitVectors();
  const putFile = db.prepare('INSERT INTO files VALUES (?, 1, ?)');
  const putVector = db.prepare(layout === 'vec0' ? 'INSERT INTO vectors(rowid, embedding, gen_from, gen_to) VALUES (?, ?, 1, ?)' : 'INSERT INTO vectors VALUES (?, ?)');
  const eachKey = (file: number, use: (key: bigint) => void): void => {
    for (let chunk = 0; chunk < CHUNKS_PER_FILE; chunk++) use(BigInt(file * KEYS_PER_FILE + chunk));
  };
  const puts: number[] = [];
  for (let file = 1; file <= files; file++) {
    const rows = Array.from({ length: CHUNKS_PER_FILE }, nextVector);
    puts.push(time(db, () => {
      putFile.run(file, FOREVER);
      eachKey(file, (key) => putVector.run(key, rows.pop(), ...(layout === 'vec0' ? [BigInt(FOREVER)] : [])));
    }));
  }
  const search = db.prepare(SEARCH[layout]);
  const searches = Array.from({ length: SEARCHES }, nextVector).map((query) => time(db, () => search.all(query)));
  const tenth = Math.floor(files / 10);
  const endVector = layout === 'vec0' ? db.prepare('UPDATE vectors SET gen_to = 2 WHERE rowid = ?') : undefined;
  const endMs = time(db, () => {
    db.prepare('UPDATE files SET gen_to = 2 WHERE id <= ?').run(tenth);
    for (let file = 1; endVector !== undefined && file <= tenth; file++) eachKey(file, (key) => endVector.run(key));
  });
  const remove = db.prepare(layout === 'vec0' ? 'DELETE FROM vectors WHERE rowid = ?' : 'DELETE FROM vectors WHERE key = ?');
  const deleteMs = time(db, () => {
    for (let file = 1; file <= tenth; file++) eachKey(file, (key) => remove.run(key));
  });
  return { putMs: median(puts), searchMs: median(searches), endMs, deleteMs };
}

/** Milliseconds of one transaction. */
function time(db: Database.Database, work: () => void): number {
  const startedAt = performance.now();
  db.transaction(work)();
  return performance.now() - startedAt;
}

/** Random directions, the same in every run. */
function unitVectors(): () => Float32Array {
  let state = 7;
  const random = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) / 2 ** 32;
  return () => {
    const vector = Float32Array.from({ length: DIMENSIONS }, () => random() + random() + random() - 1.5);
    const length = Math.hypot(...vector);
    return vector.map((value) => value / length);
  };
}
