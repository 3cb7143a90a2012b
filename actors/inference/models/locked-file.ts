/**
 * A small JSON file that several processes read and change at once.
 *
 * A reader sees the whole of one version or the whole of the next: a change is written beside the file,
 * synced, and renamed over it. Writers take turns, so that none writes over what another has just added:
 *
 *   1. BEGIN IMMEDIATE on a database of its own (`<file>.lock`), which the system lets go of with the
 *      process, whatever ends it; a lock file would outlive its maker.
 *   2. Read, change, write beside, fsync, rename, fsync the folder. Nothing in between is awaited.
 *   3. ROLLBACK. The database stays empty.
 *
 * A process that dies in step 2 leaves the former version, and perhaps a file beside it that the next
 * writer takes away.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import type { Database } from 'better-sqlite3';
import { SpillwayError } from '../../../kernel/index.ts';
import { syncFolder } from '../synced-folder.ts';

/** Files of this kind hold some hundred entries; what is larger was not written here. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;
/** A turn takes about as long as two fsyncs. */
const RETRY_MS = 10;
const TURNS_MAX = 1_000;

export interface LockedFileOptions<Value> {
  readonly path: string;
  /** What the file holds before it exists. */
  readonly empty: Value;
  /** Takes what was parsed for a value, or throws. */
  parse(parsed: unknown): Value;
  /** What becomes of a file that cannot be understood: `refuse` (default) throws, `empty` begins anew. */
  readonly broken?: 'refuse' | 'empty';
}

export class LockedFile<Value> {
  readonly path: string;
  readonly #options: LockedFileOptions<Value>;

  constructor(options: LockedFileOptions<Value>) {
    this.path = options.path;
    this.#options = options;
  }

  /** The present version. @throws SpillwayError `registry_broken` */
  read(): Value {
    const { path } = this;
    try {
      const { size } = statSync(path);
      if (size > FILE_BYTES_MAX) throw new RangeError(`it has ${size} bytes, and at most ${FILE_BYTES_MAX} are read`);
      return this.#options.parse(JSON.parse(readFileSync(path, 'utf8')));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT' || this.#options.broken === 'empty') return this.#options.empty;
      throw new SpillwayError(
        'registry_broken',
        `${path} cannot be understood (${faultOf(cause)}); put a former copy in its place, or remove it and add the models again with \`spillway models add\``,
        { cause, details: { path } },
      );
    }
  }

  /**
   * Puts what `change` makes of the present version in its place, and answers it. What `change` throws changes nothing.
   *
   * @throws SpillwayError `registry_broken`, `registry_busy`, `registry_unwritable`
   */
  async update(change: (value: Value) => Value): Promise<Value> {
    const lock = await this.#lock();
    try {
      const value = change(this.read());
      this.#write(value);
      return value;
    } finally {
      lock.close();
    }
  }

  async #lock(): Promise<Database> {
    const { default: Driver } = await import('better-sqlite3-multiple-ciphers');
    const db = this.#guarded(() => {
      mkdirSync(dirname(this.path), { recursive: true });
      return new Driver(`${this.path}.lock`, { timeout: 0 });
    });
    try {
      for (let turn = 0; turn < TURNS_MAX; turn++) {
        if (this.#guarded(() => isTaken(db))) return db;
        await pause(RETRY_MS);
      }
    } catch (error) {
      db.close();
      throw error;
    }
    db.close();
    throw new SpillwayError('registry_busy', `${this.path} is being changed by another process for more than ${(TURNS_MAX * RETRY_MS) / 1_000} s; try again when it has ended`, {
      details: { path: this.path },
    });
  }

  #write(value: Value): void {
    const { path } = this;
    this.#guarded(() => {
      const folder = dirname(path);
      const besidePrefix = `${basename(path)}.tmp-`;
      // Only the holder of the lock writes, so whatever lies beside was left by one that died.
      for (const name of readdirSync(folder)) if (name.startsWith(besidePrefix)) rmSync(join(folder, name), { force: true });
      const besidePath = join(folder, `${besidePrefix}${process.pid}-${threadId}`);
      writeSynced(besidePath, `${JSON.stringify(value, undefined, 2)}\n`);
      renameSync(besidePath, path);
      syncFolder(folder);
    });
  }

  #guarded<Result>(work: () => Result): Result {
    try {
      return work();
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause) || cause instanceof SpillwayError) throw cause;
      throw new SpillwayError('registry_unwritable', `${this.path} cannot be written (${cause.message}); check the permissions and the free space of its folder, or choose another cache folder`, {
        cause,
        details: { path: this.path },
      });
    }
  }
}

/** The validator speaks of a message; here it is a file's field. */
function faultOf(cause: unknown): string {
  if (!(cause instanceof SpillwayError && cause.code === 'message_invalid')) return (cause as Error).message;
  const { path, expected, found } = cause.details;
  return `${String(path) || 'the whole'} must be ${String(expected)}, and is ${String(found)}`;
}

function isTaken(db: Database): boolean {
  try {
    db.exec('BEGIN IMMEDIATE');
    return true;
  } catch (error) {
    if (String((error as NodeJS.ErrnoException).code).startsWith('SQLITE_BUSY')) return false;
    throw error;
  }
}

function writeSynced(path: string, text: string): void {
  const file = openSync(path, 'w', 0o644);
  try {
    const bytes = Buffer.from(text);
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
