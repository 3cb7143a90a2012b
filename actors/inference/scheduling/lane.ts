/**
 * What one key has waiting in one class: jobs in the order of their arrival, and behind them requests whose texts
 * have not been looked at yet.
 *
 * A request of a million texts is opened a piece at a time, as its turn comes, so that taking it in costs the
 * caller's thread next to nothing, and a lane never has more than `OPEN_TEXTS_MAX` jobs of its own.
 */
import Denque from 'denque';
import type { Priority } from './embed-request.ts';
import { LinkedList, type Linked } from './linked-list.ts';
import type { TextJob } from './text-job.ts';
import type { Ticket } from './ticket.ts';

/** Far more than a unit or a window for like lengths takes, so that equal texts are found while they wait. */
export const OPEN_TEXTS_MAX = 1_024;
/** Texts that are opened in one go once work has begun: a fraction of a millisecond. */
export const OPEN_STEP_TEXTS = 256;

export class Lane implements Linked<Lane> {
  readonly key: string;
  readonly priority: Priority;
  /** Index of the class in `PRIORITIES`. */
  readonly rank: number;
  readonly jobs = new Denque<TextJob>();
  readonly unopened = new LinkedList<Ticket>();
  /** Of unfinished requests: texts without a result, and their UTF-16 units. */
  heldTexts = 0;
  heldUnits = 0;
  /** Texts that have not been sent, and their UTF-16 units. */
  waitingTexts = 0;
  waitingUnits = 0;
  /** Tokens that it may still send in this round. */
  deficit = 0;
  previous: Lane | undefined = undefined;
  next: Lane | undefined = undefined;
  list: LinkedList<never> | undefined = undefined;

  constructor(key: string, priority: Priority, rank: number) {
    this.key = key;
    this.priority = priority;
    this.rank = rank;
  }

  get wantsToOpen(): boolean {
    return this.unopened.first !== undefined && this.jobs.length <= OPEN_TEXTS_MAX - OPEN_STEP_TEXTS;
  }
}
