/**
 * Finds, checks and hashes a model, and estimates its memory, on a thread of its own: a header takes tens of
 * milliseconds, the built-in model is made on the spot, and the application's thread has to be free meanwhile. The
 * thread ends with its answer.
 */
import { randomUUID } from 'node:crypto';
import { defineActor, defineProtocol, siblingModule } from '../../../kernel/index.ts';
import type { System } from '../../../supervisors/index.ts';
import { chooseModel, type CheckedModel } from '../model-choice.ts';
import { estimateMemory } from '../models/memory-estimate.ts';
import { marksOf, modelFiles } from '../models/model-files.ts';

const inspectorProtocol = defineProtocol('model-inspector', {
  inspect: {
    request: {
      properties: { actors: { type: 'uint32' }, purpose: { enum: ['embed', 'rank', 'generate'] } },
      optionalProperties: { source: { type: 'string' }, checked: {}, cacheDir: { type: 'string' }, tokensMax: { type: 'uint32' } },
    },
    reply: { properties: { checked: {}, memoryBytes: { type: 'float64' } } },
  },
});

export const modelInspector = defineActor<typeof inspectorProtocol.spec, undefined>({
  protocol: inspectorProtocol,
  start: () => ({
    handlers: {
      async inspect({ source, checked, cacheDir, purpose, actors, tokensMax }) {
        const model = (checked as CheckedModel | undefined) ?? (await chooseModel(source, { purpose, ...(cacheDir === undefined ? {} : { cacheDir }) }));
        const sizeBytes = marksOf(modelFiles(model.path)).reduce((sum, file) => sum + file.sizeBytes, 0);
        const { totalBytes } = estimateMemory({ ...model, sizeBytes }, { actors, purpose, ...(tokensMax === undefined ? {} : { tokensMax }) });
        return { checked: { ...model }, memoryBytes: totalBytes };
      },
    },
  }),
});

export interface ModelQuestion {
  /** A name of the registry, a path or an `hf:` URI, or a model that was checked before; absent for the default model. */
  readonly model?: string | CheckedModel;
  readonly cacheDir?: string;
  /** Default: embed. */
  readonly purpose?: 'embed' | 'rank' | 'generate';
  /** Threads or processes that are to load it. Default: 1. */
  readonly actors?: number;
  readonly tokensMax?: number;
}

export interface InspectedModel {
  readonly checked: CheckedModel;
  /** Estimated, of all its actors together. */
  readonly memoryBytes: number;
}

/** A download may take as long as this. */
const INSPECT_MS = 6 * 3_600_000;

/** @throws SpillwayError what `chooseModel` throws */
export async function inspectModel(system: System, { model, purpose = 'embed', actors = 1, ...question }: ModelQuestion): Promise<InspectedModel> {
  const id = `model-inspector-${randomUUID().slice(0, 8)}`;
  const inspector = await system.spawn({ id, restart: 'temporary', start: { module: siblingModule('inspector', import.meta.url), export: 'modelInspector' } }, inspectorProtocol);
  const named = model === undefined ? {} : typeof model === 'string' ? { source: model } : { checked: { ...model } };
  try {
    const { checked, memoryBytes } = await inspector.ask('inspect', { ...question, purpose, actors, ...named }, { deadlineMs: INSPECT_MS });
    return { checked: checked as CheckedModel, memoryBytes };
  } finally {
    if (!system.closing) await system.terminate(id).catch(() => false);
  }
}
