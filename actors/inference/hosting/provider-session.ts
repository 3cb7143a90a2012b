/**
 * One call, or one stream of texts, over the providers that may serve it: the first one, and in order those that are
 * declared to give equal vectors, when the first one fails.
 *
 * A session takes its lease of a provider once and keeps it to its end, so its vectors are of one model even while
 * that is swapped. A request that fails at one provider is given to the next one within its own deadline: whoever is
 * not the last gets half of the time that is left. Providers that fail are left alone for a while (CircuitBreaker).
 */
import { SpillwayError, systemClock, type Clock } from '../../../kernel/index.ts';
import { CircuitBreaker, type BreakerSpec } from './circuit-breaker.ts';
import type { Lease, LoadedModel } from './loaded-model.ts';
import type { ModelSlot } from './model-slot.ts';

/** Errors that are the request's own or say nothing of the provider: another one would not do better. */
const NOT_THE_PROVIDERS: ReadonlySet<string> = new Set(['ask_cancelled', 'embed_overloaded', 'embed_request_too_large', 'embed_quota_exceeded', 'dimensions_invalid', 'system_closed', 'model_budget_exceeded']);

export interface Provider {
  readonly slot: Pick<ModelSlot<unknown>, 'lease'>;
  readonly breaker: CircuitBreaker;
}

/** @param slots the first one is used as long as it works */
export function providersOf(slots: readonly Provider['slot'][], breaker: BreakerSpec = {}, clock: Clock = systemClock): Provider[] {
  return slots.map((slot) => ({ slot, breaker: new CircuitBreaker(clock, breaker) }));
}

export class ProviderSession {
  readonly #providers: readonly Provider[];
  readonly #clock: Clock;
  readonly #leases = new Map<Provider, Promise<Lease>>();

  constructor(providers: readonly Provider[], clock: Clock = systemClock) {
    this.#providers = providers;
    this.#clock = clock;
  }

  /**
   * @param work does the request with a model, within so many milliseconds
   * @param isFailed whether an answer shows that the provider failed, though it answered; the last one's answer is taken as it is
   * @throws SpillwayError what the last provider that was tried threw; `providers_resting` if none may be tried at present
   */
  async run<Result>(deadlineMs: number, work: (model: LoadedModel, deadlineMs: number) => Promise<Result>, isFailed: (result: Result) => boolean = () => false): Promise<Result> {
    const endMs = this.#clock.monotonicMs() + deadlineMs;
    let failure: unknown;
    for (const [index, provider] of this.#providers.entries()) {
      const isLast = index === this.#providers.length - 1;
      // Alone it is asked whatever its breaker says: its own error tells more than that it rests.
      if (this.#providers.length > 1 && !provider.breaker.admits()) continue;
      const leftMs = endMs - this.#clock.monotonicMs();
      if (leftMs <= 0) {
        provider.breaker.inconclusive();
        break;
      }
      try {
        const model = await this.#model(provider);
        const result = await work(model, isLast ? leftMs : leftMs / 2);
        if (isLast || !isFailed(result)) {
          provider.breaker.succeeded();
          return result;
        }
        provider.breaker.failed();
        failure = new SpillwayError('provider_failed', `The provider ${model.info.name} did not embed what it was given.`);
      } catch (error) {
        if (!(error instanceof SpillwayError) || NOT_THE_PROVIDERS.has(error.code)) {
          provider.breaker.inconclusive();
          throw error;
        }
        provider.breaker.failed();
        failure = error;
      }
    }
    if (failure !== undefined) throw failure;
    const retryAfterMs = Math.ceil(Math.min(...this.#providers.map(({ breaker }) => breaker.restLeftMs)));
    throw new SpillwayError('providers_resting', `All ${this.#providers.length} providers have failed lately and are left alone; try again in ${retryAfterMs} ms.`, { details: { retryAfterMs } });
  }

  /** The leases are given back; call it once, whatever became of the requests. */
  close(): void {
    for (const lease of this.#leases.values()) lease.then(({ release }) => release()).catch(() => {});
    this.#leases.clear();
  }

  async #model(provider: Provider): Promise<LoadedModel> {
    for (;;) {
      let lease = this.#leases.get(provider);
      if (lease === undefined) this.#leases.set(provider, (lease = provider.slot.lease()));
      let held: Lease;
      try {
        held = await lease;
      } catch (error) {
        this.#leases.delete(provider);
        throw error;
      }
      if (!held.model.isGone) return held.model;
      // It has ended for good; the slot has it loaded again, and what has begun goes on only with the same model.
      held.release();
      if (this.#leases.get(provider) === lease) {
        const { sha256 } = held.model.info;
        this.#leases.set(provider, leaseAgain(provider.slot, sha256));
      }
    }
  }
}

async function leaseAgain(slot: Provider['slot'], sha256: string): Promise<Lease> {
  const lease = await slot.lease();
  if (lease.model.info.sha256 === sha256) return lease;
  lease.release();
  throw new SpillwayError('model_unloaded', 'The model that this call began with is gone and another one has its name; send it again.');
}
