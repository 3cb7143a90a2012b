/** What a file that was renamed needs to outlast a power cut. */
import { closeSync, fsyncSync, openSync } from 'node:fs';

/** A rename survives a power cut only once its folder is synced. Windows neither needs nor allows it. */
export function syncFolder(path: string): void {
  if (process.platform === 'win32') return;
  const folder = openSync(path, 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
