import { describe, expect, test } from 'vitest';
import { DRILLS } from '../../../supervisors/drills/catalog.ts';
import type { Drill } from '../../../supervisors/drills/drill.ts';
import { runDrill } from '../../../supervisors/drills/run-drill.ts';
import { blockedApplicationDrill } from '../../../supervisors/drills/time-drills.ts';
import type { Placement } from '../../../supervisors/child-spec.ts';

/** Long enough for two restarts on a busy machine. */
const BLOCKED_MS = 4_000;
const RUNS = 1;

const drills = DRILLS.map((drill) => (drill.name === 'blocked-application' ? blockedApplicationDrill(BLOCKED_MS) : drill));
/** Each where it is held by default, and one of them everywhere. */
const cases = drills.flatMap((drill) => (drill.name === 'throw' ? drill.placements : drill.placements.slice(0, 1)).map((placement): [string, Placement, Drill] => [drill.name, placement, drill]));

describe('each drill passes', () => {
  test.each(cases)('%s on %s', async (_, placement, drill) => {
    const report = await runDrill(drill, { runs: RUNS, seed: 20_261, placement });
    expect(report).toMatchObject({ verdict: 'passed', reasons: [], leaked: {}, runsDone: RUNS });
    const { control, data } = report.lanes;
    expect(control.acknowledged).toBeGreaterThan(0);
    expect(control).toMatchObject({ lost: 0, refused: 0, shed: 0 });
    expect(data.acknowledged).toBeGreaterThan(0);
    expect(data.lost).toBe(0);
    expect(report.restarts.total).toBe(RUNS * drill.restartsExpected);
    expect(report.checks.every(({ passed, failed }) => passed === RUNS && failed === 0)).toBe(true);
  });
});

describe('the timeline of a run', () => {
  test('goes from the fault to ready, in order, and says how long it took', async () => {
    const { runs, mttdMs, mttrMs, mttrBeyondMs, configuredWaitMs } = await runDrill('throw', { runs: RUNS, seed: 1 });
    for (const { timeline } of runs) {
      const { detectedMs, notReadyMs, restartedMs, readyMs } = timeline;
      expect(detectedMs).toBeLessThanOrEqual(restartedMs!);
      expect(notReadyMs).toBeLessThan(readyMs!);
      expect(restartedMs).toBeLessThan(readyMs!);
      // No restart comes before its back-off has passed.
      expect(restartedMs).toBeGreaterThanOrEqual(configuredWaitMs - 1);
    }
    expect(mttdMs!.max).toBeLessThanOrEqual(mttrMs!.max);
    expect(mttrBeyondMs!.max).toBeCloseTo(mttrMs!.max - configuredWaitMs, 6);
  });
});

describe('a drill that is interrupted', () => {
  test('ends after the present run and tells what was measured', async () => {
    const interrupt = new AbortController();
    const seen: number[] = [];
    const report = await runDrill('throw', {
      runs: 50,
      seed: 1,
      signal: interrupt.signal,
      onProgress({ runsDone }) {
        seen.push(runsDone);
        if (runsDone === 1) interrupt.abort();
      },
    });
    expect(report).toMatchObject({ verdict: 'interrupted', runsWanted: 50, runsDone: 1, reasons: [], leaked: {} });
    expect(seen).toEqual([0, 1]);
  });
});
