/**
 * Writes the next generation. The rules of visibility are in `sqlite-schema.ts`; this file keeps
 * them, with one transaction per call.
 *
 * What a kill leaves behind:
 *   in `begin`, `compare`, `put`, ...   the call as if it had not been made; readers see nothing of it
 *   between them                        unpublished versions, which the next run keeps if complete
 *   in `publish`, before its commit     the former generation, and the unpublished one whole
 *   in `publish`, after its commit      the new generation, and garbage that the next `begin` collects
 *
 * A run is known by the caller's `runId`. A supervisor that reopens the writer within a run continues
 * it with its marks; without that, every file walked before the restart would count as unseen and be
 * removed. A new run starts with no marks and takes back the endings that the dead one noted.
 *
 * After an I/O error nothing is known about what reached the disk, and trying again may succeed on
 * pages that were lost: the writer then refuses everything until it is opened again, which recovers
 * from the log. A full disk is not such an error; the failed transaction was taken back whole.
 */
import { strict as assert } from 'node:assert';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { SpillwayError } from '../../kernel/index.ts';
import { acquireIndexLock, type IndexLock } from './index-lock.ts';
import { type Connection, openConnection, withStorageErrors } from './sqlite-connection.ts';
import { collectGarbage } from './sqlite-garbage.ts';
import { createSchema, FOREVER, hasSchema, insertRecipe, isSameRecipe, KEYS_PER_FILE, readRecipe, readState, type Recipe, recipeOf, requireSameRecipe } from './sqlite-schema.ts';
import { countVisible, readStatus } from './sqlite-status.ts';
import type { Comparison, FileSegment, IndexStatus, IndexWriter, ListedFile, Publication, Put, WriterOptions } from './vector-index.ts';
import { requireDirections } from './vector-check.ts';

/** Throws `index_locked`, `index_unwritable`, `index_corrupt`, `index_version`, `index_*_mismatch`, `storage_full`. */
export function openSqliteWriter(dir: string, options: WriterOptions): IndexWriter {
  withStorageErrors(dir, 'opening', () => mkdirSync(dir, { recursive: true }));
  const lock = acquireIndexLock(dir, options);
  let db: Connection | undefined;
  try {
    return withStorageErrors(dir, 'opening', () => {
      db = openConnection(join(dir, 'index.db'), { readonly: false, ...(options.maxSizeBytes !== undefined && { maxSizeBytes: options.maxSizeBytes }) });
      const offered = recipeOf(dir, options);
      if (!hasSchema(db, dir)) createSchema(db, offered);
      if (options.rebuild !== true) requireSameRecipe(dir, readRecipe(db, readState(db).recipe), offered);
      return new SqliteWriter(dir, db, lock, offered, options);
    });
  } catch (error) {
    db?.close();
    lock.release();
    throw error;
  }
}

/** What `begin` fixes for the whole run. */
interface Run {
  readonly number: number;
  readonly recipe: number;
  readonly published: number;
  readonly generation: number;
}

interface FileVersion {
  readonly id: number;
  readonly hash: string;
  readonly recipe: number;
  readonly genFrom: number;
  readonly chunkCount: number;
  readonly storedChunks: number;
}

class SqliteWriter implements IndexWriter {
  readonly #dir: string;
  readonly #db: Connection;
  readonly #lock: IndexLock;
  readonly #offered: Recipe;
  readonly #rebuild: boolean;
  readonly #now: () => number;
  readonly #sql: ReturnType<typeof prepareStatements>;
  #run: Run | undefined;
  #failure: SpillwayError | undefined;

  constructor(dir: string, db: Connection, lock: IndexLock, offered: Recipe, options: WriterOptions) {
    this.#dir = dir;
    this.#db = db;
    this.#lock = lock;
    this.#offered = offered;
    this.#rebuild = options.rebuild === true;
    this.#now = options.now ?? Date.now;
    this.#sql = prepareStatements(db);
  }

  begin({ runId }: { runId: string }): { generation: number; resumed: boolean } {
    return this.#guard(() => {
      const begun = this.#transact(() => this.#beginRun(runId));
      this.#cleanUp();
      return begun;
    });
  }

  #beginRun(runId: string): { generation: number; resumed: boolean } {
    const state = readState(this.#db);
    const { published } = state;
    const lastRecipe = readRecipe(this.#db, state.runRecipe);
    const isSameRun = state.runId === runId && isSameRecipe(lastRecipe, this.#offered);
    const continuesRebuild = state.runOpen === 1 && state.runRecipe !== state.recipe && isSameRecipe(lastRecipe, this.#offered);
    const recipe = isSameRun || (this.#rebuild && continuesRebuild) ? state.runRecipe : this.#rebuild ? insertRecipe(this.#db, this.#offered) : state.recipe;
    const number = isSameRun ? state.run : state.run + 1;

    if (!isSameRun) {
      this.#sql.takeBackEndings.run(published);
      this.#sql.discardUnusable.run(published, recipe);
    }
    this.#db.prepare('UPDATE state SET run = ?, run_id = ?, run_recipe = ?, run_open = 1').run(number, runId, recipe);
    this.#run = { number, recipe, published, generation: published + 1 };
    return { generation: published + 1, resumed: isSameRun || this.#sql.anyUnpublished.get(published) === 1 };
  }

  compare(files: readonly ListedFile[]): Comparison[] {
    return this.#inRun((run) => files.map((file) => this.#compareFile(run, file)));
  }

  #compareFile(run: Run, { path, hash }: ListedFile): Comparison {
    const { visible, building } = this.#versionsOf(run, path);
    if (visible !== undefined) this.#sql.markSeen.run(run.number, visible.id);
    if (visible?.recipe === run.recipe && visible.hash === hash) {
      if (building !== undefined) this.#sql.discard.run(building.id);
      return 'unchanged';
    }
    if (building !== undefined && building.hash !== hash) {
      this.#sql.discard.run(building.id);
    } else if (building !== undefined) {
      this.#sql.markSeen.run(run.number, building.id);
      if (building.storedChunks === building.chunkCount) return 'unchanged';
    }
    return visible === undefined ? 'new' : 'changed';
  }

  touch(paths: readonly string[]): void {
    this.#inRun((run) => {
      for (const path of paths) {
        const { visible, building } = this.#versionsOf(run, path);
        for (const version of [visible, building]) if (version !== undefined) this.#sql.markSeen.run(run.number, version.id);
      }
    });
  }

  drop(paths: readonly string[]): number {
    return this.#inRun((run) => {
      let dropped = 0;
      for (const path of paths) {
        const { visible, building } = this.#versionsOf(run, path);
        if (building !== undefined) this.#sql.discard.run(building.id);
        if (visible !== undefined) dropped += this.#sql.end.run(run.generation, visible.id).changes;
      }
      return dropped;
    });
  }

  put(segments: readonly FileSegment[]): Put {
    return this.#inRun((run) => {
      const total = { storedChunks: 0, repeatedChunks: 0, completedFiles: 0 };
      for (const segment of segments) {
        const put = this.#putSegment(run, segment);
        total.storedChunks += put.storedChunks;
        total.repeatedChunks += put.repeatedChunks;
        total.completedFiles += put.completedFiles;
      }
      return total;
    });
  }

  #putSegment(run: Run, { path, hash, sizeBytes, chunkCount, chunks, vectors }: FileSegment): Put {
    const { dimensions } = this.#offered;
    assert(Number.isInteger(chunkCount) && chunkCount >= chunks.length && chunkCount <= KEYS_PER_FILE, `chunkCount of ${path} is ${chunkCount} with ${chunks.length} chunks in one segment`);
    requireDirections(vectors, chunks.length, dimensions, (row) => `chunk ${chunks[row]?.ordinal ?? 0} of ${path}`);
    const { visible, building } = this.#versionsOf(run, path);
    if (visible?.recipe === run.recipe && visible.hash === hash) {
      this.#sql.markSeen.run(run.number, visible.id);
      return { storedChunks: 0, repeatedChunks: chunks.length, completedFiles: 0 };
    }
    // A file that changed again, or whose chunks are planned otherwise now, starts anew.
    const continues = building !== undefined && building.hash === hash && building.chunkCount === chunkCount;
    if (building !== undefined && !continues) this.#sql.discard.run(building.id);
    const fileId = continues ? building.id : Number(this.#sql.addFile.run(path, hash, sizeBytes, chunkCount, run.recipe, run.generation, FOREVER, run.number).lastInsertRowid);

    let storedChunks = 0;
    for (const [row, chunk] of chunks.entries()) {
      assert(Number.isInteger(chunk.ordinal) && chunk.ordinal >= 0 && chunk.ordinal < chunkCount, `ordinal ${chunk.ordinal} of ${path} is not one of its ${chunkCount} chunks`);
      const key = fileId * KEYS_PER_FILE + chunk.ordinal;
      if (this.#sql.addChunk.run(key, chunk.id, chunk.startByte, chunk.endByte, chunk.startLine, chunk.endLine, chunk.text).changes === 0) continue;
      this.#sql.addVector.run(key, vectors.subarray(row * dimensions, (row + 1) * dimensions));
      storedChunks += 1;
    }
    this.#sql.addStored.run(storedChunks, run.number, fileId);
    const before = continues ? building.storedChunks : -1;
    const isComplete = Math.max(0, before) + storedChunks === chunkCount;
    return { storedChunks, repeatedChunks: chunks.length - storedChunks, completedFiles: isComplete && before !== chunkCount ? 1 : 0 };
  }

  removeUnseen(prefixes: readonly string[] = ['']): number {
    return this.#inRun((run) => {
      let removed = 0;
      for (const given of prefixes) {
        const prefix = given === '.' ? '' : given.replace(/\/+$/, '');
        this.#sql.discardUnseen.run({ prefix, run: run.number, published: run.published });
        removed += this.#sql.endUnseen.run({ prefix, run: run.number, published: run.published, generation: run.generation }).changes;
      }
      return removed;
    });
  }

  publish(): Publication {
    return this.#guard(() => {
      const run = this.#currentRun();
      const publication = this.#transact(() => this.#publishRun(run));
      this.#run = undefined;
      this.#cleanUp();
      return publication;
    });
  }

  #publishRun(run: Run): Publication {
    const incompleteFiles = this.#sql.discardIncomplete.run(run.published).changes;
    const state = readState(this.#db);
    const changed = run.published === 0 || run.recipe !== state.recipe || this.#sql.anyChange.get({ ...run, run: run.number }) === 1;
    this.#db.prepare('UPDATE state SET run_open = 0').run();
    if (!changed) return { generation: run.published, changed, ...countVisible(this.#db, run.published), removedChunks: 0, incompleteFiles };

    // Complete versions of files that this run did not see were left by a run that died. They are
    // half of somebody else's run: they wait for the next generation.
    this.#sql.carryOver.run(run.generation + 1, run.generation, run.number);
    this.#sql.supersede.run({ ...run });
    const removedChunks = this.#sql.endedChunks.get(run.generation)!;
    this.#db
      .prepare('UPDATE state SET oldest = published, former_recipe = recipe, former_at = published_at, published = ?, recipe = ?, published_at = ?')
      .run(run.generation, run.recipe, new Date(this.#now()).toISOString());
    return { generation: run.generation, changed, ...countVisible(this.#db, run.generation), removedChunks, incompleteFiles };
  }

  rollback(): { generation: number } {
    assert(this.#run === undefined, 'rollback is not possible within a run');
    return this.#guard(() => {
      const generation = this.#transact(() => {
        const { published, oldest } = readState(this.#db);
        if (oldest === published || oldest === 0) {
          throw new SpillwayError('rollback_unavailable', `The index ${this.#dir} keeps no generation before ${published}, so there is nothing to roll back to. Run \`spillway embed\` instead.`, {
            details: { path: this.#dir, generation: published },
          });
        }
        // An unfinished run was built on the generation that goes, so it goes too. Everything else is
        // the one row: versions that the generation ended are visible before it as they stand.
        this.#sql.discardUnpublished.run(published);
        this.#db.prepare('UPDATE state SET published = oldest, recipe = former_recipe, published_at = former_at, run_id = NULL, run_open = 0').run();
        return oldest;
      });
      this.#cleanUp();
      return { generation };
    });
  }

  status(): IndexStatus {
    return this.#guard(() => this.#db.transaction(() => readStatus(this.#db, this.#dir))());
  }

  close(): void {
    this.#db.close();
    this.#lock.release();
  }

  /** The version that readers see, and the unpublished one. */
  #versionsOf(run: Run, path: string): { visible?: FileVersion; building?: FileVersion } {
    const versions: { visible?: FileVersion; building?: FileVersion } = {};
    for (const version of this.#sql.versions.all(path, run.published)) {
      versions[version.genFrom <= run.published ? 'visible' : 'building'] = version;
    }
    return versions;
  }

  #currentRun(): Run {
    assert(this.#run !== undefined, 'begin() comes first');
    return this.#run;
  }

  #inRun<T>(action: (run: Run) => T): T {
    return this.#guard(() => this.#transact(() => action(this.#currentRun())));
  }

  #transact<T>(action: () => T): T {
    return this.#db.transaction(action).immediate();
  }

  /**
   * What was committed before this stays true when this fails, so it must not be reported as failed.
   * Without room the garbage waits for the next `begin`; any worse fault is told by the next call.
   */
  #cleanUp(): void {
    try {
      withStorageErrors(this.#dir, 'writing', () => {
        collectGarbage(this.#db);
        // Passive: a reader in the way only means that a later checkpoint does the work.
        this.#db.pragma('wal_checkpoint(PASSIVE)');
      });
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      if (error.code !== 'storage_full') this.#failure = error;
    }
  }

  #guard<T>(action: () => T): T {
    assert(this.#db.open, 'this writer is closed');
    if (this.#failure !== undefined) throw this.#failure;
    try {
      return withStorageErrors(this.#dir, 'writing', action);
    } catch (error) {
      if (error instanceof SpillwayError && (error.code === 'storage_failed' || error.code === 'index_corrupt')) this.#failure = error;
      throw error;
    }
  }
}

function prepareStatements(db: Connection) {
  const under = `(:prefix = '' OR path = :prefix OR (path > :prefix || '/' AND path < :prefix || '0'))`; // '0' follows '/'
  return {
    versions: db.prepare<[string, number], FileVersion>(
      `SELECT id, hash, recipe, gen_from AS genFrom, chunk_count AS chunkCount, stored_chunks AS storedChunks
       FROM files WHERE path = ? AND gen_to > 0 AND gen_to > ?`,
    ),
    /** Also takes back an ending noted earlier in the run. */
    markSeen: db.prepare<[number, number]>(`UPDATE files SET seen_run = ?, gen_to = ${FOREVER} WHERE id = ?`),
    end: db.prepare<[number, number]>(`UPDATE files SET gen_to = ? WHERE id = ? AND gen_to = ${FOREVER}`),
    discard: db.prepare<[number]>('UPDATE files SET gen_to = 0 WHERE id = ?'),
    addFile: db.prepare<[string, string, number, number, number, number, number, number]>(
      'INSERT INTO files (path, hash, size_bytes, chunk_count, stored_chunks, recipe, gen_from, gen_to, seen_run) VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?)',
    ),
    addStored: db.prepare<[number, number, number]>('UPDATE files SET stored_chunks = stored_chunks + ?, seen_run = ? WHERE id = ?'),
    addChunk: db.prepare<[number, string, number, number, number, number, string]>('INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'),
    addVector: db.prepare<[number, Float32Array]>('INSERT INTO vectors VALUES (?, ?)'),

    takeBackEndings: db.prepare<[number]>(`UPDATE files SET gen_to = ${FOREVER} WHERE gen_to > ? AND gen_to < ${FOREVER}`),
    discardUnusable: db.prepare<[number, number]>('UPDATE files SET gen_to = 0 WHERE gen_from > ? AND (stored_chunks < chunk_count OR recipe <> ?)'),
    discardIncomplete: db.prepare<[number]>('UPDATE files SET gen_to = 0 WHERE gen_from > ? AND gen_to > 0 AND stored_chunks < chunk_count'),
    discardUnpublished: db.prepare<[number]>('UPDATE files SET gen_to = 0 WHERE gen_from > ?'),
    anyUnpublished: db.prepare<[number], number>('SELECT EXISTS (SELECT 1 FROM files WHERE gen_from > ? AND gen_to > 0)').pluck(),

    discardUnseen: db.prepare<[object]>(`UPDATE files SET gen_to = 0 WHERE gen_from > :published AND gen_to > 0 AND seen_run <> :run AND ${under}`),
    endUnseen: db.prepare<[object]>(`UPDATE files SET gen_to = :generation WHERE gen_from <= :published AND gen_to = ${FOREVER} AND seen_run <> :run AND ${under}`),

    anyChange: db
      .prepare<[object], number>(
        `SELECT EXISTS (SELECT 1 FROM files WHERE gen_from = :generation AND gen_to > 0 AND seen_run = :run)
             OR EXISTS (SELECT 1 FROM files WHERE gen_to = :generation)`,
      )
      .pluck(),
    carryOver: db.prepare<[number, number, number]>('UPDATE files SET gen_from = ? WHERE gen_from = ? AND gen_to > 0 AND seen_run <> ?'),
    supersede: db.prepare<[object]>(
      `UPDATE files SET gen_to = :generation WHERE gen_from <= :published AND gen_to = ${FOREVER}
         AND (recipe <> :recipe OR path IN (SELECT path FROM files WHERE gen_from = :generation AND gen_to > 0))`,
    ),
    endedChunks: db.prepare<[number], number>('SELECT coalesce(sum(chunk_count), 0) FROM files WHERE gen_to = ?').pluck(),
  };
}
