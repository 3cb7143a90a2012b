/** What it costs to keep a model's actors in sandboxed processes rather than on threads. */
import { table } from '../../statistics.ts';
import { compare, rateOf, timesFaster } from '../comparison.ts';
import { gguf, roundsWithin, type SectionOptions, type SectionResult } from './section.ts';

const ROUNDS = 3;
const BUDGET_MS = 40_000;
const LENGTHS = [16, 64];

export async function isolation({ cores, seconds, rounds }: SectionOptions): Promise<SectionResult> {
  const model = gguf('Q8_0');
  const comparison = await compare({
    entrants: (['Spillway', 'Spillway, isolated'] as const).map((way) => ({ way, model, cores })),
    reference: { way: 'Spillway' },
    workloads: LENGTHS.map((length) => ({ length })),
    seconds,
    ...roundsWithin(rounds, ROUNDS, BUDGET_MS),
  });
  const rows = comparison.workloads.flatMap(({ workload: { length }, figures: [onThreads, isolated] }) =>
    onThreads === undefined || isolated === undefined ? [] : [[`${length} tokens`, rateOf(onThreads).toFixed(0), rateOf(isolated).toFixed(0), `${timesFaster(isolated, onThreads).toFixed(2)} x`]]);
  return {
    lines: rows.length === 0 ? [] : table([[`isolation, ${model.format} ${model.type}, texts/s`, 'on threads', 'in processes', 'processes are'], ...rows]),
    expectations: [],
    figures: comparison,
    failures: comparison.failures.map(({ way, message }) => `${way}, ${model.type}: ${message}`),
  };
}
