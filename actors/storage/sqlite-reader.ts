/**
 * Reads the published generation. Each method is one read transaction, so the pointer and the rows
 * come from one snapshot whatever the writer does meanwhile.
 *
 * The search is exact: it walks the visible files and computes the distance of each of their
 * vectors; SQLite's sorter keeps only the best `limit` rows. CROSS JOIN fixes the order of the loops:
 * left to itself, the planner walks all chunks to find those few.
 */
import { strict as assert } from 'node:assert';
import { statSync } from 'node:fs';
import { join } from 'node:path';

import { SpillwayError } from '../../kernel/index.ts';
import { type Connection, openConnection, withStorageErrors } from './sqlite-connection.ts';
import { findProblems } from './sqlite-integrity.ts';
import { hasSchema, KEYS_PER_FILE, nameModel, readRecipe, readState, type Recipe } from './sqlite-schema.ts';
import { readStatus } from './sqlite-status.ts';
import { HIT_LIMIT, type Hit, type IndexReader, type IndexStatus } from './vector-index.ts';
import { requireDirections } from './vector-check.ts';

const SEARCH = `
  WITH nearest AS MATERIALIZED (
    SELECT f.path, v.key, vec_distance_cosine(v.embedding, :vector) AS distance
    FROM files f CROSS JOIN vectors v ON v.key >= f.id * ${KEYS_PER_FILE} AND v.key < (f.id + 1) * ${KEYS_PER_FILE}
    WHERE f.gen_from <= :generation AND f.gen_to > :generation
    ORDER BY distance, f.path, v.key
    LIMIT :limit
  )
  SELECT path, c.key % ${KEYS_PER_FILE} AS ordinal, c.id, start_byte AS startByte, end_byte AS endByte,
         start_line AS startLine, end_line AS endLine, text, max(-1.0, min(1.0, 1.0 - distance)) AS score
  FROM nearest CROSS JOIN chunks c ON c.key = nearest.key
  ORDER BY distance, path, c.key`;

/** Throws `index_missing`, `index_unreadable`, `index_corrupt`, `index_version`. */
export function openSqliteReader(dir: string): IndexReader {
  return withStorageErrors(dir, 'reading', () => {
    const file = join(dir, 'index.db');
    if (statSync(file, { throwIfNoEntry: false }) === undefined) throw missingError(dir);
    const db = openConnection(file, { readonly: true });
    try {
      if (!hasSchema(db, dir)) throw missingError(dir);
      return new SqliteReader(db, dir);
    } catch (error) {
      db.close();
      throw error;
    }
  });
}

function missingError(dir: string): SpillwayError {
  return new SpillwayError('index_missing', `There is no index in ${dir}. Make one with \`spillway embed <path>\`, or say where it is with --index.`, {
    details: { path: dir },
  });
}

class SqliteReader implements IndexReader {
  readonly #db: Connection;
  readonly #dir: string;
  /** The recipe when this reader was opened: the caller embeds its queries with that model. */
  readonly #recipe: Recipe;

  constructor(db: Connection, dir: string) {
    this.#db = db;
    this.#dir = dir;
    this.#recipe = db.transaction(() => readRecipe(db, readState(db).recipe))();
  }

  search(vector: Float32Array, limit: number): Hit[] {
    assert(Number.isInteger(limit) && limit >= 1 && limit <= HIT_LIMIT, `limit must be an integer from 1 to ${HIT_LIMIT}, not ${limit}`);
    const { dimensions, modelSha256 } = this.#recipe;
    requireDirections(vector, 1, dimensions, () => 'the query');
    return this.#read(() => {
      const state = readState(this.#db);
      const now = readRecipe(this.#db, state.recipe);
      if (now.modelSha256 !== modelSha256) {
        throw new SpillwayError('index_model_mismatch', `The index ${this.#dir} was rebuilt with the model ${nameModel(now)} since it was opened with ${nameModel(this.#recipe)}. Open it again and embed the query with that model.`, {
          details: { path: this.#dir, expected: nameModel(now), actual: nameModel(this.#recipe) },
        });
      }
      return this.#db.prepare<[object], Hit>(SEARCH).all({ vector, generation: state.published, limit });
    });
  }

  status(): IndexStatus {
    return this.#read(() => readStatus(this.#db, this.#dir));
  }

  integrityCheck(): string[] {
    return this.#read(() => findProblems(this.#db));
  }

  close(): void {
    this.#db.close();
  }

  #read<T>(query: () => T): T {
    assert(this.#db.open, 'this reader is closed');
    return withStorageErrors(this.#dir, 'reading', () => this.#db.transaction(query)());
  }
}
