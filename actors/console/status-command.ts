/** `spillway status`: what an index holds. */
import type { IndexStatus } from '../storage/index.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { PIPELINE_SPECS, spawnStorage, withSystem } from './pipeline.ts';
import type { Settings } from './settings.ts';

export interface StatusCommand {
  readonly json: boolean;
  readonly settings: Settings;
  readonly stdout: (text: string) => void;
}

/** @returns the exit code. @throws SpillwayError `index_missing`, `index_corrupt`, ... */
export function statusCommand({ json, settings, stdout }: StatusCommand): Promise<number> {
  return withSystem(settings, async (system) => {
    const storage = await spawnStorage(system, PIPELINE_SPECS.storage(settings.index));
    const { status } = (await storage.ask('status', {}, { deadlineMs: 60_000 })) as { status: IndexStatus };
    stdout(json ? `${JSON.stringify({ index: settings.index, ...status })}\n` : describe(settings.index, status));
    return EXIT_DONE;
  });
}

function describe(index: string, status: IndexStatus): string {
  const { generation, files, chunks, model, root, sizeBytes, publishedAt, building } = status;
  const lines = [
    `index       ${index} (${(sizeBytes / 1e6).toFixed(1)} MB)`,
    `root        ${root}`,
    `generation  ${generation}${publishedAt === null ? ', never published' : `, published ${publishedAt}`}`,
    `holds       ${files} files, ${chunks} chunks`,
    `model       ${model.name}, ${model.dimensions} dimensions, sha256 ${model.sha256.slice(0, 16)}`,
  ];
  if (building !== undefined) {
    lines.push(`unfinished  generation ${building.generation}: ${building.files} files, ${building.chunks} chunks; run embed again to finish it`);
  }
  return `${lines.join('\n')}\n`;
}
