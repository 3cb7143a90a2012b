/**
 * Reading one text file, whole and consistent, or saying why not.
 *
 * Between the walk and the reading anything may have happened to the file, so everything is checked
 * again on the opened descriptor: that it lies inside the root, is a regular file, is small enough,
 * and did not change while it was read. A fault of one file is a value, never an exception.
 *
 * What counts as text is UTF-8 without a NUL. Git looks for a NUL in the first 8,000 bytes; we look
 * in all of them, because a NUL further on would cut the text short in native code. UTF-16 and
 * UTF-32 are therefore `binary`, with or without a byte order mark. A UTF-8 mark stays in the text,
 * so that byte offsets keep their meaning.
 */
import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import * as nodeFs from 'node:fs';
import { openInside, OutsideRootError } from './root-guard.ts';
import type { FileCalls } from './root-guard.ts';

/** How often a file that changes under the reader is read in all before it is given up. */
const ATTEMPTS_MAX = 3;

export type ReadSkipReason =
  /** It contains a NUL or begins with the byte order mark of UTF-16 or UTF-32. */
  | 'binary'
  | 'invalid_utf8'
  | 'too_large'
  /** Its size or time of change differed before and after every attempt to read it. */
  | 'changed'
  /** The system refused; `cause` says how. */
  | 'unreadable'
  /** It, or a folder above it, has become a link since the walk. */
  | 'symlink'
  /** It has become a FIFO, a socket, a device or a folder since the walk. */
  | 'not_regular';

export type TextFile =
  | { readonly ok: true; readonly text: string; readonly bytes: Buffer; /** SHA-256 of the bytes, hex. */ readonly hash: string; readonly sizeBytes: number }
  | { readonly ok: false; readonly reason: ReadSkipReason; /** For people, such as the system's error message. */ readonly cause?: string };

/**
 * Reads `path` (relative to `rootPath`, which is absolute and without links). Never throws for
 * what the file is or does; never reads more than `maxFileBytes` + 1 bytes.
 *
 * @param calls the system calls, for tests
 */
export function readTextFile(rootPath: string, path: string, options: { maxFileBytes: number }, calls: FileCalls = nodeFs): TextFile {
  for (let attempt = 1; ; attempt += 1) {
    let read: Buffer | ReadSkipReason;
    try {
      read = readOnce(rootPath, path, options.maxFileBytes, calls);
    } catch (error) {
      if (error instanceof OutsideRootError) return { ok: false, reason: 'symlink', cause: error.message };
      // A socket cannot be opened at all, and a device may have nobody behind it.
      if ((error as NodeJS.ErrnoException).code === 'ENXIO') return { ok: false, reason: 'not_regular' };
      return { ok: false, reason: 'unreadable', cause: error instanceof Error ? error.message : String(error) };
    }
    if (read === 'changed' && attempt < ATTEMPTS_MAX) continue;
    if (typeof read === 'string') return { ok: false, reason: read };
    if (hasForeignMark(read) || read.includes(0)) return { ok: false, reason: 'binary' };
    if (!isUtf8(read)) return { ok: false, reason: 'invalid_utf8' };
    return { ok: true, text: read.toString('utf8'), bytes: read, hash: hash('sha256', read, 'hex'), sizeBytes: read.length };
  }
}

function readOnce(rootPath: string, path: string, maxFileBytes: number, calls: FileCalls): Buffer | ReadSkipReason {
  const fd = openInside(rootPath, path, calls);
  try {
    const before = calls.fstatSync(fd, { bigint: true });
    if (!before.isFile()) return 'not_regular';
    if (before.size > BigInt(maxFileBytes)) return 'too_large';
    const sizeBytes = Number(before.size);
    // One byte more than the size, so that a file that has grown is noticed by reading it.
    const bytes = Buffer.allocUnsafeSlow(sizeBytes + 1);
    let filled = 0;
    for (let got = -1; got !== 0 && filled < bytes.length; filled += got) {
      got = calls.readSync(fd, bytes, filled, bytes.length - filled, filled);
    }
    const after = calls.fstatSync(fd, { bigint: true });
    const same = filled === sizeBytes && after.size === before.size && after.mtimeNs === before.mtimeNs && after.ino === before.ino;
    return same ? bytes.subarray(0, sizeBytes) : 'changed';
  } finally {
    calls.closeSync(fd);
  }
}

function hasForeignMark(bytes: Buffer): boolean {
  const mark = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  return mark === 0xfffe || mark === 0xfeff;
}
