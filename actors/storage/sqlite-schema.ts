/**
 * The tables of `index.db`, and the arithmetic of generations on them.
 *
 *   recipes   root, model, settings: what the vectors of a generation come from
 *   state     one row: the pointer to the published generation, and the run in progress
 *   files     one row per *version* of a file, with the generations that show it
 *   chunks    key = file id × 2^20 + ordinal → byte and line range, text
 *   vectors   the same key → float32 blob
 *
 * A file version is visible in generation g when `gen_from <= g < gen_to`. With P published:
 *
 *   published   gen_from <= P < gen_to          `gen_to` is FOREVER, or P + 1 if this run ends it
 *   building    gen_from = P + 1, gen_to FOREVER   shown by the next publication, if complete
 *   former      oldest < gen_to <= P            kept so that rollback is one row
 *   garbage     gen_to <= oldest                nobody can see it; 0 marks a discarded version
 *
 * Only `files` carries the interval, so superseding a file of a thousand chunks, ending it,
 * discarding it and taking all that back are each one small row, and a rebuild with vectors of
 * another length needs no table of its own. Vectors lie apart from the text, in the order of their
 * files, so a search reads vectors only, and whole versions side by side. The key makes storing a
 * chunk twice impossible.
 *
 * sqlite-vec's `vec0` table was measured against this. It searches faster, but its rows must be
 * rewritten chunk by chunk when a file is superseded, its dimension is fixed, so a rebuild would need
 * a table of its own and rollback two of them, and it returns at most 4096 rows. Here the scalar
 * functions of sqlite-vec do the arithmetic over plain rows, exactly.
 */
import { relative, resolve, sep } from 'node:path';

import { SpillwayError } from '../../kernel/index.ts';
import type { Connection } from './sqlite-connection.ts';
import type { WriterOptions } from './vector-index.ts';

/** The `gen_to` of a version that nothing has ended: the largest integer that a double holds exactly. */
export const FOREVER = Number.MAX_SAFE_INTEGER;
/** Keys per file, so also the most chunks a file may have. */
export const KEYS_PER_FILE = 2 ** 20;

/** "Splw", in the database header: tells an index from any other SQLite file. */
const APPLICATION_ID = 0x53_70_6c_77;
const SCHEMA_VERSION = 1;

const TABLES = `
  CREATE TABLE recipes (
    id INTEGER PRIMARY KEY, root TEXT NOT NULL, model_name TEXT NOT NULL, model_sha256 TEXT NOT NULL,
    dimensions INTEGER NOT NULL, settings TEXT NOT NULL
  ) STRICT;
  CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    published INTEGER NOT NULL, recipe INTEGER NOT NULL REFERENCES recipes, published_at TEXT,
    oldest INTEGER NOT NULL, former_recipe INTEGER NOT NULL REFERENCES recipes, former_at TEXT,
    run INTEGER NOT NULL, run_id TEXT, run_recipe INTEGER NOT NULL REFERENCES recipes, run_open INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE files (
    id INTEGER PRIMARY KEY, path TEXT NOT NULL, hash TEXT NOT NULL, size_bytes INTEGER NOT NULL,
    chunk_count INTEGER NOT NULL, stored_chunks INTEGER NOT NULL, recipe INTEGER NOT NULL REFERENCES recipes,
    gen_from INTEGER NOT NULL, gen_to INTEGER NOT NULL, seen_run INTEGER NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX files_by_path ON files (path, gen_from) WHERE gen_to > 0;
  CREATE INDEX files_by_gen_from ON files (gen_from);
  CREATE INDEX files_by_gen_to ON files (gen_to);
  CREATE TABLE chunks (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL, start_byte INTEGER NOT NULL, end_byte INTEGER NOT NULL,
    start_line INTEGER NOT NULL, end_line INTEGER NOT NULL, text TEXT NOT NULL
  ) STRICT;
  CREATE TABLE vectors (key INTEGER PRIMARY KEY, embedding BLOB NOT NULL) STRICT;
`;

/** What the vectors of a generation come from. `root` is relative to the index folder, so both can move together. */
export interface Recipe {
  readonly root: string;
  readonly modelName: string;
  readonly modelSha256: string;
  readonly dimensions: number;
  /** JSON with sorted keys, so that equal settings are equal strings. */
  readonly settings: string;
}

export interface State {
  readonly published: number;
  readonly recipe: number;
  readonly publishedAt: string | null;
  /** The oldest generation that can still be shown: `published - 1`, or `published` after a rollback. */
  readonly oldest: number;
  readonly formerRecipe: number;
  readonly formerAt: string | null;
  readonly run: number;
  readonly runId: string | null;
  readonly runRecipe: number;
  readonly runOpen: number;
}

/** Says whether the database holds an index; false for a file that was made and never written. Throws `index_corrupt`, `index_version`. */
export function hasSchema(db: Connection, dir: string): boolean {
  const applicationId = db.pragma('application_id', { simple: true }) as number;
  const version = db.pragma('user_version', { simple: true }) as number;
  if (applicationId === APPLICATION_ID && version === SCHEMA_VERSION) return true;
  if (applicationId === APPLICATION_ID) {
    throw new SpillwayError('index_version', `The index ${dir} has format ${version}; this Spillway knows format ${SCHEMA_VERSION}. Upgrade Spillway, or choose another folder with --index.`, {
      details: { path: dir, version },
    });
  }
  if (applicationId === 0 && version === 0 && db.prepare('SELECT count(*) FROM sqlite_master').pluck().get() === 0) return false;
  throw new SpillwayError('index_corrupt', `${dir}/index.db is not a Spillway index. Delete it, or choose another folder with --index.`, {
    details: { path: dir },
  });
}

/** Makes the tables and the first recipe in one transaction: a crash leaves an index or an unwritten file. */
export function createSchema(db: Connection, recipe: Recipe): void {
  db.transaction(() => {
    db.exec(TABLES);
    const id = insertRecipe(db, recipe);
    db.prepare('INSERT INTO state VALUES (1, 0, ?, NULL, 0, ?, NULL, 0, NULL, ?, 0)').run(id, id, id);
    db.pragma(`application_id = ${APPLICATION_ID}`);
    db.pragma(`user_version = ${SCHEMA_VERSION}`);
  }).immediate();
}

export function readState(db: Connection): State {
  return db
    .prepare<[], State>(
      `SELECT published, recipe, published_at AS publishedAt, oldest, former_recipe AS formerRecipe, former_at AS formerAt,
              run, run_id AS runId, run_recipe AS runRecipe, run_open AS runOpen FROM state`,
    )
    .get()!;
}

export function readRecipe(db: Connection, id: number): Recipe {
  return db
    .prepare<[number], Recipe>(
      'SELECT root, model_name AS modelName, model_sha256 AS modelSha256, dimensions, settings FROM recipes WHERE id = ?',
    )
    .get(id)!;
}

export function insertRecipe(db: Connection, recipe: Recipe): number {
  const { root, modelName, modelSha256, dimensions, settings } = recipe;
  return Number(
    db.prepare('INSERT INTO recipes (root, model_name, model_sha256, dimensions, settings) VALUES (?, ?, ?, ?, ?)')
      .run(root, modelName, modelSha256, dimensions, settings).lastInsertRowid,
  );
}

export function recipeOf(dir: string, { model, settings, root }: WriterOptions): Recipe {
  return {
    root: relative(resolve(dir), resolve(root)).split(sep).join('/'),
    modelName: model.name,
    modelSha256: model.sha256,
    dimensions: model.dimensions,
    settings: canonicalJson(settings),
  };
}

export function isSameRecipe(a: Recipe, b: Recipe): boolean {
  return a.root === b.root && a.modelSha256 === b.modelSha256 && a.dimensions === b.dimensions && a.settings === b.settings;
}

/** Throws the error that says in what `offered` differs from what made the index. */
export function requireSameRecipe(dir: string, made: Recipe, offered: Recipe): void {
  if (made.root !== offered.root) {
    const [holds, came] = [resolve(dir, made.root), resolve(dir, offered.root)];
    throw new SpillwayError('index_root_mismatch', `The index ${dir} holds the folder ${holds}, not ${came}. Choose another folder with --index, or pass --rebuild to replace what it holds.`, {
      details: { path: dir, expected: holds, actual: came },
    });
  }
  if (made.modelSha256 !== offered.modelSha256 || made.dimensions !== offered.dimensions) {
    const [expected, actual] = [nameModel(made), nameModel(offered)];
    throw new SpillwayError('index_model_mismatch', `The index ${dir} was made with the model ${expected}, not with ${actual}. Use that model, or pass --rebuild to embed everything again.`, {
      details: { path: dir, expected, actual },
    });
  }
  if (made.settings !== offered.settings) {
    throw new SpillwayError('index_settings_mismatch', `The index ${dir} was made with the settings ${made.settings}, not ${offered.settings}. Use those, or pass --rebuild to embed everything again.`, {
      details: { path: dir, expected: made.settings, actual: offered.settings },
    });
  }
}

export function nameModel({ modelName, modelSha256, dimensions }: Recipe): string {
  return `${modelName} (${dimensions} dimensions, sha256 ${modelSha256.slice(0, 12)})`;
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === 'object' && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
