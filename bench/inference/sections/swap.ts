/** A hundred hot swaps of a model that callers use without a pause (../swap-child.ts): none of their calls fails, none is answered by both models. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { table } from '../../statistics.ts';
import type { SwapFigures } from '../swap-child.ts';
import { atMost, type SectionOptions, type SectionResult } from './section.ts';

const CHILD = fileURLToPath(new URL('../swap-child.ts', import.meta.url));
const SWAPS = 100;
const TIMEOUT_MS = 400_000;

export async function swap({ cores }: SectionOptions): Promise<SectionResult> {
  let figures: SwapFigures | undefined;
  const failures: string[] = [];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=spillway-src', CHILD, String(SWAPS), String(cores)], { timeout: TIMEOUT_MS, killSignal: 'SIGKILL' });
    figures = JSON.parse(stdout.trim().split('\n').at(-1)!) as SwapFigures;
  } catch (error) {
    failures.push((error as Error).message.trim().split('\n').at(-1)!);
  }
  return {
    lines: figures === undefined ? [] : linesOf(figures),
    expectations: [
      atMost(`failed texts and calls in ${SWAPS} hot swaps`, 0, figures?.failed),
      atMost(`calls answered by both models in ${SWAPS} hot swaps`, 0, figures?.mixed),
      atMost(`vectors that are not of the model they name in ${SWAPS} hot swaps`, 0, figures?.wrong),
    ],
    figures,
    failures,
  };
}

function linesOf(figures: SwapFigures): string[] {
  const { swaps, calls, texts, failed, mixed, wrong, callsByModel, swapP50Ms, swapMaxMs, callP50Ms, callP99Ms, callMaxMs } = figures;
  const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  return table([
    [`${swaps} hot swaps under load`, 'calls', 'texts', 'failed', 'mixed', 'wrong', 'calls by each', 'swap, p50', 'longest', 'call, p50', 'p99', 'longest'],
    ['', ...[calls, texts, failed, mixed, wrong].map(String), callsByModel.join(' / '), ...[swapP50Ms, swapMaxMs, callP50Ms, callP99Ms, callMaxMs].map(ms)],
  ]);
}
