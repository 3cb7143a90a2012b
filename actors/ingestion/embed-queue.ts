/**
 * From planned chunks to stored files: fills batches, keeps every embedder busy with one batch in hand
 * and one waiting, and stores the files whose last vector has come.
 *
 * Bounded by its batches: `push` waits while as many are on their way as the embedders can take.
 */
import { BATCH_UNITS_MAX, batchTextsMax, formed, type EmbeddedText } from '../inference/index.ts';
import type { ActorEmbedder } from './actor-embedder.ts';
import type { ChunkItem, FileJob, FileSegmentMessage, MessageLimits } from './file-job.ts';
import type { RunStore } from './run-store.ts';

/** Batches on their way for each embedder: two that its scheduler has given it, and some to choose from. */
const BATCHES_PER_EMBEDDER = 4;

/** What is done to a text and its vector, beside the model. */
export interface EmbedForm {
  /** Values to keep of each vector. */
  readonly dimensions: number;
  /** What is put before each text. */
  readonly prompt: string;
}

export interface EmbedQueueEvents {
  /** Texts went to an embedder, or, below zero, came back. */
  onQueued(texts: number): void;
  onEmbedded(chunks: number): void;
  /** A file is done with, stored or not. */
  onSettled(job: FileJob): void;
  /** A file could not be embedded; what the index holds for it stays. */
  onFailed(job: FileJob, reason: string): void;
}

export class EmbedQueue {
  readonly #embedder: ActorEmbedder;
  readonly #form: EmbedForm;
  readonly #store: RunStore;
  readonly #events: EmbedQueueEvents;
  readonly #limits: MessageLimits;
  readonly #onTheirWay = new Set<Promise<void>>();
  #batch: ChunkItem[] = [];
  #batchUnits = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(embedder: ActorEmbedder, store: RunStore, form: EmbedForm, events: EmbedQueueEvents) {
    this.#embedder = embedder;
    this.#form = form;
    this.#store = store;
    this.#events = events;
    this.#limits = { chunksMax: batchTextsMax(form.dimensions), unitsMax: BATCH_UNITS_MAX };
  }

  /** Takes one chunk; waits while the queue is full. @throws what a former batch failed with */
  async push(item: ChunkItem): Promise<void> {
    const units = item.chunk.text.length;
    if (this.#batch.length >= this.#limits.chunksMax || this.#batchUnits + units > this.#limits.unitsMax) await this.#dispatch();
    this.#batch.push(item);
    this.#batchUnits += units;
  }

  /** Stores a file without chunks. */
  async storeEmpty(job: FileJob): Promise<void> {
    await this.#storeFiles([job]);
  }

  /** Sends the last batch and waits until all are stored. @throws what a batch failed with */
  async drain(): Promise<void> {
    await this.#dispatch();
    await Promise.all(this.#onTheirWay);
    this.#check();
  }

  async #dispatch(): Promise<void> {
    this.#check();
    const items = this.#batch;
    if (items.length === 0) return;
    this.#batch = [];
    this.#batchUnits = 0;
    while (this.#onTheirWay.size >= this.#embedder.size * BATCHES_PER_EMBEDDER) await Promise.race(this.#onTheirWay);
    this.#check();
    const work = this.#embedAndStore(items)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#onTheirWay.delete(work));
    this.#onTheirWay.add(work);
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #embedAndStore(items: readonly ChunkItem[]): Promise<void> {
    const settled: FileJob[] = [];
    for (let waiting = items; waiting.length > 0; ) {
      const batch = waiting.slice(0, this.#limits.chunksMax);
      const again = await this.#embed(batch);
      waiting = [...again, ...waiting.slice(batch.length)];
      for (const { job } of batch) if (job.takeSettled()) settled.push(job);
    }
    await this.#storeFiles(settled);
  }

  /** @returns the parts of chunks that were too long */
  async #embed(batch: readonly ChunkItem[]): Promise<ChunkItem[]> {
    const { dimensions, prompt } = this.#form;
    const texts = await this.#askEmbedder(batch.map(({ chunk }) => prompt + chunk.text));
    const again: ChunkItem[] = [];
    let embedded = 0;
    batch.forEach(({ job, chunk }, index) => {
      const { status, vector, reason } = texts[index]!;
      if (status === 'ok') {
        // A copy: the vector may be part of a block that all of its batch share.
        job.embedded(chunk, formed(vector, { dimensions, output: 'float32' }).slice());
        embedded++;
      } else if (status === 'empty') job.blank();
      else if (status === 'too_long' || status === 'too_many_bytes') {
        again.push(...job.tooLong(chunk).map((part) => ({ job, chunk: part })));
      } else job.failed(reason ?? status);
    });
    this.#events.onEmbedded(embedded);
    return again;
  }

  async #askEmbedder(texts: readonly string[]): Promise<EmbeddedText[]> {
    this.#events.onQueued(texts.length);
    try {
      return await this.#embedder.embed(texts);
    } finally {
      this.#events.onQueued(-texts.length);
    }
  }

  async #storeFiles(jobs: readonly FileJob[]): Promise<void> {
    const segments: FileSegmentMessage[] = [];
    for (const job of jobs) {
      if (job.failure === undefined) segments.push(...job.segments(this.#limits));
      else {
        await this.#store.call('touch', { paths: [job.path] });
        this.#events.onFailed(job, job.failure);
      }
    }
    for (const group of groupSegments(segments, this.#limits)) await this.#store.call('put', { segments: group });
    for (const job of jobs) this.#events.onSettled(job);
  }
}

/** Packs segments into messages, so that small files share a transaction. */
function groupSegments(segments: readonly FileSegmentMessage[], limits: MessageLimits): FileSegmentMessage[][] {
  const groups: FileSegmentMessage[][] = [];
  let [chunks, units] = [Infinity, Infinity];
  for (const segment of segments) {
    const segmentChunks = Math.max(1, segment.chunks.length);
    const segmentUnits = segment.chunks.reduce((sum, { text }) => sum + text.length, 0);
    if (chunks + segmentChunks > limits.chunksMax || units + segmentUnits > limits.unitsMax) {
      groups.push([]);
      [chunks, units] = [0, 0];
    }
    groups.at(-1)!.push(segment);
    chunks += segmentChunks;
    units += segmentUnits;
  }
  return groups;
}
