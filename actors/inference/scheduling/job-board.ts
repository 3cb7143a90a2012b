/**
 * Which texts wait for whom: requests come in, their texts become jobs or find their result at once, and what happens to
 * a job is told to all who wait for it. It knows nothing of workers.
 *
 * Equal texts are one job while it lasts. A job stands in the lane of each class and key that waits for it, and whichever
 * has its turn first sends it; the other entries are then out of date and dropped when they come to the head.
 */
import type { TextStatus, TruncatePolicy } from '../backend.ts';
import { unembedded, type EmbeddedText, type Priority } from './embed-request.ts';
import { FairQueue, type FairQueueHost } from './fair-queue.ts';
import { JobTable } from './job-table.ts';
import { OPEN_STEP_TEXTS, OPEN_TEXTS_MAX, type Lane } from './lane.ts';
import { Ledger, type Source } from './ledger.ts';
import { TEXT_UNITS_MAX } from './message-limits.ts';
import { TextJob } from './text-job.ts';
import type { Ticket } from './ticket.ts';
import type { TokenScale } from './token-scale.ts';
import type { Unit } from './unit.ts';
import type { VectorCache } from './vector-cache.ts';

export interface JobBoardSpec {
  readonly cache: VectorCache;
  readonly scale: TokenScale;
  /** A longer text is refused or cut, so it costs no more than this. */
  readonly tokensMax: number;
}

const TOO_LARGE = unembedded('too_many_bytes', { limit: TEXT_UNITS_MAX });
const GIVEN_UP = { cancelled: unembedded('cancelled'), deadline: unembedded('deadline') } satisfies Partial<Record<TextStatus, EmbeddedText>>;

export class JobBoard implements FairQueueHost {
  readonly queues: Readonly<Record<Priority, FairQueue>>;
  readonly ledger = new Ledger();
  readonly #cache: VectorCache;
  readonly #scale: TokenScale;
  readonly #tokensMax: number;
  readonly #jobs = new JobTable();
  readonly #tickets = new Set<Ticket>();

  constructor({ cache, scale, tokensMax }: JobBoardSpec) {
    this.#cache = cache;
    this.#scale = scale;
    this.#tokensMax = tokensMax;
    this.queues = { interactive: new FairQueue('interactive', this), normal: new FairQueue('normal', this), bulk: new FairQueue('bulk', this) };
  }

  /** Requests that have not ended. */
  get requests(): number {
    return this.#tickets.size;
  }

  /** Texts that are waiting or on their way, equal ones counted once, as far as their requests were opened. */
  get jobs(): number {
    return this.#jobs.size;
  }

  get waitingTexts(): number {
    const { interactive, normal, bulk } = this.queues;
    return interactive.waitingTexts + normal.waitingTexts + bulk.waitingTexts;
  }

  cost({ units }: TextJob): number {
    return Math.min(this.#tokensMax, Math.max(1, this.#scale.tokensOf(1, units)));
  }

  /** Takes a request in. @param units UTF-16 units of all its texts */
  accept(ticket: Ticket, units: number): void {
    const { lane, texts } = ticket;
    const queue = this.queues[lane.priority];
    this.ledger.submitted += texts.length;
    this.#tickets.add(ticket);
    queue.hold(lane, texts.length, units);
    queue.count(lane, texts.length, units);
    // One that is opened in parts may have the same text in two of them, and the first be done before the second.
    if (lane.unopened.size > 0 || texts.length > OPEN_TEXTS_MAX - lane.jobs.length) ticket.seen = new Map();
    lane.unopened.push(ticket);
    queue.activate(lane);
  }

  /** Whether the cache has all of these texts. */
  hasCached(texts: readonly string[], truncate: TruncatePolicy | undefined): boolean {
    return texts.every((text) => {
      const key = this.#cache.keyOf(text, truncate);
      return key !== undefined && this.#cache.has(key);
    });
  }

  open(lane: Lane, textsMax = OPEN_STEP_TEXTS): void {
    const queue = this.queues[lane.priority];
    for (let opened = 0; opened < textsMax && lane.jobs.length < OPEN_TEXTS_MAX; opened++) {
      const ticket = lane.unopened.first;
      if (ticket === undefined) return;
      const index = ticket.opened++;
      const text = ticket.texts[index]!;
      if (ticket.opened === ticket.texts.length) lane.unopened.remove(ticket);
      queue.count(lane, -1, -text.length);
      this.#openText(ticket, index, text);
    }
  }

  /** The job goes with a unit. */
  sent(job: TextJob, unit: Unit): void {
    job.isWaiting = false;
    job.wantsUrgent = false;
    job.flights++;
    job.unit = unit;
    this.#count(job, undefined);
  }

  /** A unit with the job has come back without its result. @returns whether it is to be sent again: somebody waits for it, and no other unit has it */
  cameBack(job: TextJob): boolean {
    job.flights--;
    if (job.isDone || job.flights > 0) return false;
    if (job.live > 0) return true;
    this.#finish(job);
    return false;
  }

  /** A unit with the job has come back with its result. */
  arrived(job: TextJob, result: EmbeddedText): void {
    job.flights--;
    this.complete(job, result);
  }

  /** The job has its result, for all who wait for it. The first one stays. */
  complete(job: TextJob, result: EmbeddedText): void {
    if (job.isDone) return;
    if (result.status === 'ok' && job.cacheKey !== undefined) this.#cache.set(job.cacheKey, result);
    this.#finish(job);
    let source: Source = 'computed';
    job.forEachLive((ticket, index) => {
      this.#settle(ticket, index, result, source);
      source = 'deduplicated';
    });
  }

  /** Puts back a job for which somebody waits, before all others of its lane. */
  requeue(job: TextJob): void {
    const lane = job.liveLane();
    if (lane === undefined) return;
    job.isWaiting = true;
    this.#put(job, lane, true);
  }

  /** Ends a request: its texts without a result get this one. */
  giveUp(ticket: Ticket, status: keyof typeof GIVEN_UP): void {
    if (ticket.hasEnded) return;
    this.ledger.settled(status, 'ended', ticket.unsettled);
    this.#leave(ticket, () => {
      ticket.settleRest(GIVEN_UP[status]);
      ticket.resolve();
    });
  }

  reject(ticket: Ticket, error: unknown): void {
    if (ticket.hasEnded) return;
    this.ledger.rejected += ticket.unsettled;
    this.#leave(ticket, () => ticket.reject(error));
  }

  /** Ends all requests with a text that is not on its way. */
  rejectWaiting(error: unknown): void {
    for (const ticket of this.#tickets) {
      const waits = (text: string, index: number): boolean => !ticket.isSettled(index) && (this.#jobs.get(ticket.truncate, text)?.flights ?? 0) === 0;
      if (ticket.opened < ticket.texts.length || ticket.texts.some(waits)) this.reject(ticket, error);
    }
  }

  #openText(ticket: Ticket, index: number, text: string): void {
    if (text.length > TEXT_UNITS_MAX) return this.#settle(ticket, index, TOO_LARGE, 'ended');
    const { truncate, lane, seen } = ticket;
    const before = seen?.get(text);
    if (before === undefined) seen?.set(text, index);
    else if (ticket.isSettled(before)) return this.#settle(ticket, index, ticket.resultAt(before)!, 'deduplicated');
    const job = this.#jobs.get(truncate, text);
    if (job !== undefined) return this.#attach(job, ticket, index);
    const cacheKey = ticket.usesCache ? this.#cache.keyOf(text, truncate) : undefined;
    const cached = cacheKey === undefined ? undefined : this.#cache.get(cacheKey);
    if (cached !== undefined) return this.#settle(ticket, index, cached, 'cached');
    const fresh = new TextJob(ticket, index, text, cacheKey);
    this.#jobs.add(fresh);
    this.#put(fresh, lane, false);
  }

  #attach(job: TextJob, ticket: Ticket, index: number): void {
    job.attach(ticket, index);
    if (ticket.usesCache) job.cacheKey ??= this.#cache.keyOf(job.text, job.truncate);
    const { lane } = ticket;
    const isInteractive = lane.priority === 'interactive';
    // An interactive text does not wait for the unit of bulk that it is in. Others are on their way already.
    if (job.wantsUrgent || (!job.isWaiting && (!isInteractive || job.unit!.urgent))) return;
    if (isInteractive || lane !== job.lane) this.#put(job, lane, false);
  }

  #put(job: TextJob, lane: Lane, isFirst: boolean): void {
    const queue = this.queues[lane.priority];
    job.lane = lane;
    if (lane.priority === 'interactive') job.wantsUrgent = true;
    if (isFirst) queue.pushFront(lane, job);
    else queue.push(lane, job);
    this.#count(job, lane);
  }

  /** Moves the job to the lane whose waiting texts it is one of, if any. */
  #count(job: TextJob, lane: Lane | undefined): void {
    const from = job.countedIn;
    if (from === lane) return;
    if (from !== undefined) this.queues[from.priority].count(from, -1, -job.units);
    if (lane !== undefined) this.queues[lane.priority].count(lane, 1, job.units);
    job.countedIn = lane;
  }

  #settle(ticket: Ticket, index: number, result: EmbeddedText, source: Source): void {
    const { lane, texts } = ticket;
    this.ledger.settled(result.status, source);
    this.queues[lane.priority].hold(lane, -1, -texts[index]!.length);
    ticket.settle(index, result);
    if (ticket.unsettled === 0) this.#end(ticket, () => ticket.resolve());
  }

  /** Ends a request with texts that are not settled. */
  #leave(ticket: Ticket, end: () => void): void {
    const { lane, texts, opened, unsettled, truncate } = ticket;
    const queue = this.queues[lane.priority];
    lane.unopened.remove(ticket);
    const unwanted: TextJob[] = [];
    let openedUnits = 0;
    for (let index = 0; index < opened; index++) {
      if (ticket.isSettled(index)) continue;
      const text = texts[index]!;
      openedUnits += text.length;
      const job = this.#jobs.get(truncate, text)!;
      if (--job.live === 0) unwanted.push(job);
    }
    let unopenedUnits = 0;
    for (let index = opened; index < texts.length; index++) unopenedUnits += texts[index]!.length;
    queue.hold(lane, -unsettled, -openedUnits - unopenedUnits);
    queue.count(lane, opened - texts.length, -unopenedUnits);
    this.#end(ticket, end);
    for (const job of unwanted) this.#abandon(job);
  }

  #end(ticket: Ticket, end: () => void): void {
    this.#tickets.delete(ticket);
    end();
    if (ticket.lane.heldTexts === 0) this.#drop(ticket.lane);
  }

  /** Nobody waits for the job any more. */
  #abandon(job: TextJob): void {
    if (job.flights === 0) return this.#finish(job);
    job.wantsUrgent = false;
    this.#count(job, undefined);
    const { jobs, controller } = job.unit!;
    if (jobs.every(({ live }) => live === 0)) controller.abort();
  }

  #finish(job: TextJob): void {
    this.#jobs.remove(job);
    this.#count(job, undefined);
    job.isDone = true;
    job.isWaiting = false;
    job.wantsUrgent = false;
    // Entries that are out of date may stand in lanes for a while.
    job.text = '';
  }

  /** A lane that holds nothing goes; a job that others wait for is put into the lane of one of them. */
  #drop(lane: Lane): void {
    const isInteractive = lane.priority === 'interactive';
    for (const job of this.queues[lane.priority].drop(lane)) {
      if (job.isDone || job.wantsUrgent !== isInteractive) continue;
      job.wantsUrgent = false;
      const next = job.liveLane();
      if (next !== undefined && (job.isWaiting || next.priority === 'interactive')) this.#put(job, next, false);
      else this.#count(job, undefined);
    }
  }
}
