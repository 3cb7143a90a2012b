/**
 * The runtime of one thread: its links, its actors, its asks and its loop. The application's thread,
 * the guardian and every actor's thread run the same code.
 *
 * The loop handles up to TURN_LIMIT records, runs the timers that are due, then waits. Only its own
 * thread enters anything here.
 */
import { EventLoopWait, PhasedWait, type WaitStrategy } from 'atomics-ring-buffer';
import { ActorRef, type AskOptions, type Courier } from './actor-ref.ts';
import type { ActorCell } from './actor-cell.ts';
import { GUARDIAN_THREAD, KERNEL_SLOT, addressOf, slotOf, threadOf, type Address } from './address.ts';
import { Asks, type ConsumedPositions } from './asks.ts';
import type { Clock } from './clock.ts';
import { Dispatcher } from './dispatcher.ts';
import { NO_CORRELATION, NO_DEADLINE, type Envelope } from './envelope.ts';
import { kernelProtocol } from './kernel-protocol.ts';
import { attachReceiver, type PeerLink } from './link.ts';
import { createLog, plainFields, type Log, type LogLevel, type LogRecord } from './log.ts';
import { Outbox } from './outbox.ts';
import type { Message, Protocol, ProtocolSpec } from './protocol.ts';
import { Receiver } from './receiver.ts';
import { ThreadBlock } from './thread-block.ts';
import { TimerQueue, type Timer } from './timer-queue.ts';
import { Transmitter } from './transmitter.ts';

/** Records handled before the loop looks at timers and, if it has one, at the event loop. */
const TURN_LIMIT = 256;
/** The longest sleep: a bound on every wait, and how often an idle thread shows that it lives. */
const IDLE_MS = 1_000;
/** The longest that a stream of records keeps a thread from its event loop. */
const LOOP_TURN_MS = 1;
/** How often a thread that parks gives its event loop a chance (ports, exits, profilers). */
const PARKED_LOOP_TURN_MS = 50;

export interface ThreadRuntimeOptions {
  /** Address of the actor that the thread is for; it goes with everything the thread sends. */
  readonly self: Address;
  readonly incarnation: number;
  readonly system: SharedArrayBuffer;
  readonly clock: Clock;
  readonly waiting: 'park' | 'event_loop';
  /** See PhasedWait; 0 where busy threads outnumber cores. */
  readonly maxSpins: number;
  readonly logLevel: LogLevel;
  /** Called when a handler fails with anything but a SpillwayError. */
  onDefect(error: unknown, actor: string): void;
}

export class ThreadRuntime implements Courier {
  readonly self: Address;
  readonly thread: number;
  readonly incarnation: number;
  readonly clock: Clock;
  readonly block: ThreadBlock;
  readonly #options: ThreadRuntimeOptions;
  readonly #transmitter: Transmitter;
  readonly #asks: Asks;
  readonly #receiver: Receiver;
  readonly #dispatcher: Dispatcher;
  readonly #timers = new TimerQueue();
  readonly #blockingWait: WaitStrategy;
  readonly #loopWait: EventLoopWait;
  #waiting: 'park' | 'event_loop';
  #wakeAtMs = Infinity;
  #ended = false;

  constructor(options: ThreadRuntimeOptions) {
    const { clock } = options;
    this.#options = options;
    this.self = options.self;
    this.thread = threadOf(options.self);
    this.incarnation = options.incarnation;
    this.clock = clock;
    this.#waiting = options.waiting;
    this.block = new ThreadBlock(options.system, this.thread);
    this.#transmitter = new Transmitter(options.system, this.block);
    this.#asks = new Asks({
      transmitter: this.#transmitter,
      nowMs: () => clock.monotonicMs(),
      after: (delayMs, run) => this.after(delayMs, run),
      envelope: (to, correlation, deadlineMs) => this.#envelope(to, correlation, deadlineMs),
    });
    this.#receiver = new Receiver({
      incarnation: options.incarnation,
      block: this.block,
      clock,
      asks: this.#asks,
      transmitter: this.#transmitter,
      onIdle: (cell) => this.#onIdle(cell),
      onDefect: (error, actor) => options.onDefect(error, actor),
    });
    this.#dispatcher = new Dispatcher(
      (...record) => this.#receiver.deliver(...record),
      () => this.#receiver.handle(),
    );
    this.#blockingWait = new PhasedWait(this.block.doorbell, { maxSpins: options.maxSpins });
    this.#loopWait = new EventLoopWait(this.block.doorbell);
  }

  // ---- peers and actors ------------------------------------------------------------------------

  addLink(link: PeerLink): void {
    const known = this.#transmitter.peerAt(threadOf(link.peer));
    if (known === link.peer) return;
    // The thread's place was given to another actor, and the link is here before the news of it.
    if (known !== undefined) this.#dispatcher.retire(known);
    this.#transmitter.add(link.peer, link.outbound);
    this.#dispatcher.add(link.peer, attachReceiver(link.inbound));
  }

  /** A peer has ended; if for good, its links are let go. */
  peerDown(peer: Address, final: boolean, consumed: ConsumedPositions): void {
    // What it answered before it ended may still lie in its lanes, which control overtakes.
    this.#dispatcher.settleAnswers(peer);
    this.#asks.peerDown(peer, final, consumed);
    if (!final) return;
    this.#transmitter.remove(peer);
    this.#dispatcher.retire(peer);
  }

  /** Says that `addActor` will come for the thread's actor; until then its messages wait. */
  expectActor(): void {
    this.#receiver.expect(slotOf(this.self));
  }

  /** The thread's actor handles no more messages; those that wait stay in their lanes. */
  retireActor(): void {
    this.#receiver.retire(slotOf(this.self));
  }

  /** Counts the messages that end unanswered because the thread ends now. */
  abandonMessages(): void {
    this.#receiver.abandon();
  }

  /** Whether an actor has a message in its hands. */
  get handling(): boolean {
    return this.#receiver.handling;
  }

  addActor(cell: ActorCell): void {
    this.#receiver.add(cell);
  }

  /** Whether nothing waits in any lane and no actor has a message in its hands. */
  get idle(): boolean {
    return !this.#receiver.busy && !this.#dispatcher.hasWork();
  }

  // ---- sending -----------------------------------------------------------------------------------

  /** @see ActorRef.tell */
  tell(to: Address, protocol: Protocol, name: string, request: unknown): number {
    const message = protocol.message(name);
    const envelope = this.#envelope(to, NO_CORRELATION, NO_DEADLINE);
    return explaining(message, request, () =>
      this.#transmitter.send(message.lane, message.kind, envelope, message.request, request),
    );
  }

  /** @see ActorRef.ask */
  async ask(to: Address, protocol: Protocol, name: string, request: unknown, options: AskOptions): Promise<unknown> {
    const message = protocol.message(name);
    return explaining(message, request, () => this.#asks.ask(to, `${protocol.name}.${name}`, message, request, options));
  }

  ref<Spec extends ProtocolSpec>(name: string, address: Address, protocol: Protocol<Spec>): ActorRef<Spec> {
    return new ActorRef(this, name, address, protocol);
  }

  /** A log whose lines go to the guardian; the guardian itself gives its own writer. */
  log(actor: string, write?: (record: LogRecord) => void): Log {
    const guardian = addressOf(GUARDIAN_THREAD, KERNEL_SLOT);
    const post = (record: LogRecord): number => this.tell(guardian, kernelProtocol, 'log', record);
    const send = (record: LogRecord): void => {
      let result: number;
      try {
        result = post(record);
      } catch {
        // Fields may hold anything, an Error most of all; whoever logs must not fail for it.
        result = post({ ...record, fields: plainFields(record.fields) });
      }
      if (result < 0) this.block.counters.add('telemetryLost');
    };
    return createLog(actor, this.#options.logLevel, this.clock, write ?? send);
  }

  #envelope(to: Address, correlation: number, deadlineMs: number): Envelope {
    return { to, from: this.self, correlation, incarnation: this.incarnation, deadlineMs };
  }

  // ---- the loop ----------------------------------------------------------------------------------

  /** Runs `run` on this thread's loop once `delayMs` have passed. */
  after(delayMs: number, run: () => void): Timer {
    const dueMs = this.clock.monotonicMs() + delayMs;
    const timer = this.#timers.schedule(dueMs, run);
    // The loop may be asleep with a later time in mind.
    if (dueMs < this.#wakeAtMs) this.wake();
    return timer;
  }

  /** Makes the loop look again; any code of this thread may call it. */
  wake(): void {
    this.block.doorbell.ring();
  }

  /** Changes how the thread waits, from the next wait on. */
  set waiting(waiting: 'park' | 'event_loop') {
    this.#waiting = waiting;
  }

  /**
   * Handles what waits now, up to one turn's worth. For callbacks of the event loop that must not
   * overtake messages which were sent before; never from within a handler.
   */
  handleWaiting(): number {
    let handled = 0;
    while (handled < TURN_LIMIT && !this.#ended && this.#dispatcher.next()) handled++;
    return handled;
  }

  /** Runs until `end` is called. */
  async run(): Promise<void> {
    let loopTurnAtMs = 0;
    while (!this.#ended) {
      const handled = this.handleWaiting();
      this.block.countTurn();
      const nowMs = this.clock.monotonicMs();
      const ran = this.#timers.advance(nowMs);
      this.#receiver.outbox.flush();
      // A thread that is about to park first lets run what handlers do once their promises are settled; on
      // an event loop that happens by itself.
      const hasContinuations = this.#waiting === 'park' && handled + ran > 0 && this.#receiver.handling;
      if (nowMs >= loopTurnAtMs || hasContinuations) {
        await nextLoopTurn();
        loopTurnAtMs = nowMs + (this.#waiting === 'park' ? PARKED_LOOP_TURN_MS : LOOP_TURN_MS);
      } else await Promise.resolve();
      if (this.#ended || handled === TURN_LIMIT) continue;
      const sleepMs = this.#sleepMs(nowMs);
      if (this.#waiting === 'event_loop') await this.#loopWait.wait(this.#dispatcher.hasWork, sleepMs);
      else this.#blockingWait.wait(this.#dispatcher.hasWork, Math.min(sleepMs, PARKED_LOOP_TURN_MS));
    }
    this.#loopWait.dispose();
  }

  /** Ends the loop; what is still asked is answered with `actor_stopped`. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#asks.close();
    this.wake();
  }

  #onIdle(blocker: object): void {
    this.#dispatcher.unblock(blocker);
    this.wake();
  }

  #sleepMs(nowMs: number): number {
    const untilTimer = this.#timers.nextDueMs - nowMs;
    const untilRetry = this.#receiver.outbox.isEmpty ? Infinity : Outbox.RETRY_MS;
    const sleepMs = Math.max(0, Math.min(IDLE_MS, untilTimer, untilRetry));
    this.#wakeAtMs = nowMs + sleepMs;
    return sleepMs;
  }
}

/** The codec only notices that a value does not fit; the validator says where and why. */
function explaining<T>(message: Message, request: unknown, send: () => T): T {
  try {
    return send();
  } catch (error) {
    message.validate(request);
    throw error;
  }
}

function nextLoopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
