/**
 * Texts per second on all cores, by length, one table for each backend and storage type:
 *
 *   llama  Q8_0, F16    Spillway, C++, llama.cpp's server, node-llama-cpp as people use it
 *   onnx   fp32, int8   Spillway, onnxruntime-node tuned by hand, transformers.js
 */
import { table } from '../../statistics.ts';
import { compare, rateOf, timesFaster, type Comparison, type Figure } from '../comparison.ts';
import { WAYS, type BenchModel, type TextLength, type Way } from '../task.ts';
import { atLeast, gguf, onnx, roundsWithin, type Expectation, type SectionOptions, type SectionResult } from './section.ts';

const LENGTHS: readonly TextLength[] = [16, 64, 256, 'mixed'];
const ROUNDS = 3;
const SLOW: readonly Way[] = ['node-llama-cpp, defaults'];

/** A ratio of Spillway to another way that is promised, for the lengths it is promised for. */
interface Pledge {
  readonly to: Way;
  readonly bounds: Partial<Record<TextLength, number>>;
}

interface Plan {
  readonly model: () => BenchModel;
  readonly peers: readonly Way[];
  readonly reference: { readonly way: Way; readonly variant?: string };
  readonly promised: readonly Pledge[];
  readonly budgetMs: number;
}

const LLAMA_PROMISES: readonly Pledge[] = [
  { to: 'C++ loop on libllama', bounds: { 16: 0.9, 64: 0.95, 256: 0.95 } },
  { to: 'node-llama-cpp, in turn', bounds: { 16: 2.5, 64: 1.8 } },
];
const ONNX_PROMISES: readonly Pledge[] = [
  { to: 'transformers.js pipeline', bounds: { 16: 1.3, 64: 1.3, 256: 1.3, mixed: 1.3 } },
  { to: 'onnxruntime-node, tuned by hand', bounds: { 16: 1, 64: 1, 256: 1, mixed: 1 } },
];
const ONNX_PEERS: readonly Way[] = ['onnxruntime-node, tuned by hand', 'transformers.js pipeline'];

const PLANS: Readonly<Record<'llama' | 'f16' | 'onnx' | 'int8', (cores: number) => Plan>> = {
  llama: () => ({
    model: () => gguf('Q8_0'),
    peers: WAYS.filter((way) => way.includes('llama')),
    reference: { way: 'node-llama-cpp, in turn' },
    promised: LLAMA_PROMISES,
    budgetMs: 200_000,
  }),
  f16: () => ({
    model: () => gguf('F16'),
    peers: ['C++ loop on libllama', 'node-llama-cpp, in turn'],
    reference: { way: 'node-llama-cpp, in turn' },
    promised: LLAMA_PROMISES,
    budgetMs: 90_000,
  }),
  onnx: (cores) => ({ model: () => onnx('fp32'), peers: ONNX_PEERS, reference: oneByOne(cores), promised: ONNX_PROMISES, budgetMs: 100_000 }),
  int8: (cores) => ({ model: () => onnx('int8'), peers: ONNX_PEERS, reference: oneByOne(cores), promised: ONNX_PROMISES, budgetMs: 100_000 }),
};

export async function throughput(row: 'llama' | 'f16' | 'onnx' | 'int8', options: SectionOptions): Promise<SectionResult> {
  const { cores, seconds } = options;
  const plan = PLANS[row](cores);
  const model = plan.model();
  const comparison = await compare({
    entrants: (['Spillway', ...plan.peers] as const).map((way) => ({ way, model, cores })),
    reference: plan.reference,
    workloads: LENGTHS.map((length) => ({ length })),
    seconds,
    onlyOnce: SLOW,
    ...roundsWithin(options.rounds, ROUNDS, plan.budgetMs),
  });
  return {
    lines: linesOf(`${model.format === 'gguf' ? 'llama' : 'onnx'} ${model.type}`, comparison),
    expectations: expectationsOf(model.type, plan, comparison),
    figures: comparison,
    failures: comparison.failures.map(({ way, message }) => `${way}, ${model.type}: ${message}`),
  };
}

/** `variant` of onnxruntime-node whose vectors are right: each text on its own. */
function oneByOne(cores: number): Plan['reference'] {
  return { way: 'onnxruntime-node, tuned by hand', variant: `1 per call, 1 x ${cores} threads` };
}

function linesOf(title: string, { workloads, rounds, cosineMin }: Comparison): string[] {
  const cells = (own: Figure | undefined, figure: Figure | undefined): string[] => {
    if (figure === undefined) return ['-', '-'];
    return [rateOf(figure).toFixed(rateOf(figure) < 10 ? 1 : 0), own === undefined ? '-' : `${timesFaster(own, figure).toFixed(2)} x`];
  };
  const ways = WAYS.filter((way) => workloads.some(({ figures }) => figures.some((figure) => figure.way === way)));
  const rows = ways.map((way) => [
    way,
    ...workloads.flatMap(({ figures }) => cells(figures.find((figure) => figure.way === 'Spillway'), figures.find((figure) => figure.way === way))),
    (cosineMin[way] ?? Number.NaN).toFixed(5),
  ]);
  const header = [`${title}, texts/s of so many tokens`, ...workloads.flatMap(({ workload: { length } }) => [String(length), 'Spillway is']), 'least cosine'];
  const settings = ways.flatMap((way) => {
    const variants = workloads.map(({ workload: { length }, figures }) => [length, figures.find((figure) => figure.way === way)?.variant ?? ''] as const).filter(([, variant]) => variant !== '');
    return variants.length === 0 ? [] : [`  fastest of ${way}: ${variants.map(([length, variant]) => `${length}: ${variant}`).join('; ')}`];
  });
  return [...table([header, ...rows]), `  medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}`, ...settings];
}

function expectationsOf(type: string, { promised }: Plan, { workloads }: Comparison): Expectation[] {
  return promised.flatMap(({ to, bounds }) => workloads.flatMap(({ workload: { length }, figures }) => {
    const own = figures.find(({ way }) => way === 'Spillway');
    const other = figures.find(({ way }) => way === to);
    const bound = bounds[length];
    if (bound === undefined) return [];
    const found = own === undefined || other === undefined ? undefined : timesFaster(own, other);
    return [atLeast(`${type}, ${length === 'mixed' ? 'mixed lengths' : `${length} tokens`}, times ${to}`, bound, found)];
  }));
}
