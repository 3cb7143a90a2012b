/**
 * The escape suite as a test: every probe, on this Node and on a newer one where it can be had, and that a
 * system without namespaces refuses. `npm run escapes` prints the same as a table.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { obtainNode26 } from './node-26.ts';
import { runNodeProbes, runSystemCallProbes, type Row } from './suite.ts';

/** The tests must not depend on the network; what is not there by then is skipped, and said so. */
const INSTALL_DEADLINE_MS = 30_000;

const surprises = (rows: readonly Row[]): string[] => rows.flatMap(({ name, surprises: found }) => found.map((surprise) => `${name}: ${surprise}`));

describe('a sandboxed process', () => {
  it('gets out by none of the probes, each of which succeeds outside', async () => {
    const rows = await runNodeProbes(process.execPath);
    expect(surprises(rows)).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(40);
  });
  it('gets out by none of them on Node 26', async ({ skip }) => {
    const node = await obtainNode26(INSTALL_DEADLINE_MS);
    if ('reason' in node) skip(node.reason);
    else expect(surprises(await runNodeProbes(node.path))).toEqual([]);
  });
  it('is refused the system calls that exploits of the kernel begin with, each of which works outside', async () => {
    expect(surprises(await runSystemCallProbes())).toEqual([]);
  });
  it('is accepted to reach only what has a reason written beside it', async () => {
    const { NODE_PROBES } = await import('./probe-list.ts');
    for (const { expected } of NODE_PROBES) if (expected !== 'denied') expect(expected.accepted).toMatch(/^[A-Z].*\.$/);
    expect(new Set(NODE_PROBES.map(({ name }) => name)).size).toBe(NODE_PROBES.length);
  });
});

describe('a system that permits no namespaces', () => {
  it('refuses a required sandbox by name and says of one that is not required that it is none', () => {
    const child = join(import.meta.dirname, 'unsupported-child.ts');
    const forbidden = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"';
    const output = execFileSync('unshare', ['--user', '--map-root-user', 'sh', '-c', forbidden, 'sh', process.execPath, '--conditions=spillway-src', child], { encoding: 'utf8' });
    const { required, optional } = JSON.parse(output) as { required: Record<string, unknown>; optional: unknown };
    expect(required).toMatchObject({ code: 'sandbox_unavailable', details: { missing: expect.arrayContaining(['user_namespace']) as unknown } });
    expect(required['message']).toMatch(/Nothing was started.*user_namespace \(No space left on device\): Permit user namespaces/);
    expect(optional).toEqual({ system: false, seccomp: false, permissions: true });
  });
});
