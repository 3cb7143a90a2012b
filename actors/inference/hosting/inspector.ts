/**
 * Finds, checks and hashes a model on a thread of its own: a header takes tens of milliseconds, the built-in model
 * is made on the spot, and the application's thread has to be free meanwhile. The thread ends with its answer.
 */
import { randomUUID } from 'node:crypto';
import { defineActor, defineProtocol, siblingModule } from '../../../kernel/index.ts';
import type { System } from '../../../supervisors/index.ts';
import { chooseModel, type CheckedModel } from '../model-choice.ts';

const inspectorProtocol = defineProtocol('model-inspector', {
  inspect: {
    request: { optionalProperties: { source: { type: 'string' }, cacheDir: { type: 'string' }, purpose: { enum: ['embed', 'rank', 'generate'] } } },
    reply: { properties: { model: {} } },
  },
});

export const modelInspector = defineActor<typeof inspectorProtocol.spec, undefined>({
  protocol: inspectorProtocol,
  start: () => ({
    handlers: {
      inspect: async ({ source, cacheDir, purpose = 'embed' }) => ({ model: { ...(await chooseModel(source, { purpose, ...(cacheDir === undefined ? {} : { cacheDir }) })) } }),
    },
  }),
});

export interface ModelQuestion {
  /** A name of the registry, a path or an `hf:` URI; absent for the default model. */
  readonly source?: string;
  readonly cacheDir?: string;
  readonly purpose?: 'embed' | 'rank' | 'generate';
}

/** A download may take as long as this. */
const INSPECT_MS = 6 * 3_600_000;

/** @throws SpillwayError what `chooseModel` throws */
export async function inspectModel(system: System, question: ModelQuestion): Promise<CheckedModel> {
  const id = `model-inspector-${randomUUID().slice(0, 8)}`;
  const inspector = await system.spawn({ id, restart: 'temporary', start: { module: siblingModule('inspector', import.meta.url), export: 'modelInspector' } }, inspectorProtocol);
  try {
    return (await inspector.ask('inspect', { ...question }, { deadlineMs: INSPECT_MS })).model as CheckedModel;
  } finally {
    if (!system.closing) await system.terminate(id).catch(() => false);
  }
}
