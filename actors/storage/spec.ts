/** The child spec of the storage actor. */
import { siblingModule } from '../../kernel/index.ts';
import { PIPELINE_HEAP } from '../pipeline-heap.ts';
import type { ChildSpec } from '../../supervisors/index.ts';
import type { StorageArgs } from './actor.ts';

export function storageSpec(id: string, args: StorageArgs): ChildSpec {
  return {
    id,
    start: { module: siblingModule('actor', import.meta.url), export: 'storage', args },
    restart: 'permanent',
    resourceLimits: PIPELINE_HEAP,
    shutdownMs: 10_000,
  };
}
