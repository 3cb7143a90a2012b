/**
 * Several inference actors behind one call: a batch goes to the one with the fewest in hand, and is
 * sent again when its actor fails while it has it. Embedding the same text twice gives the same
 * vector, so sending again is always safe.
 */
import { SpillwayError, type ActorRef, type ReplyOf } from '../../kernel/index.ts';
import type { InferenceSpec } from './messages.ts';

export type EmbedReply = ReplyOf<InferenceSpec, 'embed'>;

/** Texts in one batch at the most: enough to hide the cost of a message, few enough to be cancelled soon. */
const BATCH_TEXTS_MAX = 32;
/** Bytes of vectors that one answer may hold, well below what a data lane takes. */
const BATCH_VECTOR_BYTES = 256 * 1024;
/** UTF-16 units of text in one batch: up to two bytes each, half of what a data lane takes. */
export const BATCH_UNITS_MAX = 120_000;
/** A single text may fill a batch on its own; a longer one is refused. */
export const TEXT_UNITS_MAX = 240_000;

/** How many texts one batch may have for a model of so many dimensions. */
export function batchTextsMax(dimensions: number): number {
  return Math.max(1, Math.min(BATCH_TEXTS_MAX, Math.floor(BATCH_VECTOR_BYTES / (dimensions * 4))));
}

export interface PoolOptions {
  /** Milliseconds for one batch on one actor, its waiting included. */
  readonly batchDeadlineMs?: number;
  /** How often one batch is tried in all. */
  readonly attempts?: number;
}

/** Bounded generously: a model that is loaded meanwhile may take a minute. */
const BATCH_DEADLINE_MS = 120_000;
const ATTEMPTS = 20;
/** Pause before a batch is sent again to actors that all refuse. */
const RETRY_MS = 20;

interface Member {
  readonly ref: ActorRef<InferenceSpec>;
  inFlight: number;
}

export class EmbedderPool {
  readonly #members: readonly Member[];
  readonly #deadlineMs: number;
  readonly #attempts: number;

  constructor(refs: readonly ActorRef<InferenceSpec>[], options: PoolOptions = {}) {
    this.#members = refs.map((ref) => ({ ref, inFlight: 0 }));
    this.#deadlineMs = options.batchDeadlineMs ?? BATCH_DEADLINE_MS;
    this.#attempts = options.attempts ?? ATTEMPTS;
  }

  get size(): number {
    return this.#members.length;
  }

  /**
   * Embeds one batch of at most `batchTextsMax` texts and `BATCH_UNITS_MAX` units.
   * @throws SpillwayError what the last attempt ended with
   */
  async embed(texts: readonly string[], signal?: AbortSignal): Promise<EmbedReply> {
    for (let attempt = 1; ; attempt++) {
      const member = this.#members.reduce((least, one) => (one.inFlight < least.inFlight ? one : least));
      member.inFlight++;
      try {
        const options = { deadlineMs: this.#deadlineMs, ...(signal === undefined ? {} : { signal }) };
        return await member.ref.ask('embed', { texts: [...texts] }, options);
      } catch (error) {
        if (attempt >= this.#attempts || !isPassing(error)) throw error;
        if ((error as SpillwayError).code === 'ask_refused') await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      } finally {
        member.inFlight--;
      }
    }
  }
}

/** Whether the same batch may succeed on another try. */
function isPassing(error: unknown): boolean {
  return error instanceof SpillwayError && (error.code === 'actor_restarted' || error.code === 'ask_refused');
}
