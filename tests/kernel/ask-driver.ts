/**
 * Asks that go to actors which may do anything, each with a deadline and some with a cancel, drawn by
 * seed; and the record in shared memory of what was begun and how each ask ended, which is then judged.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { SpillwayError, type CancelScope, type Random } from '../../kernel/index.ts';
import { ACTS, CHILDREN, type Act, type Asked } from './asked-protocol.ts';

/** All that may come of an ask here. The last two are the handlers' own: told to, or with a full stash. */
export const OUTCOMES = [
  'answer',
  'ask_deadline',
  'ask_cancelled',
  'ask_refused',
  'actor_stopped',
  'actor_restarted',
  'scope_cancelled',
  'told_to_fail',
  'stash_full',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

const WORDS = 2;
const ENDED = 1;
const MAY = 2;
/** It was cancelled before it was sent. */
const UNSENT = 4;
/** The answer is another's, the outcome is none of the list, or it does not say whether it was handled. */
const STRANGE = 8;
const OUTCOME_SHIFT = 8;

/** For each ask two words: how often its handlers began, and how it ended. Written by many threads. */
export class AskRecord {
  readonly #words: Int32Array;

  static create(asks: number): SharedArrayBuffer {
    return new SharedArrayBuffer(asks * WORDS * Int32Array.BYTES_PER_ELEMENT);
  }

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory);
  }

  began(id: number): void {
    Atomics.add(this.#words, id * WORDS, 1);
  }

  answered(id: number, answer: number): void {
    this.#end(id, OUTCOMES.indexOf('answer'), answer === id ? MAY : STRANGE);
  }

  failed(id: number, error: unknown, wasUnsent: boolean): void {
    const code = error instanceof SpillwayError ? OUTCOMES.indexOf(error.code as Outcome) : -1;
    const may = error instanceof SpillwayError ? error.details['mayHaveBeenHandled'] : undefined;
    if (code < 1 || typeof may !== 'boolean') {
      console.error(id, error);
      this.#end(id, 0, STRANGE);
    } else this.#end(id, code, (may ? MAY : 0) | (wasUnsent ? UNSENT : 0));
  }

  #end(id: number, outcome: number, flags: number): void {
    Atomics.add(this.#words, id * WORDS + 1, ENDED | flags | (outcome << OUTCOME_SHIFT));
  }

  /** How many ended in which way. */
  tally(): Record<Outcome, number> {
    const tally = Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0])) as Record<Outcome, number>;
    for (let word = 1; word < this.#words.length; word += WORDS) {
      const outcome = OUTCOMES[this.#words[word]! >> OUTCOME_SHIFT];
      if ((this.#words[word]! & ENDED) !== 0 && outcome !== undefined) tally[outcome]++;
    }
    return tally;
  }

  /** Everything that contradicts what asks promise, in words, with the numbers of the first such asks. */
  violations(): string[] {
    const found = new Map<string, number[]>();
    const breach = (what: string, id: number): void => void found.set(what, [...(found.get(what) ?? []), id]);
    for (let id = 0; id < this.#words.length / WORDS; id++) {
      const began = this.#words[id * WORDS]!;
      const end = this.#words[id * WORDS + 1]!;
      const outcome = OUTCOMES[end >> OUTCOME_SHIFT];
      const may = (end & MAY) !== 0;
      if ((end & ENDED) === 0) breach('did not end', id);
      else if ((end & STRANGE) !== 0) breach('ended with what no ask may end with', id);
      else if (outcome === 'answer' && began === 0) breach('was answered and never begun', id);
      else if (!may && began > 0) breach(`was begun and ended with ${outcome}, not handled`, id);
      else if (may && ((end & UNSENT) !== 0 || outcome === 'ask_refused')) breach(`was never sent and ended with ${outcome}, may have been handled`, id);
    }
    return [...found].map(([what, ids]) => `${ids.length} asks: ${what} (${ids.slice(0, 10).join(', ')})`);
  }
}

export interface Targets {
  /** Actors that their threads were made for, on other threads. The last ones are parents. */
  readonly own: readonly Asked[];
  /** A spawned actor on the asker's own thread. */
  readonly local?: (index: number) => Asked;
  /** A spawned actor on another thread, whose parent is one of `own`. */
  readonly remoteChild?: (parent: Asked, index: number) => Asked;
  readonly scope?: () => CancelScope;
}

export interface Drive {
  readonly targets: Targets;
  readonly random: Random;
  readonly firstId: number;
  readonly count: number;
  readonly record: AskRecord;
  /** Runs on the asker's own timers. */
  after(delayMs: number, run: () => void): void;
}

/** Asks that have not ended at once. */
const WINDOW = 24;
const DEADLINE_MS_MAX = 120;
/** How long after the last ask one that has not ended is taken for hanging; far more than any deadline. */
const HANG_MS = 20_000;

/** One in so many of what ends a whole thread, which takes a while to come up again. */
const THREAD_ENDS = 30;
/** The same of a stop, which waits for what the actor still does. */
const THREAD_STOPS = 300;
const ENDS_THREAD: readonly Act[] = ['crash', 'crashLate', 'exit', 'stop', 'never', 'wrong'];

/** @returns how many asks did not end */
export async function drive({ targets, random, firstId, count, record, after }: Drive): Promise<number> {
  let open = 0;
  let room: (() => void) | undefined;
  for (let id = firstId; id < firstId + count; id++) {
    while (open >= WINDOW) await new Promise<void>((resolve) => (room = resolve));
    open++;
    void one(id).finally(() => {
      open--;
      room?.();
    });
  }
  const endMs = performance.now() + HANG_MS;
  while (open > 0 && performance.now() < endMs) await Promise.race([new Promise<void>((resolve) => (room = resolve)), new Promise<void>((resolve) => after(100, resolve))]);
  return open;

  async function one(id: number): Promise<void> {
    const [target, isOwn, isLocal] = pick();
    const act = pickAct(isOwn, isLocal);
    const order = { id, act, onward: pickAct(false, true), ms: random.next() * (random.int(8) === 0 ? 60 : 4) };
    const deadlineMs = 1 + random.int(DEADLINE_MS_MAX);
    const cancel = new AbortController();
    const scope = targets.scope !== undefined && random.int(4) === 0 ? targets.scope() : undefined;
    const takeBack = (): void => (scope === undefined ? cancel.abort() : void scope.cancel());
    const how = random.int(10);
    if (how === 0) takeBack();
    else if (how < 4) after(random.next() * 30, takeBack);
    // What never ends by itself is ended, so that its thread does not stay full.
    if (act === 'never') after(20, () => void target.tell('crash', {}));
    const name = random.int(8) === 0 ? 'actUrgently' : 'act';
    const options = { deadlineMs, signal: cancel.signal, ...(scope === undefined ? {} : { scope }) };
    try {
      const { id: answer } = await target.ask(name, order, options);
      record.answered(id, answer);
    } catch (error) {
      record.failed(id, error, how === 0);
    } finally {
      scope?.close();
    }
  }

  function pick(): [target: Asked, isOwn: boolean, isLocal: boolean] {
    const { own, local, remoteChild } = targets;
    const parent = own.at(-1)!;
    const index = random.int(CHILDREN);
    const choice = random.int(4);
    if (random.int(200) === 0) parent.tell('stopChild', { index });
    if (choice === 0 && local !== undefined) return [local(index), false, true];
    if (choice === 1 && remoteChild !== undefined) return [remoteChild(parent, index), true, false];
    return [own[random.int(own.length)]!, true, false];
  }

  function pickAct(isOwn: boolean, isLocal: boolean): Act {
    const act = random.int(3) === 0 ? 'answer' : ACTS[random.int(ACTS.length)]!;
    if (isLocal && act === 'exit') return 'answer';
    if (isOwn && ENDS_THREAD.includes(act) && random.int(act === 'stop' ? THREAD_STOPS : THREAD_ENDS) !== 0) return 'answer';
    return act;
  }
}

/** For an asker that is no actor. */
export function afterOnEventLoop(delayMs: number, run: () => void): void {
  void pause(delayMs).then(run);
}
