/** One actor on its thread: its handlers, its queues, and what it is busy with. */
import Denque from 'denque';
import type { Spawned } from './actor-table.ts';
import type { Behaviour } from './actor.ts';
import { KERNEL_SLOT, placeOf, slotOf, type Address } from './address.ts';
import { DEAD_LETTERED, EXPIRED, SHED, type Board } from './board.ts';
import type { MessageContext } from './handlers.ts';
import type { Handling } from './handling.ts';
import type { Letter } from './letter.ts';
import { MAILBOX_MODES, Mailbox, type MailboxMode, type MailboxObserver, type MailboxSpec, type ShedReason } from './mailbox/mailbox.ts';
import type { Protocol, ProtocolSpec } from './protocol.ts';
import type { Redelivery } from './redelivery.ts';
import type { DeadLetterReason } from './thread-block.ts';
import type { Timer } from './time/timer-wheel.ts';

/** Handlers whose types were checked where they were written; here they are only called. */
export type AnyHandlers = Readonly<Record<string, (request: never, message: MessageContext) => unknown>>;

export type AnyMailboxSpec = MailboxSpec<Letter>;

/** What a cell needs of its thread. */
export interface CellHost {
  readonly board: Board;
  /** A message came to its end without its handler. */
  deadLetter(letter: Letter, reason: DeadLetterReason | ShedReason, cell: ActorCell): void;
  /** Tells askers. */
  readonly handling: Pick<Handling, 'refuseShed'>;
}

/** Control messages that may wait for one actor, for instance while it starts. */
const CONTROL_CAPACITY = 1_024;
/** Telemetry messages that may wait for one actor, beside its data. */
const TELEMETRY_CAPACITY = 256;

export class ActorCell implements MailboxObserver<Letter> {
  readonly name: string;
  readonly address: Address;
  readonly slot: number;
  readonly place: number;
  readonly protocol: Protocol;
  readonly parent: ActorCell | undefined;
  readonly mailbox: Mailbox<Letter>;
  readonly #host: CellHost;
  readonly #spec: AnyMailboxSpec;
  behaviour: Behaviour<ProtocolSpec> | undefined;
  handlers: AnyHandlers = {};
  state: 'starting' | 'running' | 'stopping' | 'stopped' = 'starting';
  /** Whether a data message is being handled: the next one has to wait. */
  busy = false;
  /** Messages that a handler has begun and not ended. */
  inFlight: Set<Letter> | undefined;
  /** Whether its data wait in the lanes themselves while it is busy. So for a thread's own actor, as long as it is alone there. */
  waitsInLane = false;
  /** Keeps what it has in hand for its next life; undefined where messages are delivered at most once. */
  redelivery: Redelivery | undefined;
  /** How it was made; undefined for a thread's own actor and its caretaker. */
  spawned: Spawned | undefined;
  children: Set<ActorCell> | undefined;
  timers: Set<Timer> | undefined;
  /** Numbers of its watches; see bonds.ts. */
  watches: Set<number> | undefined;
  /** Messages that its handlers may put aside. */
  stashCapacity = 0;
  /** Messages put aside by their handlers. */
  stash: Letter[] | undefined;
  /** What was ever in the stash: a handler began it, though it may be in a queue again. */
  begun: WeakSet<Letter> | undefined;
  /** Called when no data message has come for a while. */
  receiveTimeout: { readonly afterMs: number; readonly run: () => void; timer: Timer; lastMs: number } | undefined;
  /** Whether it stands in the run queue; see run-queue.ts. */
  isScheduled = false;
  /** Data messages that it has handled of its present turn. */
  turn = 0;
  /** Whether it stands in the run queue for its telemetry. */
  isTelemetryScheduled = false;
  #control: Denque<Letter> | undefined;
  #telemetry: Denque<Letter> | undefined;
  /** Messages that came out of the stash again. */
  #unstashed: Denque<Letter> | undefined;

  constructor(host: CellHost, name: string, address: Address, protocol: Protocol, parent: ActorCell | undefined, mailbox: AnyMailboxSpec) {
    this.#host = host;
    this.#spec = mailbox;
    this.name = name;
    this.address = address;
    this.slot = slotOf(address);
    this.place = placeOf(this.slot);
    this.protocol = protocol;
    this.parent = parent;
    this.mailbox = new Mailbox(mailbox, this);
  }

  /** Whether it is the thread's caretaker, whose messages are no load of the actor and are not counted. */
  get isKernel(): boolean {
    return this.slot === KERNEL_SLOT;
  }

  /** Whether its mailbox looks at times, which cost a look at the clock. */
  get needsTime(): boolean {
    return this.#spec.policy === 'expire';
  }

  /** Whether a data message may be handled now. */
  get takesData(): boolean {
    return !this.busy && this.state === 'running';
  }

  get hasData(): boolean {
    return this.mailbox.level > 0 || (this.#unstashed !== undefined && this.#unstashed.length > 0);
  }

  /** Control messages that wait. */
  get controlLevel(): number {
    return this.#control?.length ?? 0;
  }

  /** @returns whether there was room */
  offerControl(letter: Letter): boolean {
    if (this.#control === undefined) this.#control = new Denque();
    else if (this.#control.length >= CONTROL_CAPACITY) return false;
    this.#control.push(letter);
    this.showLevel();
    return true;
  }

  takeControl(): Letter | undefined {
    const letter = this.#control?.shift();
    this.showLevel();
    return letter;
  }

  get hasTelemetry(): boolean {
    return this.#telemetry !== undefined && this.#telemetry.length > 0;
  }

  /** Telemetry messages that wait. */
  get telemetryLevel(): number {
    return this.#telemetry?.length ?? 0;
  }

  /** Its telemetry waits behind its data, and takes none of their room. @returns whether there was room */
  offerTelemetry(letter: Letter): boolean {
    if (this.#telemetry === undefined) this.#telemetry = new Denque();
    else if (this.#telemetry.length >= TELEMETRY_CAPACITY) return false;
    this.#telemetry.push(letter);
    this.showLevel();
    return true;
  }

  takeTelemetry(): Letter | undefined {
    const letter = this.#telemetry?.shift();
    this.showLevel();
    return letter;
  }

  takeData(nowMs: number): Letter | undefined {
    const letter = this.#unstashed?.shift() ?? this.mailbox.take(nowMs);
    this.showLevel();
    return letter;
  }

  /** Puts what was stashed in front of what waits. */
  unstashAll(): void {
    if (this.stash === undefined) return;
    this.#unstashed ??= new Denque();
    for (const letter of this.stash.toReversed()) {
      letter.isPassedOn = false;
      this.#unstashed.unshift(letter);
    }
    this.stash = undefined;
    this.showLevel();
  }

  /** Whether the message was put aside and is still to be handled. */
  keeps(letter: Letter): boolean {
    if (this.begun?.has(letter) !== true) return false;
    return this.stash?.includes(letter) === true || this.#unstashed?.toArray().includes(letter) === true;
  }

  /** Takes a message that was put aside out again, since its handler failed all the same. @returns whether it was there */
  withdraw(letter: Letter): boolean {
    if (!this.keeps(letter)) return false;
    this.stash = this.stash?.filter((stashed) => stashed !== letter);
    const index = this.#unstashed?.toArray().indexOf(letter) ?? -1;
    if (index >= 0) this.#unstashed!.removeOne(index);
    this.showLevel();
    return true;
  }

  /** Everything that waits, control first; nothing waits afterwards. */
  takeAll(): Letter[] {
    const letters = [...(this.#control?.toArray() ?? []), ...(this.#unstashed?.toArray() ?? []), ...(this.stash ?? []), ...this.mailbox.takeAll(), ...(this.#telemetry?.toArray() ?? [])];
    this.#control = undefined;
    this.#telemetry = undefined;
    this.#unstashed = undefined;
    this.stash = undefined;
    this.showLevel();
    return letters;
  }

  /** Shows how much waits, on every lane. */
  showLevel(): void {
    let level = this.mailbox.level;
    if (this.#unstashed !== undefined) level += this.#unstashed.length;
    if (this.stash !== undefined) level += this.stash.length;
    if (this.#control !== undefined) level += this.#control.length;
    if (this.#telemetry !== undefined) level += this.#telemetry.length;
    this.#host.board.setLevel(this.place, level);
  }

  shed(letter: Letter, reason: ShedReason): void {
    this.#host.board.count(this.place, reason === 'expired' ? EXPIRED : SHED);
    this.#host.deadLetter(letter, reason, this);
    if (letter.expectsAnswer) this.#host.handling.refuseShed(letter, reason, this);
  }

  modeChanged(_from: MailboxMode, to: MailboxMode): void {
    if (this.state === 'stopped') return;
    const refusing = to !== 'async' && to !== 'sync' && (this.#spec.policy === 'refuse' || this.#spec.policy === 'wait');
    this.#host.board.setMode(this.place, MAILBOX_MODES.indexOf(to), refusing);
  }

  /** Counts a message that came to its end without its handler. */
  lose(letter: Letter, reason: DeadLetterReason): void {
    const count = reason === 'expired' ? EXPIRED : DEAD_LETTERED;
    if (this.redelivery?.settle(letter, count) !== true && !this.isKernel) this.#host.board.count(this.place, count);
    this.#host.deadLetter(letter, reason, this);
  }
}
