/**
 * What a storage test must give back when it ends: its folder and its open handles.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { onTestFinished } from 'vitest';

/** The path of an index folder that does not exist yet, in a folder that goes with the test. */
export function scratchIndex(): string {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-storage-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'index');
}

export function closing<T extends { close(): void }>(handle: T): T {
  onTestFinished(() => handle.close());
  return handle;
}
