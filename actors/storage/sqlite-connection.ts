/**
 * Opens the index's database the one way it may be opened, and turns what SQLite and the file
 * system throw into the storage room's errors.
 *
 * WAL with `synchronous=FULL`: a commit that returned survives a power cut if the disk honours its
 * flushes, and readers never wait for the writer. Memory-mapped reads are off, because an I/O error
 * in a mapping is a signal that ends the process, where a failed `read` is an error code.
 *
 * Nothing else in this process may open these files: closing any descriptor of a file drops the
 * process's POSIX locks on it, which SQLite knows about for its own descriptors only.
 */
import Database from 'better-sqlite3-multiple-ciphers';
import { load as loadVectorFunctions } from 'sqlite-vec';

import { SpillwayError } from '../../kernel/index.ts';
import type { StorageErrorCode } from './error-codes.ts';

export type Connection = Database.Database;

/** 16 KiB: at 256 dimensions a 4 KiB page holds three vectors and wastes a quarter of itself. */
const PAGE_SIZE_BYTES = 16_384;
/** A reader scans, and gains from a large cache. */
const READER_CACHE_SIZE_KIB = 65_536;
/** A writer appends, gains little, and with a large cache its process grew with the index. */
const WRITER_CACHE_SIZE_KIB = 4096;
/** The log shrinks to this after a checkpoint; it grows to it only by one large transaction. */
const LOG_SIZE_LIMIT_BYTES = 64 * 1024 * 1024;
/** How long a reader waits for the instant in which another connection recovers or resets the log. */
const BUSY_TIMEOUT_MS = 5000;

/** Opens `file`; a writer makes it if it is not there. The caller closes it, also when what follows throws. */
export function openConnection(file: string, access: { readonly: boolean; maxSizeBytes?: number }): Connection {
  const db = new Database(file, { readonly: access.readonly, fileMustExist: access.readonly, timeout: BUSY_TIMEOUT_MS });
  try {
    loadVectorFunctions(db);
    db.pragma('temp_store = MEMORY');
    db.pragma('mmap_size = 0');
    db.pragma(`cache_size = -${access.readonly ? READER_CACHE_SIZE_KIB : WRITER_CACHE_SIZE_KIB}`);
    if (!access.readonly) {
      // The page size is fixed by the first write, which is the change of journal mode.
      db.pragma(`page_size = ${PAGE_SIZE_BYTES}`);
      db.pragma('journal_mode = WAL');
      db.pragma('synchronous = FULL');
      db.pragma(`journal_size_limit = ${LOG_SIZE_LIMIT_BYTES}`);
      if (access.maxSizeBytes !== undefined) {
        const pageSizeBytes = db.pragma('page_size', { simple: true }) as number;
        db.pragma(`max_page_count = ${Math.max(1, Math.floor(access.maxSizeBytes / pageSizeBytes))}`);
      }
    }
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Runs `action` on the index in `dir` and throws what it throws as an error of this room. */
export function withStorageErrors<T>(dir: string, doing: 'reading' | 'writing' | 'opening', action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asStorageError(dir, doing, error);
  }
}

/** Errors that are not SQLite's or the file system's (ours, assertions) come back as they are. */
export function asStorageError(dir: string, doing: 'reading' | 'writing' | 'opening', error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof SpillwayError) return error;
  const cause = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (!/^(SQLITE_|E[A-Z0-9]+$)/.test(cause)) return error;
  const reason = error.message.startsWith(cause) ? error.message : `${cause}: ${error.message}`;
  const fault = (code: StorageErrorCode, sentence: string): SpillwayError =>
    new SpillwayError(code, sentence, { cause: error, details: { path: dir, cause } });

  if (cause === 'SQLITE_FULL' || cause === 'ENOSPC' || cause === 'EDQUOT') {
    return fault('storage_full', `No space is left to write the index ${dir} (${cause}). Free space and run again; the index is as before.`);
  }
  if (cause.startsWith('SQLITE_CORRUPT') || cause === 'SQLITE_NOTADB') {
    return fault('index_corrupt', `The index ${dir} is damaged (${reason}). Delete the folder and run \`spillway embed <path>\` again.`);
  }
  if (cause.startsWith('SQLITE_READONLY') || (doing === 'opening' && /^(SQLITE_(CANTOPEN|PERM|AUTH)|E)/.test(cause))) {
    return fault('index_unwritable', `The index folder ${dir} cannot be written (${reason}). Correct its permissions, or choose another folder with --index.`);
  }
  if (doing === 'reading' && /^(SQLITE_(CANTOPEN|PERM|AUTH)|E)/.test(cause)) {
    return fault('index_unreadable', `The index ${dir} cannot be opened for reading (${reason}). Correct its permissions, or choose another folder with --index.`);
  }
  return fault('storage_failed', `${doing[0]!.toUpperCase()}${doing.slice(1)} the index ${dir} failed (${reason}). Check the disk and run again; the index continues from its last commit.`);
}
