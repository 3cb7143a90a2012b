/**
 * Opening things below a root without ever leaving it through a symbolic link.
 *
 * `O_NOFOLLOW` guards only the last name of a path: a folder in the middle that was swapped for a
 * link after the walk looked at it would still be followed. So the file is opened first and then
 * asked where it really is: by `/proc/self/fd` on Linux, which answers for the open file itself,
 * and elsewhere by resolving the path again and comparing device and inode.
 */
import * as nodeFs from 'node:fs';
import { join } from 'node:path';

/** The system calls this room makes to open and read; a test passes its own. */
export type FileCalls = Pick<typeof nodeFs, 'openSync' | 'fstatSync' | 'readSync' | 'closeSync' | 'readlinkSync' | 'realpathSync' | 'statSync'>;

/** Thrown when an opened path turned out to lie elsewhere. */
export class OutsideRootError extends Error {
  override readonly name = 'OutsideRootError';
}

/**
 * Opens `path` below `rootPath` for reading and returns the descriptor, which the caller closes.
 * Never blocks on a FIFO.
 *
 * @param rootPath the root, absolute and without links
 * @param path relative to the root, '' for the root itself
 * @throws OutsideRootError when any part of the path is a link, or the file was moved meanwhile;
 *   otherwise the system's error
 */
export function openInside(rootPath: string, path: string, calls: FileCalls = nodeFs): number {
  const wanted = path === '' ? rootPath : join(rootPath, path);
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = nodeFs.constants;
  let fd: number;
  try {
    fd = calls.openSync(wanted, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw new OutsideRootError(`${wanted} is a symbolic link`);
    throw error;
  }
  try {
    if (!isAt(fd, wanted, calls)) throw new OutsideRootError(`${wanted} was reached through a symbolic link, or was moved`);
    return fd;
  } catch (error) {
    calls.closeSync(fd);
    throw error;
  }
}

function isAt(fd: number, wanted: string, calls: FileCalls): boolean {
  if (process.platform === 'linux') {
    try {
      return calls.readlinkSync(`/proc/self/fd/${fd}`) === wanted;
    } catch {
      // No /proc in this container: the portable comparison decides.
    }
  }
  if (calls.realpathSync(wanted) !== wanted) return false;
  const opened = calls.fstatSync(fd, { bigint: true });
  const named = calls.statSync(wanted, { bigint: true });
  return opened.ino === named.ino && opened.dev === named.dev;
}
