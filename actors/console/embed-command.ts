/** `spillway embed`: brings an index up to date with folders and files. */
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { SpillwayError, type ActorRef } from '../../kernel/index.ts';
import type { System } from '../../supervisors/index.ts';
import { checkDimensions, chooseModel, ensureTrusted, type CheckedModel } from '../inference/index.ts';
import { INGESTION_COUNTERS, type IngestionSpec } from '../ingestion/index.ts';
import { EXIT_DONE, EXIT_INTERRUPTED } from './exit-codes.ts';
import {
  INGESTION,
  PIPELINE_SPECS,
  STORAGE,
  embedderIds,
  spawnEmbedder,
  spawnIngestion,
  spawnStorage,
  withSystem,
  type PipelineSpecs,
} from './pipeline.ts';
import type { Progress, RunReporter } from './reporter.ts';
import type { Settings } from './settings.ts';

export interface EmbedCommand {
  readonly paths: readonly string[];
  readonly rebuild: boolean;
  readonly settings: Settings;
  readonly reporter: RunReporter;
  /** Milliseconds between two looks at the counters. */
  readonly progressMs: number;
  /** Aborted by Ctrl-C: the run drains and ends. */
  readonly interrupt: AbortSignal;
  /** How the actors are made, where not as usual. */
  readonly specs?: Partial<PipelineSpecs>;
}

/** A run has no natural bound; this one only says that no wait is without. */
const RUN_MS = 30 * 24 * 3_600_000;
const NOTICES_MS = 5_000;
/** How often the run is sent again after its ingestion actor failed. */
const RUN_ATTEMPTS = 5;

/** @returns the exit code. @throws SpillwayError whatever kept the run from ending */
export async function embedCommand(command: EmbedCommand): Promise<number> {
  const startedMs = performance.now();
  const model = await chooseModel(command.settings.model, {
    cacheDir: command.settings.cacheDir,
    signal: command.interrupt,
    onProgress: downloadProgress(command.reporter),
  });
  return withSystem(command.settings, (system) => new EmbedRun(command, model, system, startedMs).execute());
}

class EmbedRun {
  readonly #command: EmbedCommand;
  readonly #model: CheckedModel;
  readonly #system: System;
  readonly #startedMs: number;
  readonly #embedders: readonly string[];

  constructor(command: EmbedCommand, model: CheckedModel, system: System, startedMs: number) {
    this.#command = command;
    this.#model = model;
    this.#system = system;
    this.#startedMs = startedMs;
    this.#embedders = embedderIds(command.settings.actors);
  }

  async execute(): Promise<number> {
    const { settings, reporter, interrupt } = this.#command;
    const specs: PipelineSpecs = { ...PIPELINE_SPECS, ...this.#command.specs };
    const { isolate, quarantine, cacheDir } = settings;
    checkDimensions(settings.recipe.dimensions, this.#model.dimensions);
    if (quarantine && !isolate) await ensureTrusted(this.#system, this.#model, { purpose: 'embed', cacheDir });
    const [ingestion] = await Promise.all([
      spawnIngestion(this.#system, specs.ingestion()),
      spawnStorage(this.#system, specs.storage(settings.index)),
      ...this.#embedders.map((id) => spawnEmbedder(this.#system, specs.embedder(id, this.#model, settings))),
    ]);
    const onInterrupt = (): void => {
      reporter.say('Finishing what is on its way. Press Ctrl-C again to stop at once.');
      ingestion.tell('interrupt', {});
    };
    if (interrupt.aborted) {
      reporter.interrupted(this.#progress());
      return EXIT_INTERRUPTED;
    }
    interrupt.addEventListener('abort', onInterrupt, { once: true });
    const ticker = setInterval(() => void this.#tick(ingestion), this.#command.progressMs);
    try {
      const summary = await this.#run(ingestion);
      await this.#drainNotices(ingestion);
      const progress = this.#progress();
      if (summary.interrupted) {
        reporter.interrupted(progress);
        return EXIT_INTERRUPTED;
      }
      const { files, embedded, skipped, masked, restarts, seconds, textsPerSecond } = progress;
      const counts = { files, chunks: summary.indexedChunks, embedded, skipped, removed: summary.removedChunks, masked };
      reporter.done({ ...counts, restarts, seconds, textsPerSecond }, settings.index);
      return EXIT_DONE;
    } finally {
      clearInterval(ticker);
      interrupt.removeEventListener('abort', onInterrupt);
    }
  }

  async #run(ingestion: ActorRef<IngestionSpec>) {
    const { settings, paths, rebuild } = this.#command;
    const { name, sha256, dimensions, contextLength } = this.#model;
    const { recipe } = settings;
    const request = {
      runId: randomUUID(),
      paths: paths.map((path) => resolve(path)),
      excludedPaths: [settings.index],
      maxFileBytes: settings.maxFileBytes,
      // A chunk that the model may not take whole would only be cut again.
      chunkTokens: Math.min(settings.chunkTokens, Math.max(16, contextLength >> 1)),
      rebuild,
      model: { name, sha256, dimensions: recipe.dimensions ?? dimensions },
      embedders: [...this.#embedders],
      storage: STORAGE,
      recipe: { ...recipe },
    };
    for (let attempt = 1; ; attempt++) {
      try {
        return await ingestion.ask('run', request, { deadlineMs: RUN_MS });
      } catch (error) {
        const restarted = error instanceof SpillwayError && error.code === 'actor_restarted';
        if (!restarted || attempt >= RUN_ATTEMPTS || this.#command.interrupt.aborted) throw error;
      }
    }
  }

  async #tick(ingestion: ActorRef<IngestionSpec>): Promise<void> {
    this.#command.reporter.progress(this.#progress());
    // A screen can do without notices for once; the next look takes them.
    await this.#takeNotices(ingestion).catch(() => false);
  }

  async #drainNotices(ingestion: ActorRef<IngestionSpec>): Promise<void> {
    while (await this.#takeNotices(ingestion));
  }

  /** @returns whether there may be more */
  async #takeNotices(ingestion: ActorRef<IngestionSpec>): Promise<boolean> {
    const { notices, lost } = await ingestion.ask('takeNotices', {}, { deadlineMs: NOTICES_MS });
    for (const notice of notices) this.#command.reporter.notice(notice);
    if (lost > 0) this.#command.reporter.say(`${lost} further notices were not kept.`);
    return notices.length > 0;
  }

  #progress(): Progress {
    const counters = this.#system.counters(INGESTION, INGESTION_COUNTERS);
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    const actors = [INGESTION, STORAGE, ...this.#embedders];
    const restarts = actors.reduce((sum, id) => sum + this.#system.health(id).restarts, 0);
    return { ...counters, restarts, seconds: rounded(seconds, 3), textsPerSecond: rounded(counters.embedded / seconds, 1) };
  }
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

/** Says how far a download is, once for each tenth. */
function downloadProgress(reporter: RunReporter): (progress: { downloadedBytes: number; totalBytes: number }) => void {
  let shown = -1;
  return ({ downloadedBytes, totalBytes }) => {
    const tenth = Math.floor((downloadedBytes / totalBytes) * 10);
    if (!(tenth > shown)) return;
    shown = tenth;
    reporter.say(`downloading the model: ${tenth * 10} % of ${Math.round(totalBytes / 1e6)} MB`);
  };
}
