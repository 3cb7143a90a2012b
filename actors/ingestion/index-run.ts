/**
 * One run: brings an index up to date with the files under some paths.
 *
 * It reads and hashes every file, asks the storage which are new or changed, and sends the chunks of
 * those through the embedders. What it holds in memory is bounded: a batch of files that wait for
 * their comparison, and the chunks on their way.
 */
import { setImmediate as loopTurn } from 'node:timers/promises';
import type { SharedCounters } from 'atomics-ring-buffer';
import type { ReplyOf, RequestOf } from '../../kernel/index.ts';
import { PLAN_VERSION, planChunks } from './chunk-plan.ts';
import type { EmbedQueue } from './embed-queue.ts';
import { FileJob } from './file-job.ts';
import type { IngestionCounter, IngestionSpec } from './messages.ts';
import type { Notices } from './notices.ts';
import type { RunStore } from './run-store.ts';
import type { Sanitizer } from './sanitizer.ts';
import type { SourceRoot, SourceRoots } from './source-roots.ts';
import { readTextFile, type TextFile } from './text-file.ts';
import { walk, type WalkEntry } from './walk.ts';

export type RunRequest = RequestOf<IngestionSpec, 'run'>;
export type RunSummary = ReplyOf<IngestionSpec, 'run'>;

/** Files, or bytes of text, that wait for one comparison. */
const COMPARED_FILES = 64;
const COMPARED_BYTES = 4 * 1024 * 1024;
/** Entries between two turns of the event loop, so that an interrupt is heard in a tree of skipped files. */
const ENTRIES_PER_TURN = 128;

type ReadFile = Extract<TextFile, { ok: true }> & { readonly path: string };

export interface IndexRunParts {
  readonly sources: SourceRoots;
  readonly store: RunStore;
  readonly queue: EmbedQueue;
  readonly sanitizer: Sanitizer;
  readonly notices: Notices;
  readonly counters: SharedCounters<IngestionCounter>;
}

/** The settings that must be equal for two runs on one index. */
export function recipeSettings({ chunkTokens, recipe = {} }: Pick<RunRequest, 'chunkTokens' | 'recipe'>): Record<string, unknown> {
  return { chunkTokens, plan: PLAN_VERSION, ...(Object.keys(recipe).length === 0 ? {} : { recipe }) };
}

export class IndexRun {
  readonly #request: RunRequest;
  readonly #parts: IndexRunParts;
  #interrupted = false;
  /** Whether a folder could not be listed: what is indexed below it must then not be taken for removed. */
  #sawUnreadable = false;
  #waiting: ReadFile[] = [];
  #waitingBytes = 0;

  constructor(request: RunRequest, parts: IndexRunParts) {
    this.#request = request;
    this.#parts = parts;
  }

  interrupt(): void {
    this.#interrupted = true;
  }

  async execute(): Promise<RunSummary> {
    const { store, queue, sources } = this.#parts;
    await store.begin();
    for (const root of sources.roots) await this.#walkRoot(root);
    await this.#compareWaiting();
    await queue.drain();
    if (this.#interrupted) return this.#summary(true, 0);
    const removed = this.#sawUnreadable ? 0 : (await store.call('removeUnseen', { prefixes: [...sources.coverage] })).removed;
    return this.#summary(false, removed);
  }

  async #walkRoot(root: SourceRoot): Promise<void> {
    const { excludedPaths, maxFileBytes } = this.#request;
    let entries = 0;
    for (const entry of walk(root, { maxFileBytes, excludedPaths })) {
      if (this.#interrupted) return;
      if (++entries % ENTRIES_PER_TURN === 0) await loopTurn();
      await this.#take(root, entry);
    }
  }

  async #take(root: SourceRoot, entry: WalkEntry): Promise<void> {
    const path = root.prefix + entry.path;
    if (entry.kind === 'skipped') {
      if (entry.reason === 'unreadable') this.#sawUnreadable = true;
      this.#skip(path, entry.reason, entry.cause);
      return;
    }
    const file = readTextFile(root.rootPath, entry.path, { maxFileBytes: this.#request.maxFileBytes });
    if (!file.ok) {
      // What cannot be read now may be readable in the next run; what is indexed for it stays until then.
      if (file.reason === 'unreadable' || file.reason === 'changed') await this.#parts.store.call('touch', { paths: [path] });
      this.#skip(path, file.reason, file.cause);
      return;
    }
    this.#parts.counters.add('files');
    this.#waiting.push({ ...file, path });
    this.#waitingBytes += file.sizeBytes;
    if (this.#waiting.length >= COMPARED_FILES || this.#waitingBytes >= COMPARED_BYTES) await this.#compareWaiting();
  }

  async #compareWaiting(): Promise<void> {
    const files = this.#waiting;
    if (files.length === 0) return;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const listed = files.map(({ path, hash }) => ({ path, hash }));
    const { comparisons } = await this.#parts.store.call('compare', { files: listed });
    for (const [index, file] of files.entries()) {
      if (this.#interrupted) return;
      if (comparisons[index] !== 'unchanged') await this.#embed(file);
    }
  }

  async #embed(file: ReadFile): Promise<void> {
    const { sanitizer, queue, counters, notices } = this.#parts;
    counters.add('changedFiles');
    const { text, findings } = await sanitizer.sanitize(file.text, file.path);
    for (const { kind, line, column } of findings) {
      notices.add({ kind: 'masked', path: file.path, reason: kind, detail: `line ${line}, column ${column}` });
    }
    const chunks = planChunks({ path: file.path, text }, { maxTokens: this.#request.chunkTokens });
    counters.add('chunks', chunks.length);
    const job = new FileJob(file, chunks.length, findings.length);
    if (chunks.length === 0) await queue.storeEmpty(job);
    for (const chunk of chunks) await queue.push({ job, chunk });
  }

  #skip(path: string, reason: string, cause: string | undefined): void {
    this.#parts.counters.add('skipped');
    this.#parts.notices.add({ kind: 'skipped', path, reason, detail: cause ?? '' });
  }

  async #summary(interrupted: boolean, removedFiles: number): Promise<RunSummary> {
    const root = this.#parts.sources.commonPath;
    if (interrupted) {
      return { interrupted, root, generation: 0, indexedFiles: 0, indexedChunks: 0, removedFiles: 0, removedChunks: 0 };
    }
    const { generation, files, chunks, removedChunks } = await this.#parts.store.call('publish', {});
    return { interrupted, root, generation, indexedFiles: files, indexedChunks: chunks, removedFiles, removedChunks };
  }
}
