/** The supervised actors behind the commands, and how the command line finds and ends them. */
import { SpillwayError, type ActorRef } from '../../kernel/index.ts';
import { createSystem, type ChildSpec, type System } from '../../supervisors/index.ts';
import { inferenceProtocol, inferenceSpec, type CheckedModel, type InferenceSpec } from '../inference/index.ts';
import { ingestionProtocol, ingestionSpec, type IngestionSpec } from '../ingestion/index.ts';
import { storageProtocol, storageSpec, type StorageSpec } from '../storage/index.ts';
import type { ConsoleErrorCode } from './error-codes.ts';
import type { Settings } from './settings.ts';

export const STORAGE = 'storage';
export const INGESTION = 'ingestion';

/** An embedder may fail on many texts of a large folder and must still be restarted. */
const SUPERVISOR = { intensity: 100, periodMs: 60_000 } as const;

export function embedderIds(actors: number): string[] {
  return Array.from({ length: actors }, (_, index) => `embedder-${index}`);
}

function openSystem({ logLevel }: Pick<Settings, 'logLevel'>): Promise<System> {
  return createSystem({ logLevel, supervisor: SUPERVISOR });
}

/** A chunk is cut by an estimate of its tokens; one that has twice as many is split by the embedder's word. */
const TOKENS_PER_ESTIMATED = 2;

/** The most tokens of one text: what memory an embedder takes grows with it, and no chunk needs more. */
function textTokensMax({ chunkTokens }: Pick<Settings, 'chunkTokens'>): number {
  return chunkTokens * TOKENS_PER_ESTIMATED;
}

/** What a model is run with. */
export type EmbedderSettings = Pick<Settings, 'chunkTokens' | 'isolate' | 'recipe'>;

/** How the actors are made; tests put failing ones in their place. */
export interface PipelineSpecs {
  ingestion(): ChildSpec;
  storage(dir: string): ChildSpec;
  embedder(id: string, model: CheckedModel, settings: EmbedderSettings): ChildSpec;
}

export const PIPELINE_SPECS: PipelineSpecs = {
  ingestion: () => ingestionSpec(INGESTION),
  storage: (dir) => storageSpec(STORAGE, { dir, command: commandLine() }),
  embedder(id, model, settings) {
    const { isolate, recipe: { pooling } } = settings;
    return inferenceSpec(id, { model, tokensMax: textTokensMax(settings), ...(pooling === undefined ? {} : { pooling }) }, { isolate });
  },
};

/** Enough to know a command by: an argument may be as long as a book. */
const COMMAND_LENGTH_MAX = 200;

function commandLine(): string {
  return ['spillway', ...process.argv.slice(2)].join(' ').slice(0, COMMAND_LENGTH_MAX);
}

export function spawnIngestion(system: System, spec: ChildSpec): Promise<ActorRef<IngestionSpec>> {
  return system.spawn(spec, ingestionProtocol);
}

export function spawnStorage(system: System, spec: ChildSpec): Promise<ActorRef<StorageSpec>> {
  return system.spawn(spec, storageProtocol);
}

export function spawnEmbedder(system: System, spec: ChildSpec): Promise<ActorRef<InferenceSpec>> {
  return system.spawn(spec, inferenceProtocol);
}

/** Ends the system on every path; a failure to end in time is reported, not hidden. */
export async function withSystem<T>(settings: Pick<Settings, 'logLevel'>, work: (system: System) => Promise<T>): Promise<T> {
  const system = await openSystem(settings);
  let result: T;
  try {
    result = await work(system);
  } catch (error) {
    // The first error is the one to tell; that the system then also failed to close adds nothing.
    await system.close().catch(() => {});
    throw error;
  }
  await system.close();
  return result;
}

/** The code and message of anything that was thrown. */
export function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof SpillwayError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'unexpected' satisfies ConsoleErrorCode, message };
}
