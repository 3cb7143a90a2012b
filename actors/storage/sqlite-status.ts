/**
 * What `status()` answers, for the writer and the readers alike: counted from the rows, so it
 * cannot disagree with what a search sees.
 */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';

import type { Connection } from './sqlite-connection.ts';
import { readRecipe, readState } from './sqlite-schema.ts';
import type { IndexStatus } from './vector-index.ts';

interface Totals {
  readonly files: number;
  readonly chunks: number;
}

/** Within a transaction of its own or of the caller. */
export function readStatus(db: Connection, dir: string): IndexStatus {
  const state = readState(db);
  const recipe = readRecipe(db, state.recipe);
  const building = db
    .prepare<[number], Totals>('SELECT count(*) AS files, coalesce(sum(stored_chunks), 0) AS chunks FROM files WHERE gen_from > ? AND gen_to > 0')
    .get(state.published)!;
  return {
    generation: state.published,
    ...countVisible(db, state.published),
    model: { name: recipe.modelName, sha256: recipe.modelSha256, dimensions: recipe.dimensions },
    settings: JSON.parse(recipe.settings) as Record<string, unknown>,
    root: resolve(dir, recipe.root),
    sizeBytes: ['index.db', 'index.db-wal'].reduce((sum, file) => sum + (statSync(resolve(dir, file), { throwIfNoEntry: false })?.size ?? 0), 0),
    publishedAt: state.publishedAt,
    ...(building.files > 0 && { building: { generation: state.published + 1, ...building } }),
  };
}

export function countVisible(db: Connection, generation: number): Totals {
  return db
    .prepare<[number, number], Totals>('SELECT count(*) AS files, coalesce(sum(chunk_count), 0) AS chunks FROM files WHERE gen_from <= ? AND gen_to > ?')
    .get(generation, generation)!;
}
