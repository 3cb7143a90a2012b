/** What every section of the inference bench is given and answers. */
import { miniLmModel } from '../../models/minilm.ts';
import { miniLmOnnx } from '../../models/onnx-minilm.ts';
import type { BenchModel } from '../task.ts';

export interface SectionOptions {
  readonly cores: number;
  /** Of work for each way in each turn. */
  readonly seconds: number;
  /** As asked for; undefined for as many as fit the section's time. */
  readonly rounds: number | undefined;
}

/** Something that this repository promises, with what was found; undefined where it could not be measured. */
export interface Expectation {
  readonly what: string;
  readonly bound: string;
  readonly found: number | undefined;
  readonly isMet: boolean;
}

export interface SectionResult {
  readonly lines: readonly string[];
  readonly expectations: readonly Expectation[];
  /** For `--json`. */
  readonly figures: unknown;
  readonly failures: readonly string[];
}

export function atLeast(what: string, bound: number, found: number | undefined): Expectation {
  return { what, bound: `>= ${bound}`, found, isMet: found !== undefined && found >= bound };
}

export function atMost(what: string, bound: number, found: number | undefined): Expectation {
  return { what, bound: `<= ${Number(bound.toFixed(2))}`, found, isMet: found !== undefined && found <= bound };
}

/** Rounds to do, and whether another one is in time: `rounds` if the caller named them, else what fits. */
export function roundsWithin(rounds: number | undefined, most: number, budgetMs: number): { readonly rounds: number; readonly isInTime: (lastRoundMs: number) => boolean } {
  const beganMs = performance.now();
  return {
    rounds: rounds ?? most,
    isInTime: (lastRoundMs) => rounds !== undefined || performance.now() - beganMs + lastRoundMs < budgetMs,
  };
}

export function gguf(type: 'Q8_0' | 'F16'): BenchModel {
  return { format: 'gguf', type, path: miniLmModel({ type }) };
}

export function onnx(type: 'fp32' | 'int8'): BenchModel {
  return { format: 'onnx', type, path: miniLmOnnx({ type }) };
}
