/** Where a report was made: figures mean nothing without it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { arch, availableParallelism, cpus, platform, release, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
  readonly v8: string;
  /** Of this package. */
  readonly version: string;
  /** Of the checkout that this runs from; an installed package has none. */
  readonly commit?: string;
}

export function describeMachine(): Machine {
  const commit = commitHere();
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.versions.node,
    v8: process.versions.v8,
    version: versionHere(),
    ...(commit === undefined ? {} : { commit }),
  };
}

function versionHere(): string {
  const file = findPackageJSON('..', import.meta.url);
  return file === undefined ? 'unknown' : (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

function commitHere(): string | undefined {
  // Compiled files may lie within somebody else's repository.
  if (!import.meta.filename.endsWith('.ts')) return undefined;
  try {
    const text = execFileSync('git', ['-C', import.meta.dirname, 'describe', '--always', '--dirty', '--abbrev=12'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return text.trim() || undefined;
  } catch {
    return undefined;
  }
}
