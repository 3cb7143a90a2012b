/**
 * The lock that lets one writer at a time into an index folder.
 *
 * The kernel must drop it when its holder dies by any death, and the refused one should learn who
 * holds it. So the lock is an open `BEGIN IMMEDIATE` on a tiny database of its own (`writer.db`,
 * rollback journal): a RESERVED lock on the file, gone with the process, under which others still
 * read the committed row that names the holder. There is no lock file to go stale.
 *
 *   1. BEGIN IMMEDIATE; refused: somebody writes. Read the row, throw `index_locked`.
 *   2. The row is mine: keep the transaction open. That is the lock.
 *   3. The row is not mine: write it, COMMIT, go to 1. Another may slip in between and write its own
 *      row; whoever ends at step 2 holds the lock with its own name on it.
 *
 * The index's own database could not carry this lock: the writer commits there all the time.
 */
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';

import Database from 'better-sqlite3-multiple-ciphers';

import { SpillwayError } from '../../kernel/index.ts';
import { withStorageErrors } from './sqlite-connection.ts';

export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  readonly command: string;
  /** ISO 8601. */
  readonly since: string;
}

export interface IndexLock {
  readonly holder: LockHolder;
  /** Lets the next writer in. Idempotent. */
  release(): void;
}

export interface LockOptions {
  /** Default: the process's command line, as far as this thread knows it: a worker knows only its own file. */
  readonly command?: string;
  /** The clock, in ms since the epoch. */
  readonly now?: () => number;
}

/** Each turn past the second means that another writer slipped in and left again. */
const TURNS_MAX = 16;
const COMMAND_LENGTH_MAX = 200;

/** Locks that are held. Without this a garbage collection would close the database of a forgotten lock, and so let go of it at some time. */
const HELD = new Set<Database.Database>();

/** Takes the lock of the existing folder `dir`, at once or not at all. Throws `index_locked`, `index_unwritable`. */
export function acquireIndexLock(dir: string, { command = commandLine(), now = Date.now }: LockOptions = {}): IndexLock {
  const holder: LockHolder = {
    pid: process.pid,
    host: hostname(),
    command: command.slice(0, COMMAND_LENGTH_MAX),
    since: new Date(now()).toISOString(),
  };
  return withStorageErrors(dir, 'opening', () => {
    const db = new Database(join(dir, 'writer.db'), { timeout: 0 });
    try {
      if (!hold(db, holder)) throw lockedError(dir, db);
    } catch (error) {
      db.close();
      throw error;
    }
    HELD.add(db);
    const release = (): void => {
      HELD.delete(db);
      db.close();
    };
    return { holder, release };
  });
}

function commandLine(): string {
  return [basename(process.argv[1] ?? process.title), ...process.argv.slice(2)].join(' ');
}

function hold(db: Database.Database, holder: LockHolder): boolean {
  const token = randomUUID();
  for (let turn = 0; turn < TURNS_MAX; turn += 1) {
    try {
      db.exec('BEGIN IMMEDIATE');
      db.exec('CREATE TABLE IF NOT EXISTS holder (id INTEGER PRIMARY KEY CHECK (id = 1), token TEXT, pid INTEGER, host TEXT, command TEXT, since TEXT)');
      if (db.prepare('SELECT token FROM holder').pluck().get() === token) return true;
      db.prepare('INSERT OR REPLACE INTO holder VALUES (1, ?, ?, ?, ?, ?)').run(token, holder.pid, holder.host, holder.command, holder.since);
      db.exec('COMMIT');
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      if (error instanceof Database.SqliteError && error.code.startsWith('SQLITE_BUSY')) return false;
      throw error;
    }
  }
  return false;
}

function lockedError(dir: string, db: Database.Database): SpillwayError {
  const holder = readHolder(db);
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host} (${holder.command}) since ${holder.since}`;
  return new SpillwayError('index_locked', `The index ${dir} is being written by ${who}. Wait until it ends, or choose another folder with --index.`, {
    details: { path: dir, ...holder },
  });
}

/** Undefined in the instant in which the holder is just writing its row. */
function readHolder(db: Database.Database): LockHolder | undefined {
  try {
    return db.prepare<[], LockHolder>('SELECT pid, host, command, since FROM holder').get();
  } catch (error) {
    if (error instanceof Database.SqliteError) return undefined;
    throw error;
  }
}
