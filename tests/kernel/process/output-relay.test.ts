import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { OutputRelay } from '../../../kernel/process/output-relay.ts';

describe('what a process writes to its output', () => {
  it('is handed on up to a bound in each second, and what was dropped is counted', async () => {
    let nowMs = 10_000;
    let written = '';
    const relay = new OutputRelay('noisy', () => nowMs, (text) => (written += text));
    const output = new PassThrough();
    relay.follow(output, true);
    for (let time = 0; time < 100; time++) output.write('x'.repeat(1_024));
    await turn();
    expect(written).toBe('x'.repeat(64 * 1_024));
    nowMs += 1_000;
    output.write('last words\n');
    await turn();
    expect(written.slice(64 * 1_024)).toBe(`[noisy: ${36 * 1_024} characters of output were dropped]\nlast words\n`);
    expect(relay.tail.endsWith('xlast words')).toBe(true);
    expect(relay.tail.length).toBeLessThanOrEqual(1_000);
  });
});
