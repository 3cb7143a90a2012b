/**
 * What every thread shows to all others without being asked: one block of words and two of counters
 * in the system's shared memory, readable even while the thread hangs or is dead.
 */
import { Doorbell, SharedCounters, SharedWords } from 'atomics-ring-buffer';

/** The states of a thread, as numbers in its state word. */
export const THREAD_STATES = ['vacant', 'starting', 'running', 'stopping', 'stopped', 'crashed', 'restarting'] as const;
export type ThreadState = (typeof THREAD_STATES)[number];

const BELL_WORDS = ['bell'] as const;
const STATE_WORDS = ['state', 'incarnation', 'restarts', 'turns'] as const;

/** Why a message was not handled. A closed list: every lost message is counted under one of these. */
export const DEAD_LETTER_REASONS = [
  'unknown_actor',
  'undecodable',
  'expired',
  'cancelled',
  'stale_reply',
  'reply_refused',
  'abandoned',
] as const;
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

const MESSAGE_COUNTERS = ['handled', 'failed', 'refused', 'telemetryLost'] as const;
export const THREAD_COUNTERS = [...MESSAGE_COUNTERS, ...DEAD_LETTER_REASONS] as const;
export type ThreadCounter = (typeof THREAD_COUNTERS)[number];

/** How many counters of its own an actor may declare. */
export const MAX_ACTOR_COUNTERS = 32;
const ACTOR_COUNTER_PLACES = Array.from({ length: MAX_ACTOR_COUNTERS }, (_, index) => String(index));

const STATE_OFFSET = SharedWords.bytes(BELL_WORDS);
const COUNTERS_OFFSET = STATE_OFFSET + SharedWords.bytes(STATE_WORDS);
const ACTOR_COUNTERS_OFFSET = COUNTERS_OFFSET + SharedCounters.bytes(THREAD_COUNTERS);
const BLOCK_BYTES = ACTOR_COUNTERS_OFFSET + SharedCounters.bytes(ACTOR_COUNTER_PLACES);

/** Allocates the blocks of a system of at most `maxThreads` threads. */
export function createSystemMemory(maxThreads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(BLOCK_BYTES * maxThreads);
}

export function threadCapacity(memory: SharedArrayBuffer): number {
  return memory.byteLength / BLOCK_BYTES;
}

export class ThreadBlock {
  readonly doorbell: Doorbell;
  readonly counters: SharedCounters<ThreadCounter>;
  readonly #words: SharedWords<(typeof STATE_WORDS)[number]>;
  readonly #memory: SharedArrayBuffer;
  readonly #offset: number;

  constructor(memory: SharedArrayBuffer, thread: number) {
    this.#memory = memory;
    this.#offset = thread * BLOCK_BYTES;
    this.doorbell = new Doorbell(...new SharedWords(memory, this.#offset, BELL_WORDS).place('bell'));
    this.#words = new SharedWords(memory, this.#offset + STATE_OFFSET, STATE_WORDS);
    this.counters = new SharedCounters(memory, this.#offset + COUNTERS_OFFSET, THREAD_COUNTERS);
  }

  get state(): ThreadState {
    return THREAD_STATES[this.#words.load('state')] ?? 'vacant';
  }

  set state(state: ThreadState) {
    this.#words.store('state', THREAD_STATES.indexOf(state));
  }

  /** Which life of the thread this is, from 1. */
  get incarnation(): number {
    return this.#words.load('incarnation');
  }

  set incarnation(value: number) {
    this.#words.store('incarnation', value);
  }

  get restarts(): number {
    return this.#words.load('restarts');
  }

  countRestart(): void {
    this.#words.add('restarts', 1);
  }

  /** Turns of the thread's loop (mod 2^32): a thread that hangs in a handler stops counting. */
  get turns(): number {
    return this.#words.load('turns');
  }

  countTurn(): void {
    this.#words.add('turns', 1);
  }

  /** The counters that the thread's actor declares, in the order of `names`. */
  actorCounters<Name extends string>(names: readonly Name[]): SharedCounters<Name> {
    return new SharedCounters(this.#memory, this.#offset + ACTOR_COUNTERS_OFFSET, names);
  }

  /** Forgets what a former actor in this place has shown. */
  reset(): void {
    this.state = 'vacant';
    this.incarnation = 0;
    this.#words.store('restarts', 0);
    this.#words.store('turns', 0);
    for (const name of THREAD_COUNTERS) this.counters.add(name, -this.counters.read(name));
    const actorCounters = this.actorCounters(ACTOR_COUNTER_PLACES);
    for (const name of ACTOR_COUNTER_PLACES) actorCounters.add(name, -actorCounters.read(name));
  }

  /** Sum of the messages that were not handled, whatever the reason. */
  get deadLetters(): number {
    return DEAD_LETTER_REASONS.reduce((sum, reason) => sum + this.counters.read(reason), 0);
  }
}
