/**
 * One request on its way: which of its texts have their result, and what is to be undone when it ends.
 */
import type { TruncatePolicy } from '../backend.ts';
import type { EmbeddedText } from './embed-request.ts';
import type { Lane } from './lane.ts';
import type { LinkedList, Linked } from './linked-list.ts';

export interface TicketSpec {
  readonly texts: readonly string[];
  readonly lane: Lane;
  readonly truncate: TruncatePolicy | undefined;
  /** On the scheduler's clock; `Infinity` for never. */
  readonly deadlineAtMs: number;
  readonly usesCache: boolean;
  readonly resolve: (results: EmbeddedText[]) => void;
  readonly reject: (error: unknown) => void;
}

export class Ticket implements Linked<Ticket> {
  texts: readonly string[];
  readonly lane: Lane;
  readonly truncate: TruncatePolicy | undefined;
  readonly deadlineAtMs: number;
  readonly usesCache: boolean;
  /** Texts that were looked at, from the first on. */
  opened = 0;
  /** Texts without a result. */
  unsettled: number;
  /** Where each text of a request that is opened in parts came first. */
  seen: Map<string, number> | undefined;
  hasEnded = false;
  previous: Ticket | undefined = undefined;
  next: Ticket | undefined = undefined;
  list: LinkedList<never> | undefined = undefined;
  readonly #results: EmbeddedText[];
  readonly #resolve: (results: EmbeddedText[]) => void;
  readonly #reject: (error: unknown) => void;
  readonly #undo: (() => void)[] = [];

  constructor({ texts, lane, truncate, deadlineAtMs, usesCache, resolve, reject }: TicketSpec) {
    this.texts = texts;
    this.lane = lane;
    this.truncate = truncate;
    this.deadlineAtMs = deadlineAtMs;
    this.usesCache = usesCache;
    this.unsettled = texts.length;
    this.#results = Array.from({ length: texts.length });
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** What is to be done when it ends: a timer, a listener, a lease. */
  onEnd(undo: () => void): void {
    this.#undo.push(undo);
  }

  isSettled(index: number): boolean {
    return this.hasEnded || this.#results[index] !== undefined;
  }

  resultAt(index: number): EmbeddedText | undefined {
    return this.#results[index];
  }

  /** Gives a text that is not settled its result. */
  settle(index: number, result: EmbeddedText): void {
    this.#results[index] = result;
    this.unsettled--;
  }

  /** Gives all texts that are not settled this one. */
  settleRest(result: EmbeddedText): void {
    for (let index = 0; index < this.opened; index++) this.#results[index] ??= result;
    this.#results.fill(result, this.opened);
    this.unsettled = 0;
  }

  /** Hands out the results; every text has one. */
  resolve(): void {
    this.#end();
    this.#resolve(this.#results);
  }

  reject(error: unknown): void {
    this.#end();
    this.#reject(error);
  }

  #end(): void {
    this.hasEnded = true;
    this.texts = [];
    this.seen = undefined;
    for (const undo of this.#undo) undo();
  }
}
