/** Delivery over the lives of an actor in a process, which the system kills in the middle of whatever it does. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeliverySpec, SpillwayError } from '../../../kernel/index.ts';
import { until } from '../condition.ts';
import { entriesOf, laborerProtocol, type JournalEntry } from './actors/laborer.ts';
import { SmallSystem } from './small-system.ts';

const DEADLINE = { deadlineMs: 30_000 };
const LABORER = { module: new URL('./actors/laborer.ts', import.meta.url).href, export: 'laborer' };

describe('what a process had in hand when it was killed', () => {
  let folder: string;
  let system: SmallSystem;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spillway-process-'));
    system = await SmallSystem.create();
  });
  afterAll(async () => {
    await system.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function begin(name: string, delivery: DeliverySpec, restarts: number) {
    const path = join(folder, name);
    const thread = await system.start({ name, source: { ...LABORER, args: path }, delivery }, restarts);
    const laborer = await system.application.resolve(name, laborerProtocol);
    return {
      laborer,
      counters: system.application.block(thread).counters,
      begun: (): JournalEntry[] => entriesOf(readFileSync(path, 'utf8')),
      job: (id: number, kills: number): Promise<number | string> =>
        laborer.ask('job', { id, kills }, DEADLINE).then(({ redeliveries }) => redeliveries, ({ code }: SpillwayError) => code),
    };
  }

  it.concurrent('is handled by the next life, told how often that was tried, and given up after too many', async () => {
    const { job, begun, counters } = await begin('jobs', { guarantee: 'at_least_once', maxRedeliveries: 1 }, 3);
    expect(await job(0, 0)).toBe(0);
    expect(await Promise.all([job(1, 1), job(2, 0)])).toEqual([1, 0]);
    expect(await Promise.all([job(3, 1_000), job(4, 0)])).toEqual(['message_poisoned', 0]);
    expect(begun().map(({ id, redeliveries }) => [id, redeliveries])).toEqual([[0, 0], [1, 0], [1, 1], [2, 0], [3, 0], [3, 1], [4, 0]]);
    await until(() => system.actor('jobs').counts.handled === 4, 'all is counted');
    expect(system.actor('jobs').counts).toEqual({ arrived: 5, handled: 4, failed: 0, shed: 0, expired: 0, deadLettered: 1 });
    expect([counters.read('redelivered'), counters.read('poisoned'), counters.read('abandoned')]).toEqual([2, 1, 0]);
  });

  it.concurrent('is never lost under load, and never begun twice without being told so', async () => {
    const lives = 3;
    const { laborer, job, begun, counters } = await begin('notes', { guarantee: 'at_least_once' }, lives);
    let sent = 0;
    for (let life = 1; life <= lives; life++) {
      const before = begun().length;
      for (let count = 0; count < 3_000; count++) if (laborer.tell('note', { id: sent }) === 0) sent++;
      await until(() => begun().length > before + 50, 'it works');
      process.kill(begun().at(-1)!.pid, 'SIGKILL');
      await until(async () => (await system.ends('notes')).length === life, 'its life has ended');
    }
    await job(sent, 0);
    const entries = begun();
    const triesOf = Map.groupBy(entries, ({ id }) => id);
    expect([...triesOf.keys()]).toEqual(Array.from({ length: sent + 1 }, (_, id) => id));
    // The kill may have come between the mark and the begin, so the first may be marked too.
    for (const tries of triesOf.values()) for (const [index, { redeliveries }] of tries.entries()) expect(redeliveries).toBeGreaterThan(tries[index - 1]?.redeliveries ?? -1);
    expect(entries.length).toBeLessThanOrEqual(sent + 1 + lives);
    await until(() => system.actor('notes').counts.handled === sent + 1, 'all is counted');
    expect(system.actor('notes').counts).toEqual({ arrived: sent + 1, handled: sent + 1, failed: 0, shed: 0, expired: 0, deadLettered: 0 });
    expect(counters.read('redelivered')).toBeLessThanOrEqual(lives);
  });

  it.concurrent('is given up with all that waited, where its spec says so', async () => {
    const thread = await system.start({ name: 'given up', delivery: { onRestart: 'dead_letter' } }, 1);
    const outcast = await system.outcast('given up');
    const { pid } = await outcast.ask('pid', {}, DEADLINE);
    const failureOf = (ask: Promise<unknown>) => ask.then(() => 'answered', ({ code, details }: SpillwayError) => [code, details['mayHaveBeenHandled']]);
    const held = failureOf(outcast.ask('hold', {}, DEADLINE));
    await until(() => system.actor('given up').counts.arrived === 2, 'it has the ask in hand');
    for (let number = 0; number < 50; number++) outcast.tell('note', { number });
    const waiting = failureOf(outcast.ask('notes', {}, DEADLINE));
    process.kill(pid, 'SIGKILL');
    expect(await held).toEqual(['actor_restarted', true]);
    expect(await waiting).toEqual(['actor_restarted', false]);
    expect(await outcast.ask('notes', {}, DEADLINE)).toEqual({ numbers: [] });
    await until(() => system.actor('given up').counts.handled === 2, 'all is counted');
    expect(system.actor('given up').counts).toEqual({ arrived: 54, handled: 2, failed: 0, shed: 0, expired: 0, deadLettered: 52 });
    const { counters } = system.application.block(thread);
    expect([counters.read('restarted'), counters.read('abandoned')]).toEqual([51, 1]);
  });
});
