/**
 * One call, or one stream of texts, over the providers that may serve it: the first one, and in order those that are
 * declared to give equal vectors, when the first one fails.
 *
 * A session takes its lease of a provider once and keeps it to its end, so its vectors are of one model even while
 * that is swapped. A request that fails at one provider is given to the next one within its own deadline: whoever is
 * not the last gets half of the time that is left. Providers that fail are left alone for a while (CircuitBreaker);
 * that a request in a hurry comes too late is not their failure.
 */
import { SpillwayError, systemClock, type Clock } from '../../../kernel/index.ts';
import { systemTimers, type Timers } from '../scheduling/timers.ts';
import { CircuitBreaker, type BreakerSpec } from './circuit-breaker.ts';
import type { Lease, LoadedModel } from './loaded-model.ts';
import type { ModelSlot } from './model-slot.ts';

/** Errors that are the request's own or say nothing of the provider: another one would not do better. */
const NOT_THE_PROVIDERS: ReadonlySet<string> = new Set(['ask_cancelled', 'embed_overloaded', 'embed_request_too_large', 'embed_quota_exceeded', 'dimensions_invalid', 'system_closed', 'model_budget_exceeded']);

/** With less time than this a request that runs out of it was in a hurry. A provider that hangs is still found out by the others. */
const HURRIED_MS = 1_000;
/** Who is asked at all gets this much, however late it is, so that its answer says what became of the request. */
const LEAST_MS = 1;

/** What an answer says of the provider it comes from. `late` is one that came to nothing for want of time. */
export type Verdict = 'served' | 'late' | 'failed';

export interface RunOptions<Result> {
  /** Ends the wait for a model; `work` has to heed it by itself. */
  readonly signal?: AbortSignal | undefined;
  /** The last provider's answer is returned whatever it says. Default: each is served. */
  verdictOf?(result: Result): Verdict;
}

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
  readonly #timers: Timers;
  readonly #leases = new Map<Provider, Promise<Lease>>();
  /** Of those leases the ones that are there. */
  readonly #held = new Map<Provider, Lease>();
  #isClosed = false;

  constructor(providers: readonly Provider[], clock: Clock = systemClock, timers: Timers = systemTimers) {
    this.#providers = providers;
    this.#clock = clock;
    this.#timers = timers;
  }

  /**
   * @param work does the request with a model, within so many milliseconds
   * @throws SpillwayError what the last provider that was tried threw; `providers_resting` if none may be tried at present;
   *   `ask_deadline`, `ask_cancelled` if no model was loaded until then
   */
  async run<Result>(deadlineMs: number, work: (model: LoadedModel, deadlineMs: number) => Promise<Result>, { signal, verdictOf = () => 'served' }: RunOptions<Result> = {}): Promise<Result> {
    const endMs = this.#clock.monotonicMs() + deadlineMs;
    const leftMs = (): number => Math.max(LEAST_MS, endMs - this.#clock.monotonicMs());
    let failure: unknown;
    for (const [index, provider] of this.#providers.entries()) {
      if (failure !== undefined && this.#clock.monotonicMs() >= endMs) break;
      // Alone it is asked whatever its breaker says: its own error tells more than that it rests.
      if (this.#providers.length > 1 && !provider.breaker.admits()) continue;
      const isLast = index === this.#providers.length - 1;
      const share = isLast ? 1 : 1 / 2;
      const isHurried = leftMs() * share < HURRIED_MS;
      try {
        const model = this.#heldModel(provider) ?? (await this.#modelWithin(provider, leftMs() * share, signal));
        const result = await work(model, leftMs() * share);
        const verdict = verdictOf(result);
        if (verdict === 'late' && isHurried) provider.breaker.inconclusive();
        else if (verdict === 'served' || isLast) provider.breaker.succeeded();
        else provider.breaker.failed();
        if (verdict === 'served' || isLast || this.#clock.monotonicMs() >= endMs) return result;
        failure = new SpillwayError('provider_failed', `The provider ${model.info.name} did not embed what it was given.`);
      } catch (error) {
        if (!(error instanceof SpillwayError) || NOT_THE_PROVIDERS.has(error.code)) {
          provider.breaker.inconclusive();
          throw error;
        }
        if (error.code === 'ask_deadline' && isHurried) provider.breaker.inconclusive();
        else provider.breaker.failed();
        failure = error;
      }
    }
    if (failure !== undefined) throw failure;
    const retryAfterMs = Math.ceil(Math.min(...this.#providers.map(({ breaker }) => breaker.restLeftMs)));
    throw new SpillwayError('providers_resting', `All ${this.#providers.length} providers have failed lately and are left alone; try again in ${retryAfterMs} ms.`, { details: { retryAfterMs } });
  }

  /** The leases are given back; call it once, whatever became of the requests. */
  close(): void {
    this.#isClosed = true;
    for (const lease of this.#leases.values()) lease.then(({ release }) => release()).catch(() => {});
    this.#leases.clear();
    this.#held.clear();
  }

  #heldModel(provider: Provider): LoadedModel | undefined {
    const model = this.#held.get(provider)?.model;
    return model === undefined || model.isGone ? undefined : model;
  }

  /** The model goes on loading for whoever waits longer. */
  #modelWithin(provider: Provider, deadlineMs: number, signal: AbortSignal | undefined): Promise<LoadedModel> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => end(() => reject(cancelled()));
      const onDeadline = (): void => end(() => reject(new SpillwayError('ask_deadline', `The model was not loaded within ${Math.round(deadlineMs)} ms.`)));
      // A model that is there is asked even then: its answer says of each text that it was cancelled.
      const cancelDeadline = signal?.aborted === true ? this.#timers.after(0, onAbort) : this.#timers.after(deadlineMs, onDeadline);
      const end = (settle: () => void): void => {
        cancelDeadline();
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#model(provider).then(
        (model) => end(() => resolve(model)),
        (error: unknown) => end(() => reject(error)),
      );
    });
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
      if (!held.model.isGone) {
        this.#held.set(provider, held);
        return held.model;
      }
      held.release();
      // Whoever gave up waiting has closed the session since.
      if (this.#isClosed) throw cancelled();
      // It has ended for good; the slot has it loaded again, and what has begun goes on only with the same model.
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

function cancelled(): SpillwayError {
  return new SpillwayError('ask_cancelled', 'The call was cancelled while its model was being loaded.');
}
