/**
 * Makes the file in which a process shows its life. Apart from what reads and writes it, because the bridge needs
 * no more than this to start the process.
 */
import { randomUUID } from 'node:crypto';
import { openSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Kept in memory, where there is such a folder. */
const SHARED_MEMORY = '/dev/shm';

/** Makes the file. @returns its descriptor, whose number is the only way to it */
export function openPage(): number {
  try {
    return openUnnamed(SHARED_MEMORY);
  } catch {
    return openUnnamed(tmpdir());
  }
}

function openUnnamed(folder: string): number {
  const path = join(folder, `spillway-${randomUUID()}`);
  const descriptor = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  return descriptor;
}
