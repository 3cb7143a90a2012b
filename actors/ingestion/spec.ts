/** The child spec of the ingestion actor. */
import { siblingModule } from '../../kernel/index.ts';
import { PIPELINE_HEAP } from '../pipeline-heap.ts';
import type { ChildSpec } from '../../supervisors/index.ts';

/** An interrupted run first stores what is on its way. */
const SHUTDOWN_MS = 10_000;

export function ingestionSpec(id: string): ChildSpec {
  return {
    id,
    start: { module: siblingModule('actor', import.meta.url), export: 'ingestion' },
    restart: 'permanent',
    resourceLimits: PIPELINE_HEAP,
    shutdownMs: SHUTDOWN_MS,
  };
}
