/**
 * The inference actors of a run behind a scheduler, which is made with the first texts: what it has to know of the
 * model, its actors say when they have loaded it, and a run that finds nothing changed needs no model at all.
 */
import type { ActorRef, Clock } from '../../kernel/index.ts';
import { EmbedScheduler, actorWorker, type EmbeddedText, type InferenceSpec } from '../inference/index.ts';

/** A model that is made or read from a slow disk may take minutes. */
const LOAD_MS = 300_000;
/** For one text, its waiting included. */
const TEXT_MS = 600_000;
/** How often a text is asked for again that its scheduler has given up. */
const FURTHER_ROUNDS = 6;

export class ActorEmbedder {
  readonly #refs: readonly ActorRef<InferenceSpec>[];
  readonly #clock: Clock;
  #scheduler: Promise<EmbedScheduler> | undefined;

  constructor(refs: readonly ActorRef<InferenceSpec>[], clock: Clock) {
    this.#refs = refs;
    this.#clock = clock;
  }

  /** Actors that embed at the same time. */
  get size(): number {
    return this.#refs.length;
  }

  async embed(texts: readonly string[]): Promise<EmbeddedText[]> {
    this.#scheduler ??= this.#open();
    const scheduler = await this.#scheduler;
    const results = await scheduler.embed({ texts, priority: 'bulk', deadlineMs: TEXT_MS });
    // A file that is left out of an index is worse than a run that takes longer: what failed may have met actors that fail anyway.
    for (let round = 0; round < FURTHER_ROUNDS; round++) {
      const failed = results.flatMap(({ status }, index) => (status === 'failed' ? [index] : []));
      if (failed.length === 0) break;
      const again = await scheduler.embed({ texts: failed.map((index) => texts[index]!), priority: 'bulk', deadlineMs: TEXT_MS });
      failed.forEach((index, place) => (results[index] = again[place]!));
    }
    return results;
  }

  async #open(): Promise<EmbedScheduler> {
    const model = await this.#refs[0]!.ask('load', {}, { deadlineMs: LOAD_MS });
    return new EmbedScheduler({ workers: this.#refs.map((ref) => actorWorker(ref, model.dimensions)), model, clock: this.#clock });
  }
}
