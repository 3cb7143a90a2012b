/** All scenarios of the conformance suite. */
import { asks } from './scenarios/asks.ts';
import { lanes } from './scenarios/lanes.ts';
import { order } from './scenarios/order.ts';
import type { Scenario } from './stage.ts';

export const SCENARIOS: readonly Scenario[] = [order, lanes, asks];
