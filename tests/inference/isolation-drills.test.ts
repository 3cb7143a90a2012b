/** One run of each drill of an isolated model; `spillway drill model-kill --runs 20` holds more of them. */
import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../kernel/index.ts';
import { MODEL_DRILLS } from '../../actors/drills/index.ts';

describe.skipIf(process.platform !== 'linux')('an isolated model that ends while it is used', () => {
  it.each(MODEL_DRILLS)('$name: no wrong vector, no lost request, and it embeds again', { timeout: 120_000 }, async (drill) => {
    const signal = AbortSignal.timeout(drill.abortAfterMs);
    const { checks, lanes, restarts, timeline } = await drill.hold({ number: 1, withFault: true, placement: 'process', random: seededRandom(7), signal });
    expect(checks.filter(({ passed }) => !passed)).toEqual([]);
    expect(checks.map(({ name }) => name)).toContain('no vector is wrong');
    expect(restarts).toBe(1);
    expect(lanes.data).toMatchObject({ lost: 0, unexpected: 0, duplicated: 0 });
    expect(lanes.data.acknowledged + lanes.data.refused).toBe(lanes.data.attempts);
    expect(timeline.readyMs).toBeGreaterThan(timeline.detectedMs!);
  });
});
