/** Erlang's side, compiled into a temporary folder for as long as it is measured. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Report, Restart } from './task.ts';

const SOURCES = ['beam-restart', 'beam-victim'].map((name) => fileURLToPath(new URL(`./${name}.erl`, import.meta.url)));
const TIMEOUT_MS = 60_000;
const run = promisify(execFile);

/** Undefined where there is no `erl` and `erlc`. */
export async function measureBeam(rounds: number): Promise<Report | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-restarts-'));
  try {
    await run('erlc', ['-o', folder, ...SOURCES]);
    const { stdout } = await run('erl', ['-noshell', '-env', 'ERL_CRASH_DUMP_SECONDS', '0', '-pa', folder, '-run', 'beam-restart', 'main', String(rounds)], { timeout: TIMEOUT_MS + rounds * 1_000 });
    return { restarts: JSON.parse(stdout) as Restart[], waiting: 0, lost: 0, hanging: 0 };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
