/** A file that actors of several threads append lines to, so that a test sees what threads do that are in no system yet. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function makeJournal(): { readonly path: string; lines(): string[]; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-standby-'));
  const path = join(folder, 'journal');
  appendFileSync(path, '');
  return {
    path,
    lines: () => linesOf(path),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function note(path: string, line: string): void {
  appendFileSync(path, `${line}\n`);
}

export function linesOf(path: string): string[] {
  return readFileSync(path, 'utf8').split('\n').filter((line) => line !== '');
}
