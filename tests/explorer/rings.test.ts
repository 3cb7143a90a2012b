/** Every schedule of the shorter scenarios, and every seeded bug. The longer ones are for `explore.ts`. */
import { describe, expect, it } from 'vitest';
import { SCENARIOS, scenarioNamed } from './catalog.ts';
import { explore } from './explorer.ts';
import { loadRings } from './ring-source.ts';
import { formatSchedule } from './schedule.ts';
import { SEEDED_BUGS } from './seeded-bugs.ts';

const source = await loadRings();
/** A scenario for these tests has some hundred thousand states; more are a reason to make it a long one. */
const STATES_MAX = 3_000_000;

describe('in no schedule is a record lost, doubled, torn, out of order or waited for in vain', () => {
  const scenarios = SCENARIOS.filter(({ isLong }) => isLong !== true).map((scenario) => ({ name: scenario.name, scenario }));
  it.each(scenarios)('$name', ({ name, scenario }) => {
    const { violation, isExhausted } = explore(scenario, source, { statesMax: STATES_MAX });
    expect(
      violation && `${violation.rule}: ${violation.message}\nexplore.ts --scenario '${name}' --replay '${formatSchedule(violation.choices)}'`,
    ).toBeUndefined();
    expect(isExhausted).toBe(true);
  });
});

describe('a seeded bug is found', () => {
  it.each(SEEDED_BUGS)('$name', async ({ patches, scenario }) => {
    const { violation } = explore(scenarioNamed(scenario), await loadRings(patches), { statesMax: STATES_MAX });
    expect(violation).toBeDefined();
  });
});
