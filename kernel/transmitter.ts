/** The sending side of a thread: one link to each peer, and how a value becomes a record on one of its lanes. */
import { ADMIN_ACTION, BACK_PRESSURED, CLOSED, type Codec } from 'atomics-ring-buffer';
import { KERNEL_SLOT, isSpawned, placeOf, slotOf, threadOf, type Address } from './address.ts';
import { Board } from './board.ts';
import { FIRST_MESSAGE_KIND, envelopeBytes, writeEnvelope, type Envelope } from './envelope.ts';
import type { Lane } from './lanes.ts';
import { attachSender, type LinkSender, type PeerLink } from './link.ts';
import { ThreadBlock } from './thread-block.ts';

interface Peer {
  /** Address of the actor that the other thread is for. */
  readonly address: Address;
  readonly lanes: LinkSender;
  readonly board: Board;
}

export class Transmitter {
  readonly #system: SharedArrayBuffer;
  readonly #block: ThreadBlock;
  readonly #connect: (to: Address) => void;
  readonly #sent: number;
  /** By thread. A thread's place may be given to another actor, who then has another address. */
  readonly #peers: (Peer | undefined)[] = [];
  /** The last actor of each place that has gone for good. */
  readonly #gone = new Map<number, Address>();

  /** @param connect asks for a link to the thread of this address */
  constructor(system: SharedArrayBuffer, block: ThreadBlock, connect: (to: Address) => void) {
    this.#system = system;
    this.#block = block;
    this.#connect = connect;
    this.#sent = block.counters.indexOf('sent');
  }

  add({ peer, outbound, board }: PeerLink): void {
    const thread = threadOf(peer);
    const lanes = attachSender(outbound, new ThreadBlock(this.#system, thread).doorbell);
    this.#gone.delete(thread);
    this.#peers[thread] = { address: peer, lanes, board: new Board(board) };
  }

  /** The actor to which this thread's link leads, if there is one. */
  peerAt(thread: number): Address | undefined {
    return this.#peers[thread]?.address;
  }

  /** Threads that this one has links to. */
  get peers(): Iterable<number> {
    return this.#peers.flatMap((peer) => (peer === undefined ? [] : [threadOf(peer.address)]));
  }

  /** Lets the link go, unless its place was already given to another. */
  remove(peer: Address): void {
    const thread = threadOf(peer);
    if (this.peerAt(thread) !== peer) return;
    this.#peers[thread] = undefined;
    this.#gone.set(thread, peer);
  }

  /** There is nobody at this address, and no way to it. */
  markGone(address: Address): void {
    if (this.#peers[threadOf(address)] === undefined) this.#gone.set(threadOf(address), address);
  }

  /** Whether a message to this address would find a link, or is known to find nobody. */
  reaches(to: Address): boolean {
    return this.#peers[threadOf(to)] !== undefined || this.#isGone(to);
  }

  /** What the other thread shows of its actors. */
  boardOf(to: Address): Board | undefined {
    return this.#peers[threadOf(to)]?.board;
  }

  /** The lanes to the thread of this address. */
  lanesTo(to: Address): LinkSender | undefined {
    return this.#peers[threadOf(to)]?.lanes;
  }

  /** Position behind the last record sent to this thread on this lane, modulo 2^32. */
  position(to: Address, lane: Lane): number {
    return this.#peers[threadOf(to)]?.lanes[lane].producerPosition ?? 0;
  }

  /**
   * Encodes `value` in place and publishes it.
   * @returns 0; or BACK_PRESSURED where the lane or the actor's mailbox is full, TOO_LONG, CLOSED where the
   *   actor has gone, or ADMIN_ACTION while a link to its thread is being made
   * @throws what the codec throws when the value does not fit its schema; nothing is sent then
   */
  send(lane: Lane, kind: number, envelope: Envelope, codec?: Codec<unknown>, value?: unknown): number {
    const peer = this.#peers[threadOf(envelope.to)];
    if (peer === undefined) {
      if (this.#isGone(envelope.to)) return CLOSED;
      this.#connect(envelope.to);
      return ADMIN_ACTION;
    }
    const slot = slotOf(envelope.to);
    const isMessage = kind >= FIRST_MESSAGE_KIND;
    // Nothing goes to an actor that has left, even if another lives in its place.
    if (peer.address !== envelope.to && slot !== KERNEL_SLOT && !isSpawned(slot)) return CLOSED;
    if (isMessage && lane === 'data' && peer.board.refuses(placeOf(slot))) return this.#refused(peer.board.hasLeft(placeOf(slot)) ? CLOSED : BACK_PRESSURED);
    const producer = peer.lanes[lane];
    const valueBytes = codec === undefined ? 0 : codec.byteLength(value);
    const headBytes = envelopeBytes(envelope);
    const offset = producer.tryClaim(kind, headBytes + valueBytes);
    if (offset < 0) {
      // Answers are tried again and lost telemetry is counted where it is lost; neither was refused.
      return isMessage && lane !== 'telemetry' ? this.#refused(offset) : offset;
    }
    try {
      writeEnvelope(producer.memory, offset, envelope);
      codec?.encode(value, producer.memory, offset + headBytes, valueBytes);
    } catch (error) {
      producer.abort();
      throw error;
    }
    producer.commit();
    if (isMessage && slot !== KERNEL_SLOT) this.#block.counters.addAt(this.#sent);
    return 0;
  }

  #refused(result: number): number {
    this.#block.counters.add('refused');
    return result;
  }

  #isGone(to: Address): boolean {
    const gone = this.#gone.get(threadOf(to));
    if (gone === undefined) return false;
    // With a thread's own actor went all that it and its like had spawned there. Others may live there now.
    if (isSpawned(slotOf(to))) return new ThreadBlock(this.#system, threadOf(to)).state === 'vacant';
    return slotOf(to) <= slotOf(gone);
  }
}
