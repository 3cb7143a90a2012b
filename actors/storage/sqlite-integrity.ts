/**
 * Looks for everything that a crash, a bug or a bad disk could have broken: SQLite's own check, and
 * then what the schema promises. Each kind of problem is reported a few times at most, because a
 * damaged index may have a million of one kind.
 */
import type { Connection } from './sqlite-connection.ts';
import { FOREVER, KEYS_PER_FILE, readState } from './sqlite-schema.ts';

const PER_KIND_MAX = 10;

/** The condition that a row of `table` belongs to the file `f`. */
const keysOf = (table: string): string => `${table}.key >= f.id * ${KEYS_PER_FILE} AND ${table}.key < (f.id + 1) * ${KEYS_PER_FILE}`;

/** Sentences; empty when the index is sound. To be called within one transaction. */
export function findProblems(db: Connection): string[] {
  const broken = (db.pragma(`integrity_check(${PER_KIND_MAX})`) as { integrity_check: string }[])
    .map((row) => row.integrity_check)
    .filter((line) => line !== 'ok')
    .map((line) => `SQLite: ${line}.`);
  // The queries below would only repeat, or trip over, what SQLite found.
  if (broken.length > 0) return broken;

  const state = readState(db);
  const problems: string[] = [];
  const look = (sql: string, ...parameters: number[]): void => {
    problems.push(...db.prepare<number[], string>(`${sql} LIMIT ${PER_KIND_MAX}`).pluck().all(...parameters));
  };

  if (state.published < 0 || state.oldest < 0 || state.oldest > state.published || state.oldest < state.published - 1) {
    problems.push(`The pointer shows generation ${state.published} and keeps from generation ${state.oldest}.`);
  }
  look(
    `SELECT 'The recipe ' || r.value || ' of the pointer does not exist.' FROM json_each(json_array(${state.recipe}, ${state.formerRecipe}, ${state.runRecipe})) r
     WHERE r.value NOT IN (SELECT id FROM recipes)`,
  );
  look(`SELECT 'Chunk ' || c.key || ' has no vector.' FROM chunks c LEFT JOIN vectors v ON v.key = c.key WHERE v.key IS NULL`);
  look(`SELECT 'Vector ' || v.key || ' has no chunk.' FROM vectors v LEFT JOIN chunks c ON c.key = v.key WHERE c.key IS NULL`);
  look(`SELECT 'Chunk ' || c.key || ' belongs to no file.' FROM chunks c LEFT JOIN files f ON f.id = c.key / ${KEYS_PER_FILE} WHERE f.id IS NULL`);
  look(
    `SELECT 'Vector ' || v.key || ' of ' || f.path || ' is ' || length(v.embedding) || ' bytes long, not ' || (r.dimensions * 4) || '.'
     FROM files f JOIN recipes r ON r.id = f.recipe CROSS JOIN vectors v ON ${keysOf('v')} WHERE length(v.embedding) <> r.dimensions * 4`,
  );
  look(
    `SELECT 'Chunk ' || (c.key % ${KEYS_PER_FILE}) || ' of ' || f.path || ' is beyond its ' || f.chunk_count || ' chunks.'
     FROM files f CROSS JOIN chunks c ON c.key >= f.id * ${KEYS_PER_FILE} + f.chunk_count AND c.key < (f.id + 1) * ${KEYS_PER_FILE}`,
  );
  // Garbage is exempt: a kill may come while its chunks are being deleted.
  look(
    `SELECT 'The file ' || path || ' (generation ' || gen_from || ') says that ' || stored_chunks || ' chunks are stored; ' || found || ' are.'
     FROM (SELECT f.*, (SELECT count(*) FROM chunks c WHERE ${keysOf('c')}) AS found FROM files f WHERE f.gen_to > ?) WHERE found <> stored_chunks`,
    state.oldest,
  );
  look(
    `SELECT 'The visible file ' || path || ' has ' || stored_chunks || ' of its ' || chunk_count || ' chunks.'
     FROM files WHERE gen_from <= ? AND gen_to > ? AND stored_chunks <> chunk_count`,
    state.published,
    state.oldest,
  );
  look(
    `SELECT 'The visible file ' || f.path || ' has the recipe ' || f.recipe || ', not that of its generation.'
     FROM files f WHERE f.gen_from <= ? AND f.gen_to > ? AND f.recipe <> ?`,
    state.published,
    state.published,
    state.recipe,
  );
  look(`SELECT 'The file ' || path || ' waits for generation ' || gen_from || '.' FROM files WHERE gen_from > ? + 1 AND gen_to > 0`, state.published);
  for (const generation of new Set([state.oldest, state.published])) {
    look(
      `SELECT 'Generation ' || ${generation} || ' shows ' || count(*) || ' versions of ' || path || '.'
       FROM files WHERE gen_from <= ? AND gen_to > ? GROUP BY path HAVING count(*) > 1`,
      generation,
      generation,
    );
  }
  look(
    `SELECT 'There are ' || count(*) || ' unpublished versions of ' || path || '.'
     FROM files WHERE gen_from > ? AND gen_to = ${FOREVER} GROUP BY path HAVING count(*) > 1`,
    state.published,
  );
  return problems;
}
