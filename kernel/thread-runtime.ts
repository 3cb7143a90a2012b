/**
 * The runtime of one thread: its links, its actors, its messages and its time. The application's thread,
 * the guardian and every actor's thread run the same code; thread-loop.ts makes it go round.
 *
 * Nothing here waits, and only its own thread enters anything here.
 */
import { ADMIN_ACTION, BACK_PRESSURED, CLOSED } from 'atomics-ring-buffer';
import { abandonFormer, abandonOpen } from './abandoned.ts';
import { ActorCell } from './actor-cell.ts';
import { ActorRef, type Courier } from './actor-ref.ts';
import { ActorTable, type ActorEnd, type TableHost } from './actor-table.ts';
import type { ActorDefinition, StopReason } from './actor.ts';
import { ACTOR_PLACE, GUARDIAN_THREAD, KERNEL_SLOT, addressOf, slotOf, threadOf, type Address } from './address.ts';
import type { Asks, ConsumedPositions } from './asks.ts';
import { Board } from './board.ts';
import { Bonds, type BondHost } from './bonds.ts';
import type { Clock } from './clock.ts';
import { Connecting } from './connecting.ts';
import { DeadLetters, type LostReason } from './dead-letters.ts';
import { requireInLane } from './delivery.ts';
import { Dispatcher } from './dispatcher.ts';
import type { CancelScope } from './flow/cancel-scope.ts';
import { Handling, type HandlingHost } from './handling.ts';
import { kernelProtocol, type KernelSpec } from './kernel-protocol.ts';
import type { Lane } from './lanes.ts';
import type { Letter } from './letter.ts';
import { attachReceiver, type PeerLink } from './link.ts';
import { createLog, postLog, type Log, type LogRecord } from './log.ts';
import { Post, Sender, type PostHost } from './post.ts';
import type { Protocol, ProtocolSpec } from './protocol.ts';
import { Receiver, type ReceiverHost } from './receiver.ts';
import { Redelivery } from './redelivery.ts';
import { RunQueue } from './run-queue.ts';
import { Scopes, type ScopesHost } from './scopes.ts';
import { Streams, type StreamHost } from './streams.ts';
import type { LatencyHistogram } from './telemetry/latency-histogram.ts';
import { runInTraceContext } from './telemetry/tracing.ts';
import { ThreadBlock } from './thread-block.ts';
import type { ThreadRuntimeOptions } from './thread-runtime-options.ts';
import { TimerWheel, type Timer } from './time/timer-wheel.ts';
import { Transmitter } from './transmitter.ts';

export type { ThreadRuntimeOptions };

/** Records handled before the loop looks at timers and, if it has one, at the event loop. */
export const TURN_LIMIT = 256;
/** How soon a thread looks again that has something to send again, an answer or a message: nobody rings when a lane gets room. */
const RETRY_MS = 1;

/** It is what its parts need of their thread, so they are given the runtime itself. */
export class ThreadRuntime implements BondHost, HandlingHost, PostHost, ReceiverHost, ScopesHost, StreamHost, TableHost {
  readonly self: Address;
  readonly thread: number;
  readonly incarnation: number;
  readonly clock: Clock;
  readonly block: ThreadBlock;
  readonly board: Board;
  readonly queue = new RunQueue();
  readonly transmitter: Transmitter;
  readonly scopes: Scopes;
  readonly streams: Streams;
  readonly handling: Handling;
  readonly table: ActorTable;
  readonly bonds: Bonds;
  readonly receiver: Receiver;
  readonly post: Post;
  isEnded = false;
  readonly onTaken: (() => void) | undefined;
  readonly #options: ThreadRuntimeOptions;
  readonly #courier: Courier;
  readonly #deadLetters: DeadLetters;
  readonly #dispatcher: Dispatcher;
  readonly #redelivery?: Redelivery;
  readonly #timers: TimerWheel;
  readonly #latencies: Readonly<Record<Lane, LatencyHistogram>>;
  readonly #connecting: Connecting;
  /** The thread's own actor once it takes no messages any more. */
  #retired: ActorCell | undefined;
  /** When the loop will wake by itself. */
  #wakeAtMs = Infinity;
  /** What waits in its lanes is the former life's, and is given up with it. */
  #givesUpWaiting: boolean;
  #isInTurn = false;
  #isRung = false;

  constructor(options: ThreadRuntimeOptions) {
    const { clock, delivery } = options;
    this.#options = options;
    this.self = options.self;
    this.thread = threadOf(options.self);
    this.incarnation = options.incarnation;
    this.clock = clock;
    this.onTaken = options.onTaken;
    this.block = new ThreadBlock(options.system, this.thread);
    this.board = new Board(options.board);
    this.#latencies = this.block.latencies;
    this.#timers = new TimerWheel(clock.monotonicMs());
    this.#connecting = new Connecting((to) => options.connect(to));
    this.transmitter = new Transmitter(options.system, this.block, (to) => this.#connecting.begin(to));
    this.scopes = new Scopes(this);
    this.streams = new Streams(this);
    this.handling = new Handling(this);
    this.table = new ActorTable(this);
    this.bonds = new Bonds(this);
    this.receiver = new Receiver(this);
    this.post = new Post(this);
    this.#courier = new Sender(this.post, this.self);
    this.#deadLetters = new DeadLetters(options.system, this.block, clock, (letter) => this.#tellGuardian('deadLetter', letter));
    this.#givesUpWaiting = options.incarnation > 1 && delivery?.onRestart === 'dead_letter';
    const onSettled = (): void => this.#dispatcher.unblock(this.#redelivery!);
    if (delivery?.guarantee === 'at_least_once') this.#redelivery = new Redelivery({ board: this.board, block: this.block, onSettled }, ACTOR_PLACE, delivery.maxRedeliveries);
    this.#dispatcher = new Dispatcher(
      (...record) => this.receiver.deliver(...record),
      () => {
        options.onTaken?.();
        this.receiver.handle();
      },
      this.receiver.local,
      this.#redelivery,
    );
  }

  get asks(): Asks {
    return this.post.asks;
  }

  // ---- links -------------------------------------------------------------------------------------

  addLink(link: PeerLink): void {
    const thread = threadOf(link.peer);
    const known = this.transmitter.peerAt(thread);
    if (known !== link.peer) {
      // The thread's place was given to another actor, and the link is here before the news of it.
      if (known !== undefined) this.#dispatcher.retire(known);
      this.transmitter.add(link);
      this.#dispatcher.add(link.peer, attachReceiver(link.inbound), this.#givesUpWaiting);
    }
    this.#connecting.ended(thread);
  }

  /** There is no way to this address. */
  unreachable(to: Address): void {
    this.transmitter.markGone(to);
    this.#connecting.ended(threadOf(to));
  }

  /** Resolves once there is a link to the thread of this address; false if there is nobody. */
  async connected(to: Address): Promise<boolean> {
    if (threadOf(to) === this.thread) return true;
    if (!this.transmitter.reaches(to)) await this.#connecting.wait(to);
    return this.transmitter.peerAt(threadOf(to)) !== undefined;
  }

  /** A peer has ended; if for good, its links are let go. */
  peerDown(peer: Address, final: boolean, hasStopped: boolean, consumed: ConsumedPositions): void {
    // What it answered before it ended may still lie in its lanes, which control overtakes.
    this.#dispatcher.settleAnswers(peer);
    this.asks.peerDown(peer, final, consumed);
    this.streams.peerDown(threadOf(peer));
    if (final) {
      this.transmitter.remove(peer);
      this.#dispatcher.retire(peer);
    }
    this.bonds.peerDown(peer, final, hasStopped);
  }

  // ---- actors ------------------------------------------------------------------------------------

  /** Says that `addActor` will come for the thread's actor; until then its messages wait. */
  expectActor(): void {
    this.receiver.expect(slotOf(this.self));
    // Links that come later have no past.
    this.#givesUpWaiting = false;
  }

  /** Gives the thread's own actor the delivery that its thread declares. @throws SpillwayError `delivery_invalid` */
  deliverTo(cell: ActorCell, definition: ActorDefinition): void {
    if (this.#redelivery !== undefined) requireInLane(cell.name, definition);
    cell.redelivery = this.#redelivery;
  }

  /** Adds the thread's caretaker or its own actor. */
  addActor(cell: ActorCell): void {
    abandonFormer(this, cell, (peer) => this.#dispatcher.dataHeadOf(peer));
    this.table.add(cell);
    if (!cell.isKernel) this.#dispatcher.giveUpWaiting((...record) => this.receiver.giveUp(cell, ...record));
    this.receiver.arrived(cell.slot);
  }

  /**
   * The thread's actor handles nothing any more. What comes for it is kept as for one that is yet to
   * start; what it has in its hands it may finish, but if it failed no stream.
   */
  retireActor(reason: StopReason): void {
    const cell = this.table.at(slotOf(this.self));
    if (cell === undefined) return;
    if (reason === 'crashed') this.streams.leaveToPeers(cell);
    this.#retired = cell;
    this.table.remove(cell);
    this.receiver.expect(cell.slot);
  }

  /** Ends the actors that the thread's own has spawned. */
  async stopChildren(): Promise<void> {
    const own = this.#retired ?? this.table.at(slotOf(this.self));
    await Promise.all([...(own?.children ?? [])].toReversed().map((child) => this.table.stop(child, 'shutdown')));
    await this.table.settled();
  }

  /** Counts the messages that end unanswered because the thread ends now. */
  abandonMessages(): void {
    abandonOpen(this, this.#cells(), this.receiver.stashed);
  }

  /** Whether an actor has a message in its hands. */
  get isHandling(): boolean {
    for (const cell of this.#cells()) if ((cell.inFlight?.size ?? 0) > 0) return true;
    return false;
  }

  /** Whether nothing waits in any lane or queue, and no actor has a message in its hands. */
  get idle(): boolean {
    return this.handling.outbox.isEmpty && !this.isHandling && !this.#dispatcher.hasWork();
  }

  *#cells(): Iterable<ActorCell> {
    yield* this.table.cells;
    if (this.#retired !== undefined) yield this.#retired;
  }

  // ---- what the parts need of their thread -----------------------------------------------------------

  nowMs(): number {
    return this.clock.monotonicMs();
  }

  redeliveriesOf = (letter: Letter): number => this.#redelivery?.redeliveriesOf(letter) ?? 0;

  scope = (id: number): CancelScope | undefined => this.scopes.of(id);

  forward(letter: Letter, to: ActorRef, name: string, request: unknown): number {
    return this.post.forward(letter, to, name, request);
  }

  handedOn(correlation: number, from: Address, to: Address): void {
    this.post.handedOn(correlation, from, to);
  }

  cellAt(slot: number): ActorCell | undefined {
    return this.table.at(slot);
  }

  behaviourOf(cell: ActorCell, definition: ActorDefinition, args: unknown, incarnation: number) {
    return this.#options.behaviourOf(cell, definition, args, incarnation);
  }

  deadLetter(letter: Letter, reason: LostReason, cell: ActorCell): void {
    this.#deadLetters.lost(letter, reason, cell);
  }

  onDefect(error: unknown, cell: ActorCell): void {
    this.table.fail(cell, error);
  }

  onThreadDefect(error: unknown): void {
    this.#options.onDefect(error);
  }

  onEnd(cell: ActorCell, end: ActorEnd): void {
    this.bonds.ended(cell, end);
  }

  /** Whoever `deliver` or the run queue found busy takes data again. */
  onIdle(blocker: object): void {
    this.#dispatcher.unblock(blocker);
    if (blocker instanceof ActorCell) {
      this.queue.schedule(blocker);
      this.queue.scheduleTelemetry(blocker);
    }
    this.wake();
  }

  traced(letter: Letter, cell: ActorCell, run: () => unknown): unknown {
    return runInTraceContext(letter.trace!, `${cell.protocol.name}.${letter.message.name}`, run);
  }

  measured(lane: Lane, latencyMs: number): void {
    this.#latencies[lane].record(latencyMs * 1_000);
  }

  tellFence(thread: number, scope: number): void {
    this.tell(thread, 'fence', { scope });
  }

  /** Tells another thread's caretaker, again and again until there is a link and its lane has room. @param onClosed called if there is no such thread */
  tell(thread: number, name: keyof KernelSpec & string, notice: Record<string, unknown>, onClosed?: () => void): void {
    const to = addressOf(thread, KERNEL_SLOT);
    const message = kernelProtocol.message(name);
    this.handling.outbox.send(thread, 'control', () => {
      const result = this.#courier.tell(to, message, notice);
      if (result === CLOSED) onClosed?.();
      // Not in the outbox, where the request for the link itself would stand behind it.
      if (result === ADMIN_ACTION) void this.#connecting.wait(to).then(() => this.tell(thread, name, notice, onClosed));
      return result !== BACK_PRESSURED;
    });
  }

  // ---- messages of the thread itself -------------------------------------------------------------------

  ref<Spec extends ProtocolSpec>(name: string, address: Address, protocol: Protocol<Spec>, courier: Courier = this.#courier): ActorRef<Spec> {
    return new ActorRef(courier, name, address, protocol);
  }

  /** Tells a caretaker without trying again. @returns 0 or a refusal */
  tellOnce(thread: number, name: keyof KernelSpec & string, notice: unknown): number {
    return this.#courier.tell(addressOf(thread, KERNEL_SLOT), kernelProtocol.message(name), notice);
  }

  #tellGuardian(name: keyof KernelSpec & string, notice: unknown): number {
    return this.tellOnce(GUARDIAN_THREAD, name, notice);
  }

  /** A log whose lines go to the guardian; the guardian itself gives its own writer. */
  log(actor: string, write?: (record: LogRecord) => void): Log {
    const send = postLog((record) => this.#tellGuardian('log', record), () => this.block.counters.add('telemetryLost'));
    return createLog(actor, this.#options.logLevel, this.clock, write ?? send);
  }

  // ---- time and turns ----------------------------------------------------------------------------------

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
    // The loop looks again after every turn, and a bell that was rung once wakes it.
    if (this.#isInTurn || this.#isRung) return;
    this.#isRung = true;
    this.block.doorbell.ring();
  }

  /** Whether there is a message that could be handled now. */
  readonly hasWork = (): boolean => this.#dispatcher.hasWork();

  /**
   * Handles what waits now, up to one turn's worth. For callbacks of the event loop that must not
   * overtake messages which were sent before; never from within a handler.
   * @returns how many
   */
  handleWaiting(limit = TURN_LIMIT): number {
    let handled = 0;
    this.#isInTurn = true;
    this.#isRung = false;
    this.receiver.beginTurn();
    try {
      while (handled < limit && !this.isEnded && this.#dispatcher.next()) handled++;
    } finally {
      this.#isInTurn = false;
    }
    return handled;
  }

  /** Runs the timers that are due, and tries again what found no room. @returns how many timers ran */
  advance(nowMs: number): number {
    this.#isInTurn = true;
    try {
      const ran = this.#timers.advance(nowMs);
      this.handling.outbox.flush();
      this.post.sends.flush();
      if (ran > 0) this.scopes.expire();
      return ran;
    } finally {
      this.#isInTurn = false;
    }
  }

  /** How long the loop may sleep if nothing comes. */
  sleepMs(nowMs: number, atMostMs: number): number {
    const untilTimer = this.#timers.nextDueMs - nowMs;
    const untilRetry = this.handling.outbox.isEmpty && this.post.sends.isEmpty ? Infinity : RETRY_MS;
    const sleepMs = Math.max(0, Math.min(atMostMs, untilTimer, untilRetry));
    this.#wakeAtMs = nowMs + sleepMs;
    return sleepMs;
  }

  /** Ends the thread's part in the system, and with it what it still asks. */
  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.post.close();
    this.block.doorbell.ring();
  }
}
