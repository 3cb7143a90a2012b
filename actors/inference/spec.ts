/** The child spec of an inference actor. */
import assert from 'node:assert';
import { siblingModule } from '../../kernel/index.ts';
import { PIPELINE_HEAP } from '../pipeline-heap.ts';
import type { ChildSpec } from '../../supervisors/index.ts';
import type { InferenceArgs } from './actor.ts';
import { ISOLATED_BACKOFF, isolatedModel, type IsolationOptions } from './isolation.ts';

/** A native call on one text is not interruptible; a long text on a large model may take seconds. */
const SHUTDOWN_MS = 30_000;

export interface InferenceSpecOptions {
  /** Whether it lives in a process of its own, in a sandbox where the system can build one. Default: on a thread. */
  readonly isolate?: boolean;
  /** What its process is granted. */
  readonly isolation?: IsolationOptions;
}

/**
 * @param args for an isolated model it must be one that was chosen before: its process can read nothing else
 * @throws SpillwayError `model_missing` if an isolated model has been removed meanwhile
 */
export function inferenceSpec(id: string, args: InferenceArgs, { isolate = false, isolation }: InferenceSpecOptions = {}): ChildSpec {
  const common = { id, restart: 'permanent', resourceLimits: PIPELINE_HEAP, shutdownMs: SHUTDOWN_MS, native: true } as const;
  if (!isolate) return { ...common, start: { module: siblingModule('actor', import.meta.url), export: 'inference', args } };
  assert('sha256' in args.model, 'a model must be chosen (chooseModel) before it is isolated: its process sees no folder to search');
  const { model, process } = isolatedModel(args.model, isolation);
  return {
    ...common,
    start: { module: siblingModule('isolated-actor', import.meta.url), export: 'isolatedInference', args: { ...args, model } },
    placement: 'process',
    process,
    backoff: ISOLATED_BACKOFF,
  };
}
