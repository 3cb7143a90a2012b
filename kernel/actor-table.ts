/**
 * The actors of one thread: who has which slot, and how a spawned actor starts and ends.
 *
 * A spawned actor ends with its parent, its own children first. What waited for it becomes dead letters;
 * each ask among them ends with `actor_stopped`. Whether one that failed is started again, its parent
 * decides; the kernel only does it: the actor keeps its address and its mailbox.
 */
import Denque from 'denque';
import { ActorCell, type AnyMailboxSpec, type CellHost } from './actor-cell.ts';
import type { ActorExit } from './actor-lives.ts';
import { isIgnored, type ActorDefinition, type Behaviour, type SelfStopReason, type StopReason } from './actor.ts';
import { BOARD_PLACES, FIRST_SPAWNED_PLACE, addressOf, generationOf, isSpawned, placeOf, spawnedSlot } from './address.ts';
import type { Asks } from './asks.ts';
import type { Board } from './board.ts';
import { SpillwayError } from './errors.ts';
import type { Handling } from './handling.ts';
import type { Log } from './log.ts';
import { completeMailboxSpec } from './mailbox/mailbox-spec.ts';
import type { ProtocolSpec } from './protocol.ts';
import type { RunQueue } from './run-queue.ts';
import type { Streams } from './streams.ts';
import type { ThreadBlock } from './thread-block.ts';

/** How an actor came to its end. */
export interface ActorEnd {
  readonly reason: 'stopped' | 'crashed';
  /** Of what it failed with; empty if it did not. */
  readonly message: string;
}

export type FailureDecision = 'stop' | 'restart' | 'escalate';

export interface SpawnOptions {
  /** For people and for the board; default: the parent's name and a number. */
  readonly name?: string;
  /** What becomes of it when it fails. Default: it stops, and the failure is logged. `escalate` fails its parent. */
  readonly onFailure?: (error: unknown, failures: number) => FailureDecision;
}

/** What the table needs of its thread. */
export interface TableHost extends CellHost {
  readonly thread: number;
  readonly block: ThreadBlock;
  readonly handling: Handling;
  readonly streams: Streams;
  readonly asks: Asks;
  readonly queue: RunQueue;
  log(actor: string): Log;
  /** Starts the actor's behaviour: gives it its context and calls its definition. */
  behaviourOf(cell: ActorCell, definition: ActorDefinition, args: unknown, incarnation: number): Behaviour<ProtocolSpec> | Promise<Behaviour<ProtocolSpec>>;
  /** An actor has ended; those who watch it are told. */
  onEnd(cell: ActorCell, end: ActorEnd): void;
  /** Makes the loop look again. */
  wake(): void;
  /** The thread's own actor has failed. */
  onThreadDefect(error: unknown): void;
}

/** How a spawned actor was made, for those that are started again. */
export interface Spawned {
  readonly definition: ActorDefinition;
  args: unknown;
  readonly options: SpawnOptions;
  failures: number;
  /** Told how each of its lives ends, where they are begun and ended one by one. */
  onExit?: ((exit: ActorExit) => void) | undefined;
}

/** Completed once for each definition, not for each of its actors. */
const mailboxSpecs = new WeakMap<ActorDefinition, AnyMailboxSpec>();
const DEFAULT_MAILBOX: AnyMailboxSpec = completeMailboxSpec({});

export function mailboxOf(definition: ActorDefinition): AnyMailboxSpec {
  if (definition.mailbox === undefined) return DEFAULT_MAILBOX;
  let spec = mailboxSpecs.get(definition);
  if (spec === undefined) {
    const { key, ...rest } = definition.mailbox;
    spec = completeMailboxSpec({ ...rest, ...(key === undefined ? {} : { key: (letter) => key(letter.message.name, letter.request) }) });
    mailboxSpecs.set(definition, spec);
  }
  return spec;
}

export class ActorTable {
  readonly #host: TableHost;
  /** By place: one look in an array for every message. */
  readonly #cells: (ActorCell | undefined)[] = [];
  /** Places that were in use and the next generation of each; oldest first. */
  readonly #freePlaces = new Denque<{ readonly place: number; readonly generation: number }>();
  #nextPlace = FIRST_SPAWNED_PLACE;
  #lastNumber = 0;
  /** Handlers that have not ended, of actors that have. */
  readonly #leaving = new Set<Promise<void>>();

  /** Goes on where the thread's former life has ended: none of its addresses is given again at once. */
  constructor(host: TableHost) {
    this.#host = host;
    host.block.actors = 0;
    this.#nextPlace = Math.max(FIRST_SPAWNED_PLACE, host.block.places);
    for (let place = FIRST_SPAWNED_PLACE; place < this.#nextPlace; place++) {
      // What a former life had not ended died with it.
      host.block.counters.add('abandoned', host.board.vacate(place));
      this.#freePlaces.push({ place, generation: host.board.generationOf(place) + 1 });
    }
  }

  get board(): Board {
    return this.#host.board;
  }

  at(slot: number): ActorCell | undefined {
    const cell = this.#cells[placeOf(slot)];
    return cell?.slot === slot ? cell : undefined;
  }

  get cells(): Iterable<ActorCell> {
    return this.#cells.filter((cell) => cell !== undefined);
  }

  /** Adds an actor that was made for this thread: its caretaker, or the thread's own. */
  add(cell: ActorCell): void {
    cell.state = 'running';
    this.#cells[cell.place] = cell;
    this.#host.board.setState(cell.place, 'running');
    if (!cell.isKernel) this.#host.block.actors++;
    this.#showPlaces();
  }

  /** Takes the actor out: nothing reaches it any more. */
  remove(cell: ActorCell): void {
    this.#cells[cell.place] = undefined;
    this.#host.block.actors--;
  }

  /**
   * Makes an actor on this thread. It has its address at once; if its start takes time, messages wait in
   * its mailbox meanwhile.
   * @throws SpillwayError `too_many_actors`, `actor_stopped`; or what its start throws at once
   */
  spawn(parent: ActorCell, definition: ActorDefinition, args: unknown, options: SpawnOptions): ActorCell {
    if (parent.state === 'stopping' || parent.state === 'stopped') {
      throw new SpillwayError('actor_stopped', `Actor ${parent.name} is stopping and cannot spawn.`, { details: { mayHaveBeenHandled: false } });
    }
    const cell = this.reserve(parent, { definition, args, options, failures: 0 });
    try {
      this.#begin(cell, cell.spawned!);
    } catch (error) {
      this.#bury(cell, { reason: 'crashed', message: textOf(error) });
      throw error;
    }
    return cell;
  }

  /**
   * Makes the place of an actor that starts later; messages wait in its mailbox until then.
   * @param slot the very one, for an actor that a former life of this thread had
   * @throws SpillwayError `too_many_actors`
   */
  reserve(parent: ActorCell, spawned: Spawned, slot?: number): ActorCell {
    const { definition, options } = spawned;
    const { place, generation } = slot === undefined ? this.#takePlace() : this.#retakePlace(slot);
    const name = options.name ?? `${parent.name}/${++this.#lastNumber}`;
    const address = addressOf(this.#host.thread, spawnedSlot(place, generation));
    const cell = new ActorCell(this.#host, name, address, definition.protocol, parent, mailboxOf(definition));
    cell.stashCapacity = definition.stashCapacity ?? 0;
    this.#host.board.open(place, name, generation);
    this.#cells[cell.place] = cell;
    this.#host.block.actors++;
    (parent.children ??= new Set()).add(cell);
    // Its parent's data must not wait in a lane in front of the child's.
    parent.waitsInLane = false;
    cell.spawned = spawned;
    this.#showPlaces();
    return cell;
  }

  #begin(cell: ActorCell, spawned: Spawned): void {
    const behaviour = this.#host.behaviourOf(cell, spawned.definition, spawned.args, spawned.failures + 1);
    if (!(behaviour instanceof Promise)) {
      this.#started(cell, behaviour);
      return;
    }
    void this.#awaitStart(cell, behaviour);
  }

  async #awaitStart(cell: ActorCell, starting: Promise<Behaviour<ProtocolSpec>>): Promise<void> {
    let behaviour: Behaviour<ProtocolSpec>;
    try {
      behaviour = await starting;
    } catch (error) {
      if (cell.state === 'starting') this.fail(cell, error);
      return;
    }
    if (cell.state === 'starting') this.#started(cell, behaviour);
    // It was told to stop meanwhile.
    else if (!isIgnored(behaviour)) void this.release(cell, behaviour, 'shutdown');
  }

  #started(cell: ActorCell, behaviour: Behaviour<ProtocolSpec>): void {
    if (isIgnored(behaviour)) this.#bury(cell, { reason: 'stopped', message: '' });
    else this.run(cell, behaviour);
  }

  /** The actor has started: it handles what waits. */
  run(cell: ActorCell, behaviour: Behaviour<ProtocolSpec>): void {
    cell.behaviour = behaviour;
    cell.handlers = behaviour.handlers;
    cell.state = 'running';
    this.#host.board.setState(cell.place, 'running');
    for (let waiting = cell.controlLevel; waiting > 0; waiting--) this.#host.queue.scheduleControl(cell);
    this.#host.queue.schedule(cell);
    this.#host.queue.scheduleTelemetry(cell);
    // It may have started by itself, while its thread's loop slept.
    this.#host.wake();
  }

  /** An actor has failed. The thread's own ends its thread. */
  fail(cell: ActorCell, error: unknown): void {
    const { spawned } = cell;
    if (spawned === undefined || cell.parent === undefined) {
      this.#host.onThreadDefect(error);
      return;
    }
    if (cell.state === 'stopped') return;
    if (spawned.onExit !== undefined) {
      spawned.onExit({ reason: 'crashed', error });
      return;
    }
    spawned.failures++;
    const decision = spawned.options.onFailure?.(error, spawned.failures) ?? 'stop';
    const { parent } = cell;
    if (decision === 'restart' && parent.state !== 'stopping' && parent.state !== 'stopped') {
      void this.#restart(cell, spawned);
      return;
    }
    this.#host.log(cell.name).error('an actor failed and was stopped', { error: textOf(error) });
    void this.stop(cell, 'crashed', textOf(error));
    if (decision === 'escalate') this.fail(parent, error);
  }

  async #restart(cell: ActorCell, spawned: Spawned): Promise<void> {
    await this.suspend(cell, 'crashed');
    if (cell.state !== 'starting') return;
    try {
      this.#begin(cell, spawned);
    } catch (error) {
      this.fail(cell, error);
    }
  }

  /**
   * Ends the actor's life and leaves it its place: what waits for it is kept for the next one. Resolves when it
   * has released what it held.
   */
  async suspend(cell: ActorCell, reason: StopReason): Promise<void> {
    const former = cell.behaviour;
    this.#settleHands(cell, 'actor_restarted');
    cell.behaviour = undefined;
    cell.handlers = {};
    cell.state = 'starting';
    this.#host.board.setState(cell.place, 'starting');
    this.#endTimers(cell);
    cell.unstashAll();
    await Promise.all([...(cell.children ?? [])].map((child) => this.stop(child, 'shutdown')));
    await this.release(cell, former, reason);
  }

  /** Ends a spawned actor behind its handler, whose answer is still to be sent. It takes no further message. */
  stopSoon(cell: ActorCell, reason: SelfStopReason): void {
    if (cell.state === 'stopping' || cell.state === 'stopped') return;
    const { onExit } = cell.spawned!;
    if (onExit !== undefined) {
      // What comes from now on is its next life's.
      cell.state = 'starting';
      queueMicrotask(() => onExit({ reason: reason === 'normal' ? 'stopped' : 'shutdown', error: undefined }));
      return;
    }
    cell.state = 'stopping';
    this.#host.board.setState(cell.place, 'stopping');
    queueMicrotask(() => {
      if (cell.state === 'stopping') void this.#end(cell, 'shutdown', '');
    });
  }

  /** Ends a spawned actor, its children first. Resolves when it has released what it holds. Never rejects. */
  async stop(cell: ActorCell, reason: StopReason, message = ''): Promise<void> {
    if (cell.state === 'stopping' || cell.state === 'stopped') return;
    await this.#end(cell, reason, message);
  }

  async #end(cell: ActorCell, reason: StopReason, message: string): Promise<void> {
    cell.state = 'stopping';
    this.#host.board.setState(cell.place, 'stopping');
    this.#endTimers(cell);
    this.#settleHands(cell, 'actor_stopped');
    const children = [...(cell.children ?? [])].toReversed();
    // At once where nothing takes time, so that an actor which is stopped does not linger for a turn.
    const ends = children.map((child) => this.stop(child, 'shutdown'));
    const { behaviour } = cell;
    this.#bury(cell, { reason: reason === 'crashed' ? 'crashed' : 'stopped', message });
    await Promise.all(ends);
    await this.release(cell, behaviour, reason);
  }

  /** Resolves when all that had ended before has released what it held. */
  async settled(): Promise<void> {
    while (this.#leaving.size > 0) await Promise.all(this.#leaving);
  }

  /** Lets the actor release what it holds. Never rejects. */
  release(cell: ActorCell, behaviour: Behaviour<ProtocolSpec> | undefined, reason: StopReason): Promise<void> {
    if (behaviour?.stop === undefined) return Promise.resolve();
    const released = (async () => {
      try {
        await behaviour.stop!(reason);
      } catch (error) {
        this.#host.log(cell.name).error('an actor failed while it stopped', { error: textOf(error) });
      }
    })();
    this.#leaving.add(released);
    return released.finally(() => this.#leaving.delete(released));
  }

  /** Answers what the actor has begun and will not end. */
  #settleHands(cell: ActorCell, code: 'actor_stopped' | 'actor_restarted'): void {
    for (const letter of cell.inFlight ?? []) {
      cell.lose(letter, 'abandoned');
      this.#host.handling.refuse(letter, new SpillwayError(code, `Actor ${cell.name} ended while it had the message.`), true);
    }
    cell.inFlight = undefined;
    cell.busy = false;
    // The streams that it gives, and those that it takes.
    this.#host.streams.endOf(cell, code);
    this.#host.asks.askerEnded(cell.address);
  }

  #endTimers(cell: ActorCell): void {
    for (const timer of cell.timers ?? []) timer.cancel();
    cell.timers = undefined;
    cell.receiveTimeout?.timer.cancel();
    cell.receiveTimeout = undefined;
  }

  #bury(cell: ActorCell, end: ActorEnd): void {
    cell.state = 'stopped';
    // Before it has given up what waits, so that nobody takes that for room.
    this.#host.board.setMode(cell.place, 0, true);
    this.#cells[cell.place] = undefined;
    this.#host.block.actors--;
    cell.parent?.children?.delete(cell);
    for (const letter of cell.takeAll()) {
      cell.lose(letter, 'actor_stopped');
      this.#host.handling.refuse(letter, new SpillwayError('actor_stopped', `Actor ${cell.name} has stopped.`), cell.begun?.has(letter) === true);
    }
    this.#host.board.vacate(cell.place);
    if (isSpawned(cell.slot)) this.#freePlaces.push({ place: cell.place, generation: this.#host.board.generationOf(cell.place) + 1 });
    this.#host.onEnd(cell, end);
  }

  /** A new place as long as there is one, so that an address comes back as late as possible. */
  #takePlace(): { readonly place: number; readonly generation: number } {
    if (this.#nextPlace < BOARD_PLACES && this.#freePlaces.length < MIN_FREE_PLACES) return { place: this.#nextPlace++, generation: 0 };
    const free = this.#freePlaces.shift();
    if (free === undefined) {
      throw new SpillwayError('too_many_actors', `This thread has ${BOARD_PLACES - FIRST_SPAWNED_PLACE} actors and no room for more; spawn on another thread.`);
    }
    return free;
  }

  /** The place that an actor of a former life had, under the same generation: whoever knows its address still reaches it. */
  #retakePlace(slot: number): { readonly place: number; readonly generation: number } {
    const place = placeOf(slot);
    const index = this.#freePlaces.toArray().findIndex((free) => free.place === place);
    if (index < 0) throw new TypeError(`Place ${place} is not free.`);
    this.#freePlaces.removeOne(index);
    return { place, generation: generationOf(slot) };
  }

  #showPlaces(): void {
    if (this.#host.block.places !== this.#nextPlace) this.#host.block.places = this.#nextPlace;
  }
}

/** So many places rest before one is taken again: few enough for the board to stay small, enough for an address not to come back soon. */
const MIN_FREE_PLACES = 8_192;

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
