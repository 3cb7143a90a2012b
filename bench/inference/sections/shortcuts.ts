/**
 * What Spillway's own choices are worth, each against Spillway without it:
 *
 *   lengths   texts of mixed length, routed and fused by length, or all in one way one by one
 *   repeats   texts of which 30 % repeat an earlier one, or none
 */
import { table } from '../../statistics.ts';
import { compare, rateOf, timesFaster, type Figure } from '../comparison.ts';
import type { BenchModel, Workload } from '../task.ts';
import { atLeast, gguf, onnx, roundsWithin, type SectionOptions, type SectionResult } from './section.ts';

const ROUNDS = 5;
const BUDGET_MS = 40_000;
const BY_LENGTH_MIN = 1.25;
const REPEATED = 0.3;
const REPEATS_TOKENS = 64;
/** A text that is not computed again costs a little still. */
const REPEATS_MIN = 0.97 / (1 - REPEATED);

export async function lengths(options: SectionOptions): Promise<SectionResult> {
  const results: [BenchModel, SectionResult][] = [];
  for (const model of [gguf('Q8_0'), onnx('int8')]) results.push([model, await routed(model, options)]);
  return joined(results.map(([, result]) => result));
}

export async function repeats(options: SectionOptions): Promise<SectionResult> {
  const results: SectionResult[] = [];
  for (const model of [gguf('Q8_0'), onnx('int8')]) results.push(await deduplicated(model, options));
  return joined(results);
}

async function routed(model: BenchModel, { cores, seconds, rounds }: SectionOptions): Promise<SectionResult> {
  const comparison = await compare({
    entrants: [{ way: 'Spillway', model, cores }, { way: 'Spillway, unrouted', model, cores }],
    reference: { way: 'Spillway, unrouted' },
    workloads: [{ length: 'mixed' }],
    seconds,
    ...roundsWithin(rounds, ROUNDS, BUDGET_MS),
  });
  const [own, without] = comparison.workloads[0]!.figures;
  const failures = comparison.failures.map(({ way, message }) => `${way}, ${model.type}: ${message}`);
  const what = `${model.type}, mixed lengths, times the same backend without routes and fusion`;
  if (own === undefined || without === undefined) return { lines: [], expectations: [atLeast(what, BY_LENGTH_MIN, undefined)], figures: comparison, failures };
  return {
    lines: table([
      [`mixed lengths, ${model.format} ${model.type}`, 'texts/s', 'with is'],
      ['with routes or fusion', rateOf(own).toFixed(0), ''],
      ['without', rateOf(without).toFixed(0), `${timesFaster(own, without).toFixed(2)} x`],
    ]),
    expectations: [atLeast(what, BY_LENGTH_MIN, timesFaster(own, without))],
    figures: comparison,
    failures,
  };
}

async function deduplicated(model: BenchModel, { cores, seconds, rounds }: SectionOptions): Promise<SectionResult> {
  const workloads: readonly Workload[] = [{ length: REPEATS_TOKENS }, { length: REPEATS_TOKENS, repeated: REPEATED }];
  const comparison = await compare({
    entrants: [{ way: 'Spillway', model, cores }],
    reference: { way: 'Spillway' },
    workloads,
    seconds,
    ...roundsWithin(rounds, ROUNDS, BUDGET_MS),
  });
  const [distinct, repeated] = comparison.workloads.map(({ figures }): Figure | undefined => figures[0]);
  const failures = comparison.failures.map(({ way, message }) => `${way}, ${model.type}: ${message}`);
  const what = `${model.type}, ${REPEATED * 100} % repeated texts, times the rate without repeats`;
  const bound = Number(REPEATS_MIN.toFixed(2));
  if (distinct === undefined || repeated === undefined) return { lines: [], expectations: [atLeast(what, bound, undefined)], figures: comparison, failures };
  const gain = timesFaster(repeated, distinct);
  return {
    lines: table([
      [`${REPEATS_TOKENS} tokens, ${model.format} ${model.type}`, 'texts/s', 'of all different'],
      ['all different', rateOf(distinct).toFixed(0), ''],
      [`${REPEATED * 100} % repeated`, rateOf(repeated).toFixed(0), `${gain.toFixed(2)} x (1 / ${1 - REPEATED} = ${(1 / (1 - REPEATED)).toFixed(2)})`],
    ]),
    expectations: [atLeast(what, bound, gain)],
    figures: comparison,
    failures,
  };
}

function joined(results: readonly SectionResult[]): SectionResult {
  return {
    lines: results.flatMap(({ lines }) => lines),
    expectations: results.flatMap(({ expectations }) => expectations),
    figures: results.map(({ figures }) => figures),
    failures: results.flatMap(({ failures }) => failures),
  };
}
