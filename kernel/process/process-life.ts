/**
 * The thread of the system that a process is: its caretaker, runtime and loop are those of every thread, on images
 * of the system's memory. What it shows of itself it writes to its page, before each handler and after each turn.
 *
 * Nobody else runs here, so nobody rings when a record is written for a peer, but the writer itself: the bells
 * of the peers are the way to hear of what is sent outside of any turn, when a promise has settled.
 */
import { SpscProducer } from 'atomics-ring-buffer';
import type { Socket } from 'node:net';
import { GUARDIAN_THREAD, threadOf } from '../address.ts';
import { Board } from '../board.ts';
import { Caretaker } from '../caretaker.ts';
import { systemClock } from '../clock.ts';
import { LANES, type Lane } from '../lanes.ts';
import { beginLife } from '../life-begin.ts';
import { eachLane, type PeerLink } from '../link.ts';
import { prepareActor } from '../preparation.ts';
import { THREAD_STATES, ThreadBlock, createSystemMemory, type ThreadState } from '../thread-block.ts';
import { ThreadLoop } from '../thread-loop.ts';
import { TURN_LIMIT, ThreadRuntime } from '../thread-runtime.ts';
import { systemRandom } from '../time/random.ts';
import { BoardImage } from './board-image.ts';
import type { LinkImage, ProcessBoot } from './boot-frame.ts';
import { PAGE_DESCRIPTOR } from './descriptors.ts';
import * as frames from './frames.ts';
import { PageWriter } from './life-page.ts';
import { PeerBells } from './peer-bells.ts';
import type { Relay } from './relay.ts';

/** Handlers between two writes to the socket in one turn, so that answers do not wait for its end. */
const HANDLERS_PER_PUMP = 32;
/** How long what was sent last may take to reach the bridge. */
const LAST_BYTES_MS = 2_000;

export interface Surroundings {
  readonly socket: Socket;
  readonly writer: frames.FrameWriter;
  readonly relay: Relay;
  nextLink(): PeerLink | undefined;
}

export class ProcessLife {
  readonly #around: Surroundings;
  readonly #system: SharedArrayBuffer;
  readonly #runtime: ThreadRuntime;
  readonly #caretaker: Caretaker;
  readonly #page: PageWriter;
  readonly #boardImage: BoardImage;
  readonly #bells: PeerBells;
  /** How far the inbound rings were filled when the life began: what waited for it is there before its actor. */
  readonly #awaited: { readonly position: () => number; readonly to: number }[] = [];
  #start: (() => void) | undefined;
  #handled = 0;
  #toldState: ThreadState = 'starting';
  #isPumpDue = false;

  constructor(boot: ProcessBoot, around: Surroundings) {
    const { self, incarnation } = boot;
    this.#around = around;
    this.#system = createSystemMemory(boot.maxThreads);
    const block = new ThreadBlock(this.#system, threadOf(self));
    const memory = Board.create();
    new Uint8Array(memory).set(boot.board);
    block.counterBytes.set(boot.counters);
    block.latencyBytes.set(boot.latencies);
    block.handBytes.set(boot.hand);
    block.places = boot.places;
    block.incarnation = incarnation;
    block.state = 'starting';
    this.#caretaker = new Caretaker({
      makeRuntime: (hooks) =>
        new ThreadRuntime({
          self,
          incarnation,
          system: this.#system,
          board: memory,
          clock: systemClock,
          logLevel: boot.logLevel,
          delivery: boot.delivery,
          onTaken: () => this.#onTaken(),
          ...hooks,
        }),
      name: boot.name,
      random: systemRandom,
      port: () => around.nextLink(),
      native: boot.native,
      // Records come through the event loop, so it must always turn.
      setWaiting: () => {},
      exit: (code) => void this.#leave(code),
    });
    this.#runtime = this.#caretaker.runtime;
    this.#page = new PageWriter(PAGE_DESCRIPTOR, block, this.#runtime.board);
    this.#boardImage = new BoardImage(this.#runtime.board, threadOf(self));
    this.#bells = new PeerBells(() => this.#pumpSoon());
  }

  addLink(image: LinkImage, { inbound, outbound }: PeerLink): void {
    const thread = threadOf(image.peer);
    // With bells at which nobody sleeps: what comes is handled at once.
    const producers = eachLane((lane) => new SpscProducer(inbound[lane]));
    this.#around.relay.add(thread, outbound, producers, { taken: (lane: Lane) => image.outbound[lane].head });
    for (const lane of LANES) {
      this.#page.addLane(() => producers[lane].consumerPosition);
      if (this.#start === undefined) this.#awaited.push({ position: () => producers[lane].producerPosition, to: image.inbound[lane].tail });
    }
    this.#bells.add(thread, new ThreadBlock(this.#system, thread).doorbell);
  }

  begin(boot: ProcessBoot, links: readonly PeerLink[]): void {
    const { source, heartbeatMs } = boot;
    this.#start = () => {
      setInterval(() => this.#beat(), heartbeatMs).unref();
      // The system takes at once what is written when the process exits.
      void beginLife(this.#caretaker, new ThreadLoop(this.#runtime, 0), { links, args: source.args, prepare: () => prepareActor(source), onExit: () => this.#lastWrites() });
    };
    this.onRecords();
  }

  /** Frames have come. */
  onRecords(): void {
    if (this.#start !== undefined) {
      const isFilled = this.#awaited.every(({ position, to }) => ((position() - to) | 0) >= 0);
      if (!isFilled) return;
      const start = this.#start;
      this.#start = undefined;
      start();
    }
    const runtime = this.#runtime;
    if (runtime.isEnded) return;
    if (runtime.handleWaiting() === TURN_LIMIT) runtime.wake();
    runtime.block.countTurn();
    // What handlers send once their promises are settled goes with the rest.
    this.#pumpSoon();
  }

  /** The bridge has taken what it had not. */
  onDrain(): void {
    this.#pumpSoon();
  }

  takeLinks(): void {
    this.#caretaker.takeLinks();
  }

  onPeer(thread: number, state: number, listeners: number): void {
    new ThreadBlock(this.#system, thread).state = THREAD_STATES[state] ?? 'vacant';
    new ThreadBlock(this.#system, GUARDIAN_THREAD).deadLetterListeners = listeners;
  }

  #onTaken(): void {
    this.#page.write(true);
    if (++this.#handled % HANDLERS_PER_PUMP === 0) this.#around.relay.pump();
    else this.#pumpSoon();
  }

  #pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    setImmediate(() => {
      this.#isPumpDue = false;
      this.#pump();
    });
  }

  #pump(): void {
    const { relay, writer } = this.#around;
    const { block } = this.#runtime;
    this.#page.write(false);
    if (!writer.isBlocked) this.#boardImage.tellMode(writer);
    if (block.state !== this.#toldState) {
      this.#toldState = block.state;
      writer.begin(frames.BEAT, 0, 0, 0);
    }
    relay.pump();
    if (relay.hasWork) this.#pumpSoon();
    this.#bells.arm();
  }

  #beat(): void {
    const { writer } = this.#around;
    this.#page.write(false);
    this.#page.writeLatencies();
    if (writer.isBlocked) return;
    this.#boardImage.tell(writer, this.#runtime.block.places);
    writer.begin(frames.BEAT, 0, 0, 0);
    this.#pump();
  }

  #lastWrites(): void {
    this.#runtime.abandonMessages();
    this.#boardImage.tell(this.#around.writer, this.#runtime.block.places);
    this.#page.writeLatencies();
    this.#pump();
  }

  /** Ends the process when the bridge has what was sent. */
  async #leave(exitCode: number): Promise<void> {
    const { socket, relay } = this.#around;
    this.#runtime.end();
    const endMs = systemClock.monotonicMs() + LAST_BYTES_MS;
    for (this.#pump(); (relay.hasWork || socket.writableLength > 0) && systemClock.monotonicMs() < endMs; this.#pump()) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    process.exit(exitCode);
  }
}
