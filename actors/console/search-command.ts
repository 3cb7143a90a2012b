/** `spillway search`: the chunks of an index nearest to a query. */
import { isAbsolute } from 'node:path';
import { SpillwayError } from '../../kernel/index.ts';
import { BUILT_IN_NAME, chooseModel, ensureTrusted, formed } from '../inference/index.ts';
import type { IndexStatus } from '../storage/index.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { PIPELINE_SPECS, spawnEmbedder, spawnStorage, withSystem } from './pipeline.ts';
import { printable } from './printable.ts';
import type { Recipe, Settings } from './settings.ts';
import { snippet } from './snippet.ts';

export interface SearchCommand {
  readonly query: string;
  readonly limit: number;
  readonly json: boolean;
  readonly settings: Settings;
  readonly stdout: (text: string) => void;
}

const CALL_MS = 60_000;

/** @returns the exit code. @throws SpillwayError `query_empty`, `index_missing`, `index_model_mismatch`, ... */
export function searchCommand(command: SearchCommand): Promise<number> {
  const { query, limit, settings, stdout } = command;
  if (query.trim() === '') throw new SpillwayError('query_empty', 'The query is empty; give a few words to look for.');
  return withSystem(settings, async (system) => {
    const storage = await spawnStorage(system, PIPELINE_SPECS.storage(settings.index));
    const { status } = (await storage.ask('status', {}, { deadlineMs: CALL_MS })) as { status: IndexStatus };
    const source = settings.model ?? sourceOf(status.model.name);
    const model = await chooseModel(source, { cacheDir: settings.cacheDir });
    if (model.sha256 !== status.model.sha256) {
      throw new SpillwayError(
        'index_model_mismatch',
        `The index was made with ${status.model.name} (${status.model.sha256.slice(0, 12)}), and the query would be embedded with ${model.name} (${model.sha256.slice(0, 12)}). Name the first with --model, or embed again with --rebuild.`,
      );
    }
    // A query becomes a vector as the index's texts did, whatever this command is told.
    const recipe = (status.settings['recipe'] ?? {}) as Recipe;
    if (settings.quarantine && !settings.isolate) await ensureTrusted(system, model, { purpose: 'embed', cacheDir: settings.cacheDir });
    const embedder = await spawnEmbedder(system, PIPELINE_SPECS.embedder('embedder-0', model, { ...settings, recipe }));
    const { vectors, outcomes } = await embedder.ask('embed', { texts: [(recipe.queryPrompt ?? '') + query] }, { deadlineMs: CALL_MS });
    const { status: outcome, tokens, limit: most, reason } = outcomes[0]!;
    if (outcome === 'empty') throw new SpillwayError('query_empty', 'The model sees no words in the query; give a few words to look for.');
    if (outcome !== 'ok') {
      throw new SpillwayError('query_refused', `The query was not embedded: ${outcome}${most === undefined ? '' : ` (${tokens} tokens, the model takes ${most})`}${reason === undefined ? '' : `: ${reason}`}. Shorten it.`);
    }
    const { hits } = await storage.ask('search', { vector: formed(vectors, { dimensions: status.model.dimensions, output: 'float32' }), limit }, { deadlineMs: CALL_MS });
    for (const { path, startLine, endLine, score, text } of hits) {
      stdout(
        command.json
          ? `${JSON.stringify({ path, startLine, endLine, score, text })}\n`
          : `${printable(path)}:${startLine}-${endLine}  ${score.toFixed(3)}\n${snippet(text, query)}\n\n`,
      );
    }
    if (hits.length === 0 && !command.json) stdout('Nothing found: the index is empty.\n');
    return EXIT_DONE;
  });
}

/** Where the model that made an index is found: its name there says so, unless it is the built-in one's title. */
function sourceOf(modelName: string): string {
  return modelName.startsWith('hf:') || isAbsolute(modelName) ? modelName : BUILT_IN_NAME;
}
