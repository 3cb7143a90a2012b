/**
 * The program that runs the probes, inside and outside alike: `probe-child.ts <bait as JSON>`. One line of JSON
 * on stdout for each, as soon as it has ended, so that a probe that ends the process is seen by what is missing.
 */
import { writeSync } from 'node:fs';
import type { Bait } from './bait.ts';
import type { Outcome, Probe } from './probe.ts';
import { NODE_PROBES } from './probe-list.ts';

/** Nothing that a sandbox denies takes time. */
const PROBE_DEADLINE_MS = 5_000;

/** Mistakes of the probe itself, which must not pass for a denial. */
const MISTAKES = ['TypeError', 'ReferenceError', 'SyntaxError', 'AssertionError'];

async function outcome(probe: Probe, bait: Bait): Promise<Outcome> {
  const { name } = probe;
  if (process.env['BAIT_OUTSIDE'] !== undefined) {
    const impossible = probe.impossible?.(bait) ?? (probe.rootOnly === true && process.getuid!() !== 0 ? 'only root can, outside' : undefined);
    if (impossible !== undefined) return { name, result: 'impossible', detail: impossible };
  }
  try {
    const got = await Promise.race([probe.run(bait), new Promise((_, reject) => setTimeout(() => reject(new TypeError('no answer in time')), PROBE_DEADLINE_MS).unref())]);
    return { name, result: 'got', detail: typeof got === 'string' ? got.slice(0, 60) : got === undefined ? 'done' : JSON.stringify(got).slice(0, 60) };
  } catch (error) {
    const { code, cause, message, name: kind } = error as Error & { code?: string; cause?: { code?: string } };
    const reason = code ?? cause?.code;
    if (reason === undefined && MISTAKES.includes(kind)) return { name, result: 'broken', detail: message };
    return { name, result: 'denied', detail: (reason ?? message).slice(0, 60) };
  }
}

// What a failed attempt leaves behind may fail once more, later.
process.on('uncaughtException', () => undefined);
process.on('unhandledRejection', () => undefined);
// Between probes nothing may hold the loop.
const held = setInterval(() => undefined, 1_000);
const bait = JSON.parse(process.argv[2]!) as Bait;
for (const probe of NODE_PROBES) writeSync(1, `${JSON.stringify(await outcome(probe, bait))}\n`);
clearInterval(held);
process.exit(0);
