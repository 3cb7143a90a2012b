/**
 * Sends units to workers and brings back what they answer, or sends it again.
 *
 * Units go out at the end of the turn in which something changed, so that texts that come together go together.
 */
import { SpillwayError, type Clock } from '../../../kernel/index.ts';
import type { Desk } from './desk.ts';
import type { Desks } from './desks.ts';
import { unembedded, type EmbedReply, type ScheduledModel } from './embed-request.ts';
import type { JobBoard } from './job-board.ts';
import { deskFate, reasonOf, tryAgain } from './remedy.ts';
import type { TextJob } from './text-job.ts';
import type { Timers } from './timers.ts';
import type { TokenScale } from './token-scale.ts';
import type { UnitBuilder } from './unit-builder.ts';
import type { UnitDraft } from './unit-draft.ts';
import type { Unit } from './unit.ts';

/** Bounded generously: a model that is loaded meanwhile may take a minute. */
const UNIT_DEADLINE_MS = 120_000;

export interface DispatcherSpec {
  readonly board: JobBoard;
  readonly desks: Desks;
  readonly builder: UnitBuilder;
  readonly scale: TokenScale;
  readonly model: ScheduledModel;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Something may have changed, and what could be sent has been. */
  readonly onTurn: () => void;
  /** All workers have stopped for good. @param error what the last one said */
  readonly onGone: (error: unknown) => void;
}

export class Dispatcher {
  readonly #spec: DispatcherSpec;
  #isTurnDue = false;
  #endError: { readonly error: unknown } | undefined;

  constructor(spec: DispatcherSpec) {
    this.#spec = spec;
  }

  /** At the end of this turn of the event loop, sends as much as the workers take. */
  turnSoon(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    queueMicrotask(() => this.#turn());
  }

  /** Sends nothing again: requests whose texts come back without a result end with the error. */
  end(error: unknown): void {
    this.#endError = { error };
  }

  #turn(): void {
    const { board, desks, clock, timers, onTurn } = this.#spec;
    this.#isTurnDue = false;
    const nowMs = clock.monotonicMs();
    this.#send(nowMs, true);
    this.#send(nowMs, false);
    onTurn();
    // Texts that found their result when they were opened made no unit whose answer would bring us back here.
    if (board.requests > 0 && desks.unitsInHand === 0 && board.jobs === 0) timers.after(0, () => this.turnSoon());
  }

  #send(nowMs: number, urgent: boolean): void {
    for (;;) {
      const desk = urgent ? this.#spec.desks.forUrgent(nowMs) : this.#spec.desks.forOrdinary(nowMs);
      const draft = desk === undefined ? undefined : urgent ? this.#spec.builder.urgent(desk) : this.#spec.builder.ordinary(desk);
      if (desk === undefined || draft === undefined) return;
      this.#sendUnit(desk, draft, urgent, nowMs);
    }
  }

  #sendUnit(desk: Desk, { jobs, tokens }: UnitDraft, urgent: boolean, nowMs: number): void {
    const { ledger } = this.#spec.board;
    const unit: Unit = { jobs, desk, urgent, tokens, sentAtMs: nowMs, controller: new AbortController() };
    const texts = jobs.map(({ text }) => text);
    let deadlineAtMs = -Infinity;
    for (const job of jobs) {
      this.#spec.board.sent(job, unit);
      deadlineAtMs = Math.max(deadlineAtMs, job.deadlineAtMs);
    }
    desk.sent(unit);
    ledger.units.sent++;
    ledger.sentTexts += jobs.length;
    const { truncate } = jobs[0]!;
    const deadlineMs = Math.max(1, Math.min(UNIT_DEADLINE_MS, deadlineAtMs - nowMs));
    const options = { urgent, deadlineMs, signal: unit.controller.signal, ...(truncate === undefined ? {} : { truncate }) };
    // A worker that throws at once is treated like one that rejects.
    new Promise<EmbedReply>((resolve) => resolve(desk.worker.embed(texts, options))).then(
      (reply) => this.#answered(unit, reply),
      (error: unknown) => this.#failed(unit, error),
    );
  }

  #answered(unit: Unit, reply: EmbedReply): void {
    const fault = faultOf(reply, unit.jobs.length, this.#spec.model);
    if (fault !== undefined) return this.#failed(unit, new SpillwayError('embed_answer_invalid', fault));
    const { jobs, desk } = unit;
    const { ledger } = this.#spec.board;
    const { vectors, dimensions, outcomes } = reply;
    let texts = 0;
    let units = 0;
    let tokens = 0;
    outcomes.forEach((outcome, index) => {
      if (outcome.tokens === 0) return;
      texts++;
      units += jobs[index]!.units;
      tokens += outcome.tokens;
    });
    this.#spec.scale.correct(texts, units, tokens);
    desk.returned(unit);
    desk.answered(tokens, this.#spec.clock.monotonicMs());
    ledger.units.answered++;
    ledger.tokens += tokens;
    const returned: TextJob[] = [];
    jobs.forEach((job, index) => {
      const outcome = outcomes[index]!;
      const { status, tokens: count, truncated } = outcome;
      if (status === 'cancelled' || status === 'deadline') {
        // Wanted nevertheless by those who came later than the unit was sent.
        if (this.#spec.board.cameBack(job)) returned.push(job);
      } else if (status === 'ok') {
        const start = index * dimensions;
        const end = start + dimensions;
        // What the cache keeps must not keep the block of its neighbours.
        const vector = job.cacheKey === undefined ? vectors.subarray(start, end) : vectors.slice(start, end);
        this.#spec.board.arrived(job, { vector, tokens: count, truncated, status, cached: false });
      } else this.#spec.board.arrived(job, unembedded(status, outcome));
    });
    const cause = new SpillwayError('ask_cancelled', 'The worker gave the text back each time.');
    this.#comeBack(returned, cause, jobs.length);
    this.turnSoon();
  }

  #failed(unit: Unit, error: unknown): void {
    const { jobs, desk } = unit;
    const nowMs = this.#spec.clock.monotonicMs();
    this.#spec.board.ledger.units.failed++;
    desk.returned(unit);
    const fate = deskFate(error);
    if (fate === 'pauses') this.#spec.timers.after(desk.refused(nowMs), () => this.turnSoon());
    else if (fate === 'failed') desk.failed(nowMs);
    else if (fate === 'gone') desk.isGone = true;
    this.#comeBack(jobs.filter((job) => this.#spec.board.cameBack(job)), error, jobs.length);
    // Without workers, what waits would wait forever.
    if (this.#spec.desks.isGone) this.#spec.onGone(error);
    this.turnSoon();
  }

  /** Texts that are still wanted have come back without a result. */
  #comeBack(jobs: readonly TextJob[], error: unknown, unitTexts: number): void {
    // Each is put before the others, so the last comes first.
    for (const job of jobs.toReversed()) {
      if (tryAgain(job, error, unitTexts)) this.#spec.board.requeue(job);
      else this.#spec.board.complete(job, unembedded('failed', { reason: reasonOf(error) }));
    }
    if (this.#endError !== undefined) this.#spec.board.rejectWaiting(this.#endError.error);
  }
}

/** What makes an answer unusable: above all, vectors of another model. */
function faultOf({ vectors, dimensions, sha256, outcomes }: EmbedReply, texts: number, model: ScheduledModel): string | undefined {
  if (sha256 !== model.sha256) return `The worker answered for model ${sha256}, and was asked for ${model.sha256}.`;
  if (dimensions === model.dimensions && outcomes.length === texts && vectors.length === texts * dimensions) return undefined;
  return `The worker answered with ${outcomes.length} outcomes and ${vectors.length} values for ${texts} texts of ${model.dimensions}.`;
}
