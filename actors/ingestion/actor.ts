/** The ingestion actor: runs one run at a time and can be interrupted and asked meanwhile. */
import type { SharedCounters } from 'atomics-ring-buffer';
import { SpillwayError, defineActor, type ActorRef } from '../../kernel/index.ts';
import { inferenceProtocol } from '../inference/index.ts';
import { storageProtocol, type IndexStatus, type StorageSpec } from '../storage/index.ts';
import { ActorEmbedder } from './actor-embedder.ts';
import { EmbedQueue } from './embed-queue.ts';
import { IndexRun, recipeSettings } from './index-run.ts';
import { INGESTION_COUNTERS, ingestionProtocol, type IngestionCounter, type IngestionSpec } from './messages.ts';
import { Notices } from './notices.ts';
import { RunStore } from './run-store.ts';
import type { Sanitizer } from './sanitizer.ts';
import { resolveSources } from './source-roots.ts';

export const ingestion = defineActor<IngestionSpec, undefined>({
  protocol: ingestionProtocol,
  counters: INGESTION_COUNTERS,
  start(context) {
    const notices = new Notices();
    const counters = context.counters as SharedCounters<IngestionCounter>;
    const sanitizer = lazySanitizer();
    let current: IndexRun | undefined;
    return {
      handlers: {
        async run(request) {
          if (current !== undefined) throw new SpillwayError('run_in_progress', 'A run is in progress; interrupt it first.');
          const storage = await context.resolve(request.storage, storageProtocol);
          const sources = resolveSources(request.paths, request.rebuild ? undefined : await rootOf(storage));
          const embedders = await Promise.all(request.embedders.map((name) => context.resolve(name, inferenceProtocol)));
          const { runId, model, rebuild } = request;
          const settings = recipeSettings(request);
          const store = new RunStore(storage, { runId, root: sources.commonPath, model, settings, rebuild });
          resetCounters(counters);
          const queue = new EmbedQueue(new ActorEmbedder(embedders, context.clock), store, { dimensions: model.dimensions, prompt: request.recipe?.documentPrompt ?? '' }, {
            onQueued: (texts) => counters.add('queued', texts),
            onEmbedded: (chunks) => counters.add('embedded', chunks),
            onSettled: ({ masked }) => counters.add('masked', masked),
            onFailed(job, reason) {
              counters.add('skipped');
              notices.add({ kind: 'skipped', path: job.path, reason: 'not_embeddable', detail: reason });
            },
          });
          current = new IndexRun(request, { sources, store, queue, sanitizer, notices, counters });
          try {
            return await current.execute();
          } finally {
            current = undefined;
          }
        },
        interrupt: () => current?.interrupt(),
        takeNotices: () => notices.take(),
      },
      stop: () => current?.interrupt(),
    };
  },
});

const STATUS_MS = 60_000;

/** The root of the index, if there is one that can be read; what is wrong with it, `begin` will say. */
async function rootOf(storage: ActorRef<StorageSpec>): Promise<string | undefined> {
  try {
    const { status } = await storage.ask('status', {}, { deadlineMs: STATUS_MS });
    return (status as IndexStatus).root;
  } catch (error) {
    if (error instanceof SpillwayError) return undefined;
    throw error;
  }
}

/**
 * A run that is sent again after this actor failed walks everything once more and plans what was not
 * stored. What was embedded, and masked in files that were stored, was done once and stays counted.
 */
function resetCounters(counters: SharedCounters<IngestionCounter>): void {
  for (const name of ['files', 'changedFiles', 'skipped', 'queued'] as const) counters.add(name, -counters.read(name));
  counters.add('chunks', counters.read('embedded') - counters.read('chunks'));
}

/** Its rules take long to load, and a run that finds nothing changed does not need them. */
function lazySanitizer(): Sanitizer {
  let loading: Promise<Sanitizer> | undefined;
  return {
    async sanitize(text, path) {
      loading ??= import('./sanitizer.ts').then(({ createSanitizer }) => createSanitizer());
      return (await loading).sanitize(text, path);
    },
  };
}
