/**
 * Deletes what no generation shows any more, a slice at a time: each slice is one short transaction,
 * so the log stays small, readers are never in the way, and a kill in between costs nothing, for the
 * next collection goes on where this one stopped. A file's row goes last: it is what finds its chunks.
 */
import type { Connection } from './sqlite-connection.ts';
import { KEYS_PER_FILE, readState } from './sqlite-schema.ts';

const CHUNKS_PER_SLICE = 512;
/** Files of few chunks share a slice, or a hundred thousand of them would cost a flush each. */
const FILES_PER_SLICE = 64;

export function collectGarbage(db: Connection): void {
  const { oldest } = readState(db);
  const nextFiles = db.prepare<[number, number], number>('SELECT id FROM files WHERE gen_to <= ? LIMIT ?').pluck();
  const deletions = ['chunks', 'vectors'].map((table) =>
    db.prepare<[number, number, number]>(
      `DELETE FROM ${table} WHERE key IN (SELECT key FROM ${table} WHERE key >= ? * ${KEYS_PER_FILE} AND key < (? + 1) * ${KEYS_PER_FILE} ORDER BY key LIMIT ?)`,
    ),
  );
  const deleteFile = db.prepare<[number]>('DELETE FROM files WHERE id = ?');

  const collectSlice = db.transaction((): boolean => {
    const files = nextFiles.all(oldest, FILES_PER_SLICE);
    let left = CHUNKS_PER_SLICE;
    for (const file of files) {
      let deleted = 0;
      for (const deletion of deletions) deleted = deletion.run(file, file, left).changes;
      left -= deleted;
      if (left <= 0) return true;
      deleteFile.run(file);
    }
    return files.length === FILES_PER_SLICE;
  });
  while (collectSlice.immediate());

  db.prepare(
    `DELETE FROM recipes WHERE id NOT IN (SELECT recipe FROM state UNION SELECT former_recipe FROM state UNION SELECT run_recipe FROM state UNION SELECT recipe FROM files)`,
  ).run();
}
