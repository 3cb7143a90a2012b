/** The application's own way to rank: a cross-encoder reads the query with each document and says how well they match. */
import { SpillwayError } from '../../kernel/index.ts';
import type { TextStatus } from './backend.ts';
import { DEADLINE_MS_DEFAULT, refusalReason } from './embed-options.ts';
import type { ModelInfo } from './hosting/loaded-model.ts';
import type { ModelSource } from './hosting/model-source.ts';
import type { ModelSlot } from './hosting/model-slot.ts';
import { ProviderSession, providersOf } from './hosting/provider-session.ts';
import { BATCH_UNITS_MAX } from './scheduling/message-limits.ts';

export interface RankOptions {
  /** Default: 120,000. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

export interface Ranked {
  /** The document's place in what was given. */
  readonly index: number;
  /** From 0 to 1, higher is more relevant; 0 unless the status is ok. */
  readonly score: number;
  readonly status: TextStatus;
  readonly reason?: string;
}

/** Documents of one message; each is a native call of its own. */
const BATCH_DOCUMENTS = 32;
const DOCUMENTS_MAX = 10_000;

export class Ranker {
  readonly #slot: ModelSlot<ModelSource>;
  readonly #close: () => Promise<void>;

  /** Use `createRanker`, or `ranker` of a model host. */
  constructor(slot: ModelSlot<ModelSource>, close: () => Promise<void>) {
    this.#slot = slot;
    this.#close = close;
  }

  /** @throws SpillwayError `model_unloaded` while none is loaded */
  get model(): ModelInfo {
    const info = this.#slot.current?.info;
    if (info === undefined) throw new SpillwayError('model_unloaded', 'No model is loaded at present; the next call loads it.');
    return info;
  }

  /**
   * All documents, the most relevant first; those that could not be ranked come last and say why.
   * @throws SpillwayError `rank_invalid`, `ask_cancelled`, `ask_deadline`, `model_unsupported`, or what the model's actors failed with
   */
  async rank(query: string, documents: readonly string[], { deadlineMs = DEADLINE_MS_DEFAULT, signal }: RankOptions = {}): Promise<Ranked[]> {
    if (query.trim() === '') throw new SpillwayError('rank_invalid', 'The query is empty or blank; give text to rank by.');
    if (documents.length > DOCUMENTS_MAX) throw new SpillwayError('rank_invalid', `${documents.length} documents are more than the ${DOCUMENTS_MAX} of one call; find the likely ones with an index first.`);
    const oversized = documents.findIndex((document) => document.length + query.length > BATCH_UNITS_MAX);
    if (oversized !== -1) throw new SpillwayError('rank_invalid', `Document ${oversized} and the query have more than ${BATCH_UNITS_MAX} characters together; split it.`, { details: { index: oversized } });
    const session = new ProviderSession(providersOf([this.#slot]));
    const ranked: Ranked[] = [];
    try {
      await session.run(deadlineMs, async (model, leftMs) => {
        const options = { deadlineMs: leftMs, ...(signal === undefined ? {} : { signal }) };
        const batches = batched(query, documents);
        const work = async (): Promise<void> => {
          for (const [start, batch] of batches) {
            const { scores, outcomes } = await model.direct((ref) => ref.ask('rank', { query, documents: batch }, options));
            outcomes.forEach((outcome, index) => {
              const { status } = outcome;
              ranked.push({ index: start + index, score: scores[index] ?? 0, status, ...(status === 'ok' ? {} : { reason: refusalReason(outcome) }) });
            });
          }
        };
        await Promise.all(Array.from({ length: model.actors }, work));
      }, { signal });
    } finally {
      session.close();
    }
    return ranked.toSorted((a, b) => Number(b.status === 'ok') - Number(a.status === 'ok') || b.score - a.score || a.index - b.index);
  }

  close(): Promise<void> {
    return this.#close();
  }
}

/** Shared by all workers, each of whom takes the next. */
function* batched(query: string, documents: readonly string[]): Generator<[start: number, batch: string[]]> {
  for (let start = 0; start < documents.length; ) {
    const batch: string[] = [];
    for (let units = query.length; batch.length < BATCH_DOCUMENTS && start + batch.length < documents.length; ) {
      const document = documents[start + batch.length]!;
      units += document.length;
      if (batch.length > 0 && units > BATCH_UNITS_MAX) break;
      batch.push(document);
    }
    yield [start, batch];
    start += batch.length;
  }
}
