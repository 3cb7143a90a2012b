/** What the tests of the work pool share: pools of which none outlives its test, gates, and timers by hand. */
import { expect } from 'vitest';
import { SpillwayError } from '../../../kernel/errors.ts';
import type { WorkPoolOptions } from '../../../kernel/work-pool/work-pool-options.ts';
import { createWorkPool, type WorkPool } from '../../../kernel/work-pool/work-pool.ts';
import { until } from '../condition.ts';
import { Gate } from './pool-worker.ts';

type Functions = typeof import('./pool-worker.ts');
export type Pool = WorkPool<Functions>;

export const module = import.meta.resolve('./pool-worker.ts');
export const LONG_MS = 20_000;
export const long = { deadlineMs: LONG_MS };

const pools: Pool[] = [];
const gates: Gate[] = [];

export function newPool(options: Partial<WorkPoolOptions> = {}): Pool {
  const pool = createWorkPool<Functions>({ module, maxThreads: 1, queueCapacity: 4, ...options });
  pools.push(pool);
  return pool;
}

export function newGate(): Gate {
  const gate = new Gate();
  gates.push(gate);
  return gate;
}

/** For `afterEach`. */
export async function endAll(): Promise<void> {
  for (const gate of gates.splice(0)) gate.open();
  await Promise.all(pools.splice(0).map((pool) => pool.close(500)));
}

/** The error that a task ends with. */
export async function failureOf(task: Promise<unknown>): Promise<SpillwayError> {
  const ended = await task.then(() => 'completed', (error: unknown) => error);
  expect(ended).toBeInstanceOf(SpillwayError);
  return ended as SpillwayError;
}

/** Occupies one worker until the gate opens. */
export async function occupied(pool: Pool): Promise<{ gate: Gate; task: Promise<unknown> }> {
  const gate = newGate();
  const task = pool.run('hold', gate.memory, long);
  await until(() => gate.begun === 1, 'the function runs');
  return { gate, task };
}

export function expectLaw(pool: Pool): void {
  const { accepted, completed, failed, crashed, cancelled, expired, closed, queued, running } = pool.stats();
  expect(accepted).toBe(completed + failed + crashed + cancelled + expired + closed + queued + running);
}

/** Timers that only the test makes due. */
export class ManualTimers {
  readonly #waiting = new Set<{ delayMs: number; run: () => void }>();

  after = (delayMs: number, run: () => void): { cancel(): void } => {
    const entry = { delayMs, run };
    this.#waiting.add(entry);
    return { cancel: () => this.#waiting.delete(entry) };
  };

  get delaysMs(): number[] {
    return [...this.#waiting].map(({ delayMs }) => delayMs);
  }

  /** Makes those due that wait for exactly so long. */
  fire(delayMs: number): void {
    for (const entry of this.#waiting) {
      if (entry.delayMs === delayMs && this.#waiting.delete(entry)) entry.run();
    }
  }
}
