/** The child spec of an inference actor. */
import { siblingModule } from '../../kernel/index.ts';
import { PIPELINE_HEAP } from '../pipeline-heap.ts';
import type { ChildSpec } from '../../supervisors/index.ts';
import type { InferenceArgs } from './actor.ts';

/** A native call on one text is not interruptible; a long text on a large model may take seconds. */
const SHUTDOWN_MS = 30_000;

export function inferenceSpec(id: string, args: InferenceArgs): ChildSpec {
  return {
    id,
    start: { module: siblingModule('actor', import.meta.url), export: 'inference', args },
    restart: 'permanent',
    resourceLimits: PIPELINE_HEAP,
    shutdownMs: SHUTDOWN_MS,
    native: true,
  };
}
