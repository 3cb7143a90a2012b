/** All scenarios, by their names. */
import type { Scenario } from './scenario.ts';
import { ATTACHMENT_SCENARIOS } from './scenarios/attachment.ts';
import { BROADCAST_SCENARIOS } from './scenarios/broadcast.ts';
import { MPSC_SCENARIOS } from './scenarios/mpsc.ts';
import { SPSC_SCENARIOS } from './scenarios/spsc.ts';

export const SCENARIOS: readonly Scenario[] = [...SPSC_SCENARIOS, ...ATTACHMENT_SCENARIOS, ...MPSC_SCENARIOS, ...BROADCAST_SCENARIOS];

/** @throws RangeError when there is none of this name */
export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((scenario) => scenario.name === name);
  if (found === undefined) throw new RangeError(`There is no scenario '${name}'. There are: ${SCENARIOS.map((scenario) => scenario.name).join('; ')}.`);
  return found;
}
