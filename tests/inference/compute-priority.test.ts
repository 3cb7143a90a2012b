import { getPriority } from 'node:os';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lowerComputePriority } from '../../actors/inference/compute-priority.ts';

const isLinux = process.platform === 'linux';

describe.runIf(isLinux)('threads that compute', () => {
  it('give way to the application: those of the pool, and no other', async () => {
    await stat('.');
    const own = Number(basename(readlinkSync('/proc/thread-self')));
    const before = getPriority(own);
    lowerComputePriority('pool');
    const pool = readdirSync('/proc/self/task').filter((thread) => readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim() === 'libuv-worker');
    expect(pool.length).toBeGreaterThan(0);
    for (const thread of pool) expect(getPriority(Number(thread))).toBeGreaterThanOrEqual(5);
    expect(getPriority(own)).toBe(before);
  });

  it('are the calling one where its calls are synchronous', () => {
    lowerComputePriority('caller');
    expect(getPriority(Number(basename(readlinkSync('/proc/thread-self'))))).toBeGreaterThanOrEqual(5);
  });
});
