/** A thread of the exploration: plays the orders that it is sent, a batch at a time. */
import assert from 'node:assert';
import { parentPort } from 'node:worker_threads';
import { SCENARIOS } from './catalog.ts';
import { playOrder, type OrderResult } from './stage.ts';

export interface OrderBatch {
  /** Part of the names of the scenarios. */
  readonly scenario: string;
  readonly firstSeed: number;
  readonly count: number;
}

export interface OrderBatchResult {
  readonly steps: number;
  readonly failed: readonly OrderResult[];
}

assert(parentPort !== null, 'This file is the entry of a worker thread.');
const port = parentPort;

port.on('message', (batch: OrderBatch) => void play(batch).then((result) => port.postMessage(result)));

async function play({ scenario, firstSeed, count }: OrderBatch): Promise<OrderBatchResult> {
  const scenarios = SCENARIOS.filter(({ name }) => name.includes(scenario));
  let steps = 0;
  const failed: OrderResult[] = [];
  for (let seed = firstSeed; seed < firstSeed + count; seed++) {
    const result = await playOrder(scenarios[seed % scenarios.length]!, seed);
    steps += result.steps;
    if (result.violations.length > 0) failed.push(result);
  }
  return { steps, failed };
}
