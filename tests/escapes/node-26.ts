/**
 * A second version of Node, which the suite must hold on too. It is no dependency: it is fetched into a folder
 * outside of the repo when it is asked for, and found there the next time.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const VERSION = '26.9.0';
const PACKAGE = `node-linux-${process.arch}`;

/** The folder of a user is his own: another's could hold another's binary. */
const CACHE = join(tmpdir(), `spillway-escapes-node-${VERSION}-${process.getuid!()}`);

/** @returns where it is, or why it cannot be had */
export async function obtainNode26(deadlineMs: number): Promise<{ readonly path: string; readonly version: string } | { readonly reason: string }> {
  const path = join(CACHE, 'node_modules', PACKAGE, 'bin', 'node');
  try {
    mkdirSync(CACHE, { recursive: true, mode: 0o700 });
    if (!existsSync(path)) {
      await promisify(execFile)('npm', ['install', '--prefix', CACHE, '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', `${PACKAGE}@${VERSION}`], { timeout: deadlineMs });
    }
    const { stdout } = await promisify(execFile)(path, ['--version'], { timeout: deadlineMs });
    return stdout.trim() === `v${VERSION}` ? { path, version: VERSION } : { reason: `${path} is ${stdout.trim()} and not v${VERSION}` };
  } catch (error) {
    return { reason: `${PACKAGE}@${VERSION} could not be installed: ${(error as Error).message.split('\n')[0]}` };
  }
}
