/**
 * The storage actor as one run sees it: every call is repeated when the actor was restarted under it,
 * after the run has been begun again there. All calls are idempotent, so repeating is safe.
 */
import { SpillwayError, type ActorRef, type ReplyOf, type RequestOf } from '../../kernel/index.ts';
import type { StorageSpec } from '../storage/index.ts';

/** One transaction on a slow disk, or the clean-up after a large publication. */
const CALL_MS = 300_000;
const ATTEMPTS = 20;
const RETRY_MS = 20;

export class RunStore {
  readonly #storage: ActorRef<StorageSpec>;
  readonly #begin: RequestOf<StorageSpec, 'begin'>;

  constructor(storage: ActorRef<StorageSpec>, begin: RequestOf<StorageSpec, 'begin'>) {
    this.#storage = storage;
    this.#begin = begin;
  }

  async begin(): Promise<void> {
    await this.#repeat('begin', this.#begin);
  }

  /** @throws SpillwayError what the storage answered, or the last attempt's failure */
  async call<Name extends Exclude<keyof StorageSpec & string, 'begin' | 'search' | 'status'>>(
    name: Name,
    request: RequestOf<StorageSpec, Name>,
  ): Promise<ReplyOf<StorageSpec, Name>> {
    return this.#repeat(name, request);
  }

  async #repeat<Name extends keyof StorageSpec & string>(
    name: Name,
    request: RequestOf<StorageSpec, Name>,
  ): Promise<ReplyOf<StorageSpec, Name>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#storage.ask(name, request, { deadlineMs: CALL_MS });
      } catch (error) {
        const code = error instanceof SpillwayError ? error.code : '';
        if (attempt >= ATTEMPTS) throw error;
        if (code === 'run_not_begun') await this.begin();
        else if (code === 'ask_refused') await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        else if (code !== 'actor_restarted') throw error;
      }
    }
  }
}
