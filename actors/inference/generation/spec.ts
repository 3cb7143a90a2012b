/** The child spec of a generator actor. */
import assert from 'node:assert';
import { siblingModule } from '../../../kernel/index.ts';
import type { ChildSpec } from '../../../supervisors/index.ts';
import { ISOLATED_BACKOFF, isolatedModel, type IsolationOptions } from '../isolation.ts';
import type { GenerationArgs } from './actor.ts';

/** It waits for one native call: a token of each sequence, or parts of their prompts. */
const SHUTDOWN_MS = 30_000;
/** A large model is mapped, checked and tried within it. */
const START_MS = 300_000;
/** More would wait longer than anybody wants to. */
const WAITING_MAX = 1_024;
const SEQUENCES_MAX = 64;

export interface GenerationSpecOptions {
  /** Whether it lives in a process of its own, in a sandbox where the system can build one. Default: on a thread. */
  readonly isolate?: boolean;
  /** What its process is granted. */
  readonly isolation?: IsolationOptions;
}

/**
 * @param args for an isolated model it must be one that was chosen before: its process can read nothing else
 * @throws RangeError if `sequences`, `contextTokens`, `threads` or `waitingMax` cannot be
 * @throws SpillwayError `model_missing` if an isolated model has been removed meanwhile
 */
export function generationSpec(id: string, args: GenerationArgs, { isolate = false, isolation }: GenerationSpecOptions = {}): ChildSpec {
  assertWhole('sequences', args.sequences, 1, SEQUENCES_MAX);
  assertWhole('contextTokens', args.contextTokens, 8, 2 ** 24);
  assertWhole('threads', args.threads, 1, 1_024);
  assertWhole('waitingMax', args.waitingMax, 0, WAITING_MAX);
  const common = { id, restart: 'permanent', shutdownMs: SHUTDOWN_MS, startMs: START_MS, native: true } as const;
  if (!isolate) return { ...common, start: { module: siblingModule('actor', import.meta.url), export: 'generation', args } };
  assert('sha256' in args.model, 'a model must be chosen (chooseModel) before it is isolated: its process sees no folder to search');
  const { model, process } = isolatedModel(args.model, isolation);
  return {
    ...common,
    start: { module: siblingModule('isolated-actor', import.meta.url), export: 'isolatedGeneration', args: { ...args, model } },
    placement: 'process',
    process,
    backoff: ISOLATED_BACKOFF,
  };
}

function assertWhole(name: string, value: number | undefined, min: number, max: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) return;
  throw new RangeError(`${name} must be a whole number from ${min} to ${max}; got ${value}.`);
}
