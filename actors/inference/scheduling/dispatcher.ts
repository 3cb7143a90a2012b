/**
 * Sends units to workers and brings back what they answer, or sends it again.
 *
 * Units go out at the end of the turn in which something changed, so that texts that come together go together.
 *
 * A single urgent text that would have to wait for a running one goes to two workers, and the first answer ends the
 * other's (the tied requests of Dean and Barroso, "The Tail at Scale", CACM 56(2), 2013): it waits for the shorter of two
 * texts, and not for a worker that the operating system has just left without a core. At most one text goes so
 * at a time, so that many urgent ones do not cost twice their work.
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
  #isLookDue = false;
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
    if (this.#isLookDue || board.requests === 0 || board.jobs > 0 || desks.unitsInHand > 0) return;
    this.#isLookDue = true;
    timers.after(0, () => {
      this.#isLookDue = false;
      this.turnSoon();
    });
  }

  #send(nowMs: number, urgent: boolean): void {
    const { desks, builder } = this.#spec;
    for (;;) {
      const desk = urgent ? desks.forUrgent(nowMs) : desks.forOrdinary(nowMs);
      if (desk === undefined) return;
      const draft = urgent ? builder.urgent(desk) : builder.ordinary(desk);
      if (draft === undefined) return;
      const second = urgent ? this.#secondFor(draft, desk, nowMs) : undefined;
      const leftMs = draft.jobs.reduce((longest, { deadlineAtMs }) => Math.max(longest, deadlineAtMs - nowMs), 1);
      const common = {
        jobs: draft.jobs, tokens: draft.tokens, urgent, sentAtMs: nowMs,
        deadlineMs: Math.min(UNIT_DEADLINE_MS, leftMs), isHurried: leftMs < UNIT_DEADLINE_MS,
        isTied: second !== undefined, controller: new AbortController(),
      };
      this.#sendUnit({ ...common, desk });
      if (second !== undefined) this.#sendUnit({ ...common, desk: second });
    }
  }

  /** @returns who may have the urgent text as well, if it is one alone and would have to wait */
  #secondFor({ jobs: [job, other] }: UnitDraft, first: Desk, nowMs: number): Desk | undefined {
    const { board, desks, model } = this.#spec;
    // The one at hand is still counted among those that wait.
    if (model.overlaps || other !== undefined || board.queues.interactive.waitingTexts > 1 || desks.urgentTokens > 0 || first.ordinary.length === 0) return undefined;
    // A text that has failed a worker shall not fail two at once.
    if (job!.failures > 0 || job!.returns > 0) return undefined;
    const second = desks.forUrgent(nowMs, first);
    return second?.isRecovering === true ? undefined : second;
  }

  #sendUnit(unit: Unit): void {
    const { board } = this.#spec;
    const { jobs, desk, urgent, deadlineMs } = unit;
    const texts = jobs.map(({ text }) => text);
    for (const job of jobs) board.sent(job, unit);
    desk.sent(unit);
    board.ledger.units.sent++;
    board.ledger.sentTexts += jobs.length;
    const { truncate } = jobs[0]!;
    const options = { urgent, deadlineMs, signal: unit.controller.signal, ...(truncate === undefined ? {} : { truncate }) };
    // A worker that throws at once is treated like one that rejects.
    new Promise<EmbedReply>((resolve) => resolve(desk.worker.embed(texts, options))).then(
      (reply) => this.#answered(unit, reply),
      (error: unknown) => this.#failed(unit, error),
    );
  }

  #answered(unit: Unit, reply: EmbedReply): void {
    const { board, model } = this.#spec;
    const { jobs, desk } = unit;
    const fault = faultOf(reply, jobs.length, model);
    if (fault !== undefined) return this.#failed(unit, new SpillwayError('embed_answer_invalid', fault));
    const { vectors, dimensions, outcomes } = reply;
    const returned: TextJob[] = [];
    // Of those that were tokenized.
    let texts = 0;
    let units = 0;
    let tokens = 0;
    jobs.forEach((job, index) => {
      const outcome = outcomes[index]!;
      if (outcome.tokens > 0) {
        texts++;
        units += job.units;
        tokens += outcome.tokens;
      }
      if (outcome.status === 'cancelled' || outcome.status === 'deadline') {
        // Wanted nevertheless by those who came later than the unit was sent.
        if (board.cameBack(job)) returned.push(job);
      } else if (outcome.status === 'ok') {
        const vector = vectors.subarray(index * dimensions, (index + 1) * dimensions);
        board.arrived(job, { vector, tokens: outcome.tokens, truncated: outcome.truncated, status: 'ok', cached: false });
      } else board.arrived(job, unembedded(outcome.status, outcome));
    });
    this.#spec.scale.correct(texts, units, tokens);
    desk.returned(unit);
    desk.answered(tokens, this.#spec.clock.monotonicMs());
    board.ledger.units.answered++;
    board.ledger.tokens += tokens;
    if (unit.isTied && jobs.every(({ isDone }) => isDone)) unit.controller.abort();
    if (returned.length > 0) this.#comeBack(returned, new SpillwayError('ask_cancelled', 'The worker gave the text back each time.'), unit);
    this.turnSoon();
  }

  #failed(unit: Unit, error: unknown): void {
    const { board, desks, clock, timers, onGone } = this.#spec;
    const { jobs, desk } = unit;
    const nowMs = clock.monotonicMs();
    board.ledger.units[unit.controller.signal.aborted ? 'withdrawn' : 'failed']++;
    desk.returned(unit);
    const fate = deskFate(error);
    if (fate === 'pauses') timers.after(desk.refused(nowMs), () => this.turnSoon());
    else if (fate === 'failed') desk.failed(nowMs);
    else if (fate === 'gone') desk.isGone = true;
    this.#comeBack(jobs.filter((job) => board.cameBack(job)), error, unit);
    // Without workers, what waits would wait forever.
    if (desks.isGone) onGone(error);
    this.turnSoon();
  }

  /** Texts that are still wanted have come back without a result. */
  #comeBack(jobs: readonly TextJob[], error: unknown, unit: Unit): void {
    const { board } = this.#spec;
    // Each is put before the others, so the last comes first.
    for (const job of jobs.toReversed()) {
      if (tryAgain(job, error, unit)) board.requeue(job);
      else board.complete(job, unembedded('failed', { reason: reasonOf(error) }));
    }
    if (this.#endError !== undefined) board.rejectWaiting(this.#endError.error);
  }
}

/** What makes an answer unusable: above all, vectors of another model. */
function faultOf({ vectors, dimensions, sha256, outcomes }: EmbedReply, texts: number, model: ScheduledModel): string | undefined {
  if (sha256 !== model.sha256) return `The worker answered for model ${sha256}, and was asked for ${model.sha256}.`;
  if (dimensions === model.dimensions && outcomes.length === texts && vectors.length === texts * dimensions) return undefined;
  return `The worker answered with ${outcomes.length} outcomes and ${vectors.length} values for ${texts} texts of ${model.dimensions}.`;
}
