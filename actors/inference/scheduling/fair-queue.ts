/**
 * The queue of one class: a lane for each key, served by deficit round robin over estimated tokens.
 *
 * Each lane with something waiting gets `QUANTUM_TOKENS` in each round and sends as long as they last; what is left
 * over stays for its next round. So a key whose waiting texts have `C` tokens, none more than `M`, waits for at most
 * (⌈C / Q⌉ + 1) · (K − 1) · (Q + M) tokens of the K − 1 other keys, however much they have waiting.
 *
 * After M. Shreedhar and G. Varghese, "Efficient Fair Queuing using Deficit Round Robin" (SIGCOMM 1995).
 */
import { PRIORITIES, type Priority } from './embed-request.ts';
import { Lane } from './lane.ts';
import { LinkedList } from './linked-list.ts';
import type { TextJob } from './text-job.ts';

/** A few texts of usual length. A smaller quantum would be fairer over shorter times and cost more rounds. */
export const QUANTUM_TOKENS = 512;

export interface FairQueueHost {
  /** Estimated tokens of a text, at least 1. */
  cost(job: TextJob): number;
  /** Opens some more texts of the lane's requests. */
  open(lane: Lane): void;
}

/** Anything that a unit is filled from: the job whose turn it is, and its taking. */
export interface JobSource {
  peek(): TextJob | undefined;
  /** Takes what `peek` has just shown. */
  take(): TextJob;
}

export class FairQueue implements JobSource {
  readonly priority: Priority;
  heldTexts = 0;
  heldUnits = 0;
  waitingTexts = 0;
  waitingUnits = 0;
  readonly #rank: number;
  readonly #host: FairQueueHost;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes that may have something to send; the first has its turn. */
  readonly #ring = new LinkedList<Lane>();

  constructor(priority: Priority, host: FairQueueHost) {
    this.priority = priority;
    this.#rank = PRIORITIES.indexOf(priority);
    this.#host = host;
  }

  /** Keys with unfinished requests. */
  get lanes(): number {
    return this.#lanes.size;
  }

  /** Keys that take turns. */
  get activeLanes(): number {
    return this.#ring.size;
  }

  find(key: string): Lane | undefined {
    return this.#lanes.get(key);
  }

  /** Makes one if need be; it goes when it holds nothing any more. */
  lane(key: string): Lane {
    let lane = this.#lanes.get(key);
    if (lane === undefined) this.#lanes.set(key, (lane = new Lane(key, this.priority, this.#rank)));
    return lane;
  }

  /** Its requests have so many texts more, or below zero fewer, without a result. */
  hold(lane: Lane, texts: number, units: number): void {
    lane.heldTexts += texts;
    lane.heldUnits += units;
    this.heldTexts += texts;
    this.heldUnits += units;
  }

  /** So many texts more, or below zero fewer, have not been sent. */
  count(lane: Lane, texts: number, units: number): void {
    lane.waitingTexts += texts;
    lane.waitingUnits += units;
    this.waitingTexts += texts;
    this.waitingUnits += units;
  }

  /** The lane has something to send. */
  activate(lane: Lane): void {
    if (this.#ring.has(lane)) return;
    lane.deficit = QUANTUM_TOKENS;
    this.#ring.push(lane);
  }

  push(lane: Lane, job: TextJob): void {
    lane.jobs.push(job);
    this.activate(lane);
  }

  /** Puts back what came back unsent. */
  pushFront(lane: Lane, job: TextJob): void {
    lane.jobs.unshift(job);
    this.activate(lane);
  }

  /** Forgets a lane that holds nothing. @returns what its jobs were, of which others may wait for some */
  drop(lane: Lane): TextJob[] {
    this.#lanes.delete(lane.key);
    this.#ring.remove(lane);
    const jobs = lane.jobs.toArray();
    lane.jobs.clear();
    return jobs;
  }

  peek(): TextJob | undefined {
    // Lanes that have texts to open and nothing opened: they stay, and are looked at once in each call.
    let unready = 0;
    for (let lane = this.#ring.first; lane !== undefined && unready < this.#ring.size; lane = this.#ring.first) {
      if (lane.wantsToOpen) this.#host.open(lane);
      const job = this.#head(lane);
      if (job === undefined) {
        if (lane.unopened.first === undefined) this.#ring.remove(lane);
        else {
          this.#ring.rotate(lane);
          unready++;
        }
        continue;
      }
      unready = 0;
      if (this.#host.cost(job) <= lane.deficit) return job;
      lane.deficit += QUANTUM_TOKENS;
      this.#ring.rotate(lane);
    }
    return undefined;
  }

  take(): TextJob {
    const lane = this.#ring.first!;
    const job = lane.jobs.shift()!;
    lane.deficit -= this.#host.cost(job);
    return job;
  }

  /** The first job of the lane that is not out of date; those before it are dropped. */
  #head({ jobs }: Lane): TextJob | undefined {
    for (let job = jobs.peekFront(); job !== undefined; job = jobs.peekFront()) {
      if (this.#rank === 0 ? job.wantsUrgent : job.isWaiting && !job.wantsUrgent) return job;
      jobs.shift();
    }
    return undefined;
  }
}
