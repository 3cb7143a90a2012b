import { closeSync, openSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { crashDrill } from '../../../supervisors/drills/crash-drills.ts';
import type { Drill } from '../../../supervisors/drills/drill.ts';
import { runDrill } from '../../../supervisors/drills/run-drill.ts';

const module = new URL('./sabotaged-subjects.ts', import.meta.url).href;

/** The drill `throw` with another subject. */
function sabotagedDrill(name: string, changes: Partial<Drill> = {}): Drill {
  const drill = crashDrill({ name, how: 'throw', placements: ['thread'], hypothesis: 'It is sabotaged.', options: () => ({ start: { module, export: name } }) });
  return { ...drill, ...changes };
}

describe('a drill finds', () => {
  test('messages that were acknowledged and are lost', async () => {
    const { verdict, reasons, lanes } = await runDrill(sabotagedDrill('forgetful'), { runs: 1, seed: 1 });
    expect(verdict).toBe('failed');
    expect(lanes.data.lost).toBeGreaterThan(0);
    expect(reasons).toContainEqual(expect.stringMatching(/^no acknowledged message is lost: not so in 1 of 1 runs \(\d+\)$/));
  });

  test('messages that are handled twice', async () => {
    const { verdict, reasons, lanes } = await runDrill(sabotagedDrill('repeating'), { runs: 1, seed: 2 });
    expect(verdict).toBe('failed');
    expect(lanes.data).toMatchObject({ lost: 0, duplicated: expect.any(Number) as number });
    expect(reasons).toContainEqual(expect.stringContaining('nothing is handled twice'));
  });

  test('a restart too many', async () => {
    const { verdict, restarts, checks } = await runDrill(sabotagedDrill('frail'), { runs: 1, seed: 3 });
    expect(verdict).toBe('failed');
    expect(restarts).toMatchObject({ total: 2, expected: 1 });
    expect(checks).toContainEqual({ name: 'restarted as often as the fault demands', passed: 0, failed: 1, found: '2, not 1' });
  });

  test('what does not even hold without a fault, and breaks nothing then', async () => {
    const { verdict, reasons, runsDone } = await runDrill(sabotagedDrill('unreliable'), { runs: 3, seed: 4 });
    expect({ verdict, runsDone }).toEqual({ verdict: 'aborted', runsDone: 0 });
    expect(reasons[0]).toContain('Without any fault, already: no acknowledged message is lost');
  });

  test('a subject that never comes back: the abort rule fires, and the other runs are not held', async () => {
    const { verdict, reasons, runsDone, leaked } = await runDrill(sabotagedDrill('lingering', { abortAfterMs: 3_000 }), { runs: 3, seed: 5 });
    expect({ verdict, runsDone }).toEqual({ verdict: 'aborted', runsDone: 0 });
    expect(reasons[0]).toContain('In run 1: The abort rule fired before the subject was ready again. [drill_aborted]');
    expect(leaked).toEqual({});
  });

  test('a thread and a descriptor that are left over', async () => {
    const honest = crashDrill({ name: 'leaking', how: 'throw', placements: ['thread'], hypothesis: 'It leaks.' });
    const leaking: Drill = {
      ...honest,
      hold(run) {
        if (run.withFault) {
          const descriptor = openSync(import.meta.filename, 'r');
          const worker = new Worker('setInterval(() => {}, 1_000)', { eval: true });
          onTestFinished(async () => {
            closeSync(descriptor);
            await worker.terminate();
          });
        }
        return honest.hold(run);
      },
    };
    const { verdict, reasons, leaked } = await runDrill(leaking, { runs: 1, seed: 6 });
    expect(verdict).toBe('failed');
    expect(leaked.threads).toBe(1);
    expect(leaked.descriptors).toBeGreaterThanOrEqual(1);
    expect(reasons).toContain('leaked threads: 1');
    expect(reasons).toContainEqual(expect.stringMatching(/^leaked descriptors: \d+ \(.*sabotage\.test\.ts/));
  });

  test('a drill that fails in its own code, which is told with its stack', async () => {
    const broken = sabotagedDrill('broken', { hold: () => Promise.reject(new TypeError('a mistake of the drill')) });
    const { verdict, reasons } = await runDrill(broken, { runs: 1 });
    expect(verdict).toBe('aborted');
    expect(reasons[0]).toMatch(/TypeError: a mistake of the drill\n\s+at /);
  });
});

describe('what is refused', () => {
  test.each([
    [{ runs: 0 }, 'runs'],
    [{ runs: 1.5 }, 'runs'],
    [{ seed: Number.NaN }, 'seed'],
    [{ placement: 'pool' as const }, 'placement'],
  ])('%o', async (options, word) => {
    await expect(runDrill('exit', options)).rejects.toMatchObject({ code: 'drill_invalid', message: expect.stringContaining(word) as string });
  });

  test('a drill that does not exist, with those that do', async () => {
    await expect(runDrill('earthquake')).rejects.toMatchObject({ code: 'drill_unknown', message: expect.stringMatching(/earthquake.*throw, reject/) as string });
  });

  test('a drill for which this machine lacks something', async () => {
    const drill = sabotagedDrill('demanding', { unavailable: () => 'there is no moon.' });
    await expect(runDrill(drill)).rejects.toMatchObject({ code: 'drill_unavailable', message: expect.stringContaining('there is no moon.') as string });
  });
});
