/**
 * The built-in vector index: SQLite and sqlite-vec in a folder of two files, `index.db` and the
 * lock `writer.db`. It is the `VectorIndex` that the conformance suite runs first; another store
 * that passes the suite can take its place.
 */
import { openSqliteReader } from './sqlite-reader.ts';
import { openSqliteWriter } from './sqlite-writer.ts';
import type { VectorIndex } from './vector-index.ts';

export const sqliteIndex: VectorIndex = { openWriter: openSqliteWriter, openReader: openSqliteReader };
