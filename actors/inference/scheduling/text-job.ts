/**
 * One text that is to be computed once, for however many wait for it.
 *
 * It is in the table of jobs from the first that asks for it until its result is there or nobody wants it any more.
 * Meanwhile it waits, or is on its way in a unit; or both, when an interactive request finds it on its way in a unit
 * of bulk and does not wait for that. Whichever comes back first is the result for all.
 */
import type { TruncatePolicy } from '../backend.ts';
import type { Lane } from './lane.ts';
import type { Ticket } from './ticket.ts';
import type { Unit } from './unit.ts';

interface Waiter {
  readonly ticket: Ticket;
  readonly index: number;
}

export class TextJob {
  /** Given up together with the job. */
  text: string;
  readonly truncate: TruncatePolicy | undefined;
  /** The text's UTF-16 units. */
  readonly units: number;
  /** Where its vector is kept; undefined if it is not to be. */
  cacheKey: string | undefined;
  /** Waiters whose request has not ended. */
  live = 1;
  /** Whether it is in a lane, or taken out of one and not yet sent. */
  isWaiting = true;
  /** Whether it is in an interactive lane, which then is the one that sends it. */
  wantsUrgent = false;
  isDone = false;
  /** Units on their way that it is in. */
  flights = 0;
  /** The unit it went with last. */
  unit: Unit | undefined;
  /** The lane whose waiting texts it is counted with. */
  countedIn: Lane | undefined;
  /** The lane it was last put into. */
  lane: Lane;
  /** Texts that a unit with it may have; fewer after a unit was too large, one after it failed its worker. */
  companionsMax = Infinity;
  /** Units with it that failed their workers. */
  failures = 0;
  /** Units with it that workers refused or gave back. */
  returns = 0;
  /** When the last of its waiters gives up, on the scheduler's clock. */
  deadlineAtMs: number;
  readonly #ticket: Ticket;
  readonly #index: number;
  /** Most jobs have one waiter, so only the others cost a list. */
  #others: Waiter[] | undefined;

  constructor(ticket: Ticket, index: number, text: string, cacheKey: string | undefined) {
    this.#ticket = ticket;
    this.#index = index;
    this.text = text;
    this.units = text.length;
    this.truncate = ticket.truncate;
    this.cacheKey = cacheKey;
    this.lane = ticket.lane;
    this.deadlineAtMs = ticket.deadlineAtMs;
  }

  /** One more waits for it. */
  attach(ticket: Ticket, index: number): void {
    (this.#others ??= []).push({ ticket, index });
    this.live++;
    this.deadlineAtMs = Math.max(this.deadlineAtMs, ticket.deadlineAtMs);
  }

  /** Calls back for each waiter whose request has not ended. */
  forEachLive(visit: (ticket: Ticket, index: number) => void): void {
    if (!this.#ticket.isSettled(this.#index)) visit(this.#ticket, this.#index);
    if (this.#others === undefined) return;
    for (const { ticket, index } of this.#others) if (!ticket.isSettled(index)) visit(ticket, index);
  }

  /** The lane of its most urgent waiter; undefined if nobody waits. */
  liveLane(): Lane | undefined {
    let most: Lane | undefined;
    this.forEachLive(({ lane }) => {
      if (most === undefined || lane.rank < most.rank) most = lane;
    });
    return most;
  }
}
