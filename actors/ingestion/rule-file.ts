/**
 * Reading the small text files that steer a walk (`.gitignore`, `info/exclude`, git's configuration).
 *
 * They come from the tree that is being embedded, so they are as untrusted as the rest of it: a
 * FIFO must not block the walk and a huge file must not fill the memory.
 */
import * as fs from 'node:fs';

/** Ten thousand long patterns fit; git's own limit is larger, but nobody writes such a file. */
export const RULE_FILE_BYTES_MAX = 4_194_304;

/**
 * The text of a rule file, or `undefined` where git, too, would go on without one: the file is
 * absent, is not a regular file, or (for `.gitignore`, since git 2.32) is a symbolic link.
 *
 * @throws the system's error when a file is there but cannot be read, and a RangeError when it is
 *   larger than `RULE_FILE_BYTES_MAX`: going on without its rules could embed what it hides.
 */
export function readRuleFile(path: string, links: 'followed' | 'refused'): string | undefined {
  const noFollow = links === 'refused' ? fs.constants.O_NOFOLLOW : 0;
  let fd: number;
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | noFollow);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP' || code === 'ENXIO') return undefined;
    throw error;
  }
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isFile()) return undefined;
    if (stat.size > RULE_FILE_BYTES_MAX) {
      throw new RangeError(`${path} has ${stat.size} bytes; a rule file may have ${RULE_FILE_BYTES_MAX}`);
    }
    return fs.readFileSync(fd, 'utf8');
  } finally {
    fs.closeSync(fd);
  }
}
