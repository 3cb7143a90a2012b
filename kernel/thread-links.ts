/**
 * Who is linked to whom: the guardian makes the memory of every link and gives each end its side of it.
 * The application is given the memory of all lanes besides, so that it can look at them without asking.
 */
import type { MessagePort } from 'node:worker_threads';
import { ACTOR_SLOT, APPLICATION_THREAD, GUARDIAN_THREAD, addressOf, threadOf, type Address } from './address.ts';
import { DEFAULT_LANE_SIZES, type LaneSizes } from './lanes.ts';
import { createLink, reverseLink, type LinkBuffers, type PeerLink } from './link.ts';
import type { ThreadBoot } from './thread-boot.ts';
import { sendItem } from './thread-port.ts';
import type { ThreadRuntime } from './thread-runtime.ts';
import type { HostedThread } from './thread-spec.ts';

/** A thread that the guardian has made, with what its links need. */
export interface LinkedThread extends HostedThread {
  readonly board: SharedArrayBuffer;
  /** By which it is given links while it lives. */
  readonly port: MessagePort | undefined;
  /** Its links to others, as it sees them. */
  readonly links: Map<number, PeerLink>;
}

export class ThreadLinks {
  readonly #runtime: ThreadRuntime;
  readonly #guardianBoard: SharedArrayBuffer;
  /** The application's end of the port by which it is given links. */
  readonly #applicationPort: MessagePort;
  readonly #applicationBoard: SharedArrayBuffer;
  readonly #applicationLinks = new Map<number, PeerLink>();
  readonly #threads: ReadonlyMap<number, LinkedThread>;
  readonly #laneSizes: LaneSizes;

  constructor(runtime: ThreadRuntime, boot: ThreadBoot, threads: ReadonlyMap<number, LinkedThread>, laneSizes: LaneSizes = DEFAULT_LANE_SIZES) {
    this.#runtime = runtime;
    this.#guardianBoard = boot.board;
    this.#applicationPort = boot.port;
    // The application is the one thread that the guardian is linked to from the beginning.
    this.#applicationBoard = boot.links[0]!.board;
    this.#threads = threads;
    this.#laneSizes = laneSizes;
  }

  /** A thread has got its place; the guardian is linked to all threads. */
  add(thread: LinkedThread): void {
    const { id, address, board, spec } = thread;
    const highMarkBytes = spec.mailbox?.highMarkBytes;
    const place = { id, name: spec.name, address, board, ...(highMarkBytes === undefined ? {} : { highMarkBytes }) };
    sendItem(this.#applicationPort, { item: 'thread', place });
    this.connect(GUARDIAN_THREAD, id);
  }

  /** A thread has given up its place. */
  remove(thread: LinkedThread): void {
    for (const peer of thread.links.keys()) this.#linksOf(peer)?.delete(thread.id);
    sendItem(this.#applicationPort, { item: 'thread_gone', thread: thread.id });
  }

  /** Links two threads in both directions, unless they are linked. */
  connect(from: number, to: number): void {
    // What an actor tells itself, or another on its thread, takes no link.
    if (from === to || this.#areLinked(from, to)) return;
    const link: PeerLink = { peer: this.#addressAt(to), board: this.#boardAt(to), outbound: this.#lanesInto(to), inbound: this.#lanesInto(from) };
    sendItem(this.#applicationPort, { item: 'lanes', from, to, lanes: link.outbound });
    sendItem(this.#applicationPort, { item: 'lanes', from: to, to: from, lanes: link.inbound });
    this.#give(from, link);
    this.#give(to, reverseLink(link, { peer: this.#addressAt(from), board: this.#boardAt(from) }));
  }

  /** The guardian has no list of its links, so of two threads the other one is asked. */
  #areLinked(from: number, to: number): boolean {
    const [asked, peer] = to === GUARDIAN_THREAD ? [from, to] : [to, from];
    return (asked === APPLICATION_THREAD && peer === GUARDIAN_THREAD) || this.#linksOf(asked)?.has(peer) === true;
  }

  #give(thread: number, link: PeerLink): void {
    if (thread === GUARDIAN_THREAD) return this.#runtime.addLink(link);
    this.#linksOf(thread)?.set(threadOf(link.peer), link);
    const linked = this.#threads.get(thread);
    const port = thread === APPLICATION_THREAD ? this.#applicationPort : linked?.port;
    // A thread that is not alive gets all its links when it starts.
    if (port === undefined || linked?.alive === false) return;
    port.postMessage(link);
    this.#runtime.tell(thread, 'linkReady', {});
  }

  #linksOf(thread: number): Map<number, PeerLink> | undefined {
    if (thread === APPLICATION_THREAD) return this.#applicationLinks;
    return this.#threads.get(thread)?.links;
  }

  #addressAt(thread: number): Address {
    return this.#threads.get(thread)?.address ?? addressOf(thread, ACTOR_SLOT);
  }

  #boardAt(thread: number): SharedArrayBuffer {
    if (thread === GUARDIAN_THREAD) return this.#guardianBoard;
    return this.#threads.get(thread)?.board ?? this.#applicationBoard;
  }

  #lanesInto(thread: number): LinkBuffers {
    return createLink({ ...this.#laneSizes, ...this.#threads.get(thread)?.spec.mailbox });
  }
}
