/**
 * What every thread shows to all others without being asked: one block of words and two of counters
 * in the system's shared memory, readable even while the thread hangs or is dead.
 */
import { FlightRecorder } from './flight-recorder.ts';
import { Hand } from './hand.ts';
import { LANES, type Lane } from './lanes.ts';
import { LatencyHistogram } from './telemetry/latency-histogram.ts';
import { Doorbell, SharedCounters, SharedTallies, SharedWords } from 'atomics-ring-buffer';

/** The states of a thread, as numbers in its state word. */
export const THREAD_STATES = ['vacant', 'starting', 'running', 'stopping', 'stopped', 'crashed', 'restarting'] as const;
export type ThreadState = (typeof THREAD_STATES)[number];

const BELL_WORDS = ['bell'] as const;
const STATE_WORDS = ['state', 'incarnation', 'restarts', 'turns', 'handling', 'places', 'actors', 'deadLetterListeners', 'native'] as const;
/** What the watchdog has seen of the thread; written by the guardian. */
const WATCH_WORDS = ['isHeld', 'heldTurns', 'heldHandling', 'heldSinceMs', 'hangs'] as const;

/** The handling word: the actor's slot below, above it which entry into a handler it was, modulo 2^10. */
const SLOT_MASK = 2 ** 22 - 1;
const ENTRY = SLOT_MASK + 1;

/** Why a message was not handled. A closed list: every lost message is counted under one of these. */
export const DEAD_LETTER_REASONS = [
  'unknown_actor',
  'undecodable',
  'expired',
  'cancelled',
  'stale_reply',
  'reply_refused',
  'abandoned',
  'actor_stopped',
  'fenced',
  'lane_full',
  'poisoned',
  'restarted',
] as const;
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

/** Messages that a mailbox shed by its policy; `expired` is among the dead letters already. */
const SHED_COUNTERS = ['dropped_newest', 'dropped_oldest', 'conflated', 'flushed'] as const;

const MESSAGE_COUNTERS = ['sent', 'handled', 'failed', 'refused', 'telemetryLost', 'deadLettersUntold', 'redelivered'] as const;
export const THREAD_COUNTERS = [...MESSAGE_COUNTERS, ...DEAD_LETTER_REASONS, ...SHED_COUNTERS] as const;
export type ThreadCounter = (typeof THREAD_COUNTERS)[number];

/** How many counters of its own an actor may declare. */
export const MAX_ACTOR_COUNTERS = 32;
const ACTOR_COUNTER_PLACES = Array.from({ length: MAX_ACTOR_COUNTERS }, (_, index) => String(index));

const STATE_OFFSET = SharedWords.bytes(BELL_WORDS);
const WATCH_OFFSET = STATE_OFFSET + SharedWords.bytes(STATE_WORDS);
const COUNTERS_OFFSET = WATCH_OFFSET + SharedWords.bytes(WATCH_WORDS);
const ACTOR_COUNTERS_OFFSET = COUNTERS_OFFSET + SharedTallies.bytes(THREAD_COUNTERS);
const LATENCIES_OFFSET = ACTOR_COUNTERS_OFFSET + SharedCounters.bytes(ACTOR_COUNTER_PLACES);
/** Whole cache lines, and doubles at places that are theirs. */
const LATENCY_BYTES = Math.ceil(LatencyHistogram.bytes / 128) * 128;
const HAND_OFFSET = LATENCIES_OFFSET + LANES.length * LATENCY_BYTES;
const HAND_BYTES = Math.ceil(Hand.bytes / 128) * 128;
const FLIGHT_OFFSET = HAND_OFFSET + HAND_BYTES;
const BLOCK_BYTES = FLIGHT_OFFSET + FlightRecorder.bytes;

/** Allocates the blocks of a system of at most `maxThreads` threads. */
export function createSystemMemory(maxThreads: number): SharedArrayBuffer {
  return new SharedArrayBuffer(BLOCK_BYTES * maxThreads);
}

export function threadCapacity(memory: SharedArrayBuffer): number {
  return memory.byteLength / BLOCK_BYTES;
}

export class ThreadBlock {
  readonly doorbell: Doorbell;
  /** Written by the thread itself only. */
  readonly counters: SharedTallies<ThreadCounter>;
  readonly #words: SharedWords<(typeof STATE_WORDS)[number]>;
  readonly #watch: SharedWords<(typeof WATCH_WORDS)[number]>;
  readonly #plain: Int32Array;
  readonly #handlingIndex: number;
  #entry = 0;
  readonly #turnsIndex: number;
  readonly #memory: SharedArrayBuffer;
  readonly #offset: number;

  constructor(memory: SharedArrayBuffer, thread: number) {
    this.#memory = memory;
    this.#offset = thread * BLOCK_BYTES;
    this.doorbell = new Doorbell(...new SharedWords(memory, this.#offset, BELL_WORDS).place('bell'));
    this.#words = new SharedWords(memory, this.#offset + STATE_OFFSET, STATE_WORDS);
    this.#watch = new SharedWords(memory, this.#offset + WATCH_OFFSET, WATCH_WORDS);
    [this.#plain, this.#handlingIndex] = this.#words.place('handling');
    this.#turnsIndex = this.#words.place('turns')[1];
    this.counters = new SharedTallies(memory, this.#offset + COUNTERS_OFFSET, THREAD_COUNTERS);
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
    // Plain, like `handling`: the thread alone writes it, and once in every turn.
    this.#plain[this.#turnsIndex] = (this.#plain[this.#turnsIndex]! + 1) | 0;
  }

  /** Slot of the actor whose handler runs, or 0: a watchdog names it when `turns` stands still. */
  get handling(): number {
    return this.#words.load('handling') & SLOT_MASK;
  }

  /** A plain store, as it is made twice for each message; a reader sees it a moment late. */
  set handling(slot: number) {
    this.#plain[this.#handlingIndex] = slot === 0 ? 0 : slot | (this.#entry = (this.#entry + ENTRY) | 0);
  }

  /**
   * `handling` with the number of the entry. A turn handles fewer messages than there are numbers, so two
   * looks that find the same word in the same turn have seen the same call of the same handler.
   */
  get handlingWord(): number {
    return this.#words.load('handling');
  }

  /** Since when, by the watchdog's looks, the thread has made no progress; undefined if it has since then. */
  get heldSinceMs(): number | undefined {
    const { turns, handlingWord } = this;
    const watch = this.#watch;
    const isSame = watch.load('isHeld') === 1 && watch.load('heldTurns') === turns && watch.load('heldHandling') === handlingWord;
    return isSame ? watch.load('heldSinceMs') >>> 0 : undefined;
  }

  /** The watchdog has seen the thread in this turn and handler since then. @param sinceMs monotonic, kept modulo 2^32 */
  showHeld(turns: number, handlingWord: number, sinceMs: number): void {
    this.#watch.store('isHeld', 0);
    this.#watch.store('heldTurns', turns);
    this.#watch.store('heldHandling', handlingWord);
    this.#watch.store('heldSinceMs', Math.trunc(sinceMs) | 0);
    this.#watch.store('isHeld', 1);
  }

  /** The thread makes progress again. */
  clearHeld(): void {
    this.#watch.store('isHeld', 0);
  }

  /** How often the thread was held for longer than the system permits. */
  get hangs(): number {
    return this.#watch.load('hangs');
  }

  countHang(): void {
    this.#watch.add('hangs', 1);
  }

  /** Threads that want to be told of dead letters; kept in the guardian's block. */
  get deadLetterListeners(): number {
    return this.#words.load('deadLetterListeners');
  }

  set deadLetterListeners(count: number) {
    this.#words.store('deadLetterListeners', count);
  }

  /** Whether the process could be aborted if the thread ended now: it makes native calls, or a thread below it does. */
  get isNative(): boolean {
    return this.#words.load('native') === 1;
  }

  set isNative(isNative: boolean) {
    this.#words.store('native', isNative ? 1 : 0);
  }

  /** How many places of the thread's board have been in use. */
  get places(): number {
    return this.#words.load('places');
  }

  set places(count: number) {
    this.#words.store('places', count);
  }

  /** Actors that live on the thread, its caretaker not counted. Written by the thread itself. */
  get actors(): number {
    return this.#words.load('actors');
  }

  set actors(count: number) {
    this.#words.store('actors', count);
  }

  /** The counters that the thread's actor declares, in the order of `names`. */
  actorCounters<Name extends string>(names: readonly Name[]): SharedCounters<Name> {
    return new SharedCounters(this.#memory, this.#offset + ACTOR_COUNTERS_OFFSET, names);
  }

  /** Takes over what the thread shows of its progress while it lives in another process. */
  mirror(turns: number, handlingWord: number): void {
    this.#words.store('turns', turns);
    this.#words.store('handling', handlingWord);
  }

  /** The memory of all its counters, for an image of them; whoever is the thread writes it. */
  get counterBytes(): Uint8Array {
    return new Uint8Array(this.#memory, this.#offset + COUNTERS_OFFSET, LATENCIES_OFFSET - COUNTERS_OFFSET);
  }

  /** The memory of its latencies, likewise. */
  get latencyBytes(): Uint8Array {
    return new Uint8Array(this.#memory, this.#offset + LATENCIES_OFFSET, LANES.length * LATENCY_BYTES);
  }

  /** The memory of what it has in hand and of its last messages, likewise. */
  get handBytes(): Uint8Array {
    return new Uint8Array(this.#memory, this.#offset + HAND_OFFSET, BLOCK_BYTES - HAND_OFFSET);
  }

  /** How long messages took from their senders to their handlers, for each lane of this thread. */
  get latencies(): Record<Lane, LatencyHistogram> {
    const at = (index: number): LatencyHistogram => new LatencyHistogram(this.#memory, this.#offset + LATENCIES_OFFSET + index * LATENCY_BYTES);
    return Object.fromEntries(LANES.map((lane, index) => [lane, at(index)])) as Record<Lane, LatencyHistogram>;
  }

  /** The data record that the thread's own actor has in hand, where it is delivered at least once. */
  get hand(): Hand {
    return new Hand(this.#memory, this.#offset + HAND_OFFSET);
  }

  /** The last messages that the thread has taken from its lanes. */
  get flight(): FlightRecorder {
    return new FlightRecorder(this.#memory, this.#offset + FLIGHT_OFFSET);
  }

  /** Forgets what a former actor in this place has shown. The places of what it had spawned stay, so that their addresses rest. */
  reset(): void {
    this.state = 'vacant';
    for (const name of ['incarnation', 'restarts', 'turns', 'handling', 'actors'] as const) this.#words.store(name, 0);
    for (const name of WATCH_WORDS) this.#watch.store(name, 0);
    for (const histogram of Object.values(this.latencies)) histogram.reset();
    this.hand.letGo();
    this.flight.reset();
    for (const name of THREAD_COUNTERS) this.counters.add(name, -this.counters.read(name));
    const actorCounters = this.actorCounters(ACTOR_COUNTER_PLACES);
    for (const name of ACTOR_COUNTER_PLACES) actorCounters.add(name, -actorCounters.read(name));
  }

  /** Sum of the messages that were not handled, whatever the reason. */
  get deadLetters(): number {
    return DEAD_LETTER_REASONS.reduce((sum, reason) => sum + this.counters.read(reason), 0);
  }
}
