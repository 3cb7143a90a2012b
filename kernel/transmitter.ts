/** The sending side of a thread: one link to each peer, and how a value becomes a record on one of its lanes. */
import { CLOSED, type Codec } from 'atomics-ring-buffer';
import { KERNEL_SLOT, slotOf, threadOf, type Address } from './address.ts';
import { ENVELOPE_BYTES, FIRST_MESSAGE_KIND, writeEnvelope, type Envelope } from './envelope.ts';
import type { Lane } from './lanes.ts';
import { attachSender, type LinkBuffers, type LinkSender } from './link.ts';
import { ThreadBlock } from './thread-block.ts';

export class Transmitter {
  readonly #system: SharedArrayBuffer;
  readonly #block: ThreadBlock;
  /** By thread. A thread's place may be given to another actor, who then has another address. */
  readonly #senders = new Map<number, { readonly peer: Address; readonly lanes: LinkSender }>();

  constructor(system: SharedArrayBuffer, block: ThreadBlock) {
    this.#system = system;
    this.#block = block;
  }

  /** @param peer address of the actor that the other thread is for */
  add(peer: Address, outbound: LinkBuffers): void {
    const thread = threadOf(peer);
    const lanes = attachSender(outbound, new ThreadBlock(this.#system, thread).doorbell);
    this.#senders.set(thread, { peer, lanes });
  }

  /** The actor to which this thread's link leads, if there is one. */
  peerAt(thread: number): Address | undefined {
    return this.#senders.get(thread)?.peer;
  }

  /** Lets the link go, unless its place was already given to another. */
  remove(peer: Address): void {
    if (this.peerAt(threadOf(peer)) === peer) this.#senders.delete(threadOf(peer));
  }

  /** Position behind the last record sent to this thread on this lane, modulo 2^32. */
  position(to: Address, lane: Lane): number {
    return this.#lanesTo(to)?.[lane].producerPosition ?? 0;
  }

  /**
   * Encodes `value` in place and publishes it.
   * @returns 0, or BACK_PRESSURED, TOO_LONG, or CLOSED where there is no link (any more)
   * @throws what the codec throws when the value does not fit its schema; nothing is sent then
   */
  send(lane: Lane, kind: number, envelope: Envelope, codec?: Codec<unknown>, value?: unknown): number {
    const producer = this.#lanesTo(envelope.to)?.[lane];
    if (producer === undefined) return CLOSED;
    const valueBytes = codec === undefined ? 0 : codec.byteLength(value);
    const offset = producer.tryClaim(kind, ENVELOPE_BYTES + valueBytes);
    if (offset < 0) {
      // Answers are tried again and lost telemetry is counted where it is lost; neither was refused.
      if (kind >= FIRST_MESSAGE_KIND && lane !== 'telemetry') this.#block.counters.add('refused');
      return offset;
    }
    try {
      writeEnvelope(producer.memory, offset, envelope);
      codec?.encode(value, producer.memory, offset + ENVELOPE_BYTES, valueBytes);
    } catch (error) {
      producer.abort();
      throw error;
    }
    producer.commit();
    return 0;
  }

  /** Nothing goes to an address whose actor has left, even if another lives in its place. */
  #lanesTo(to: Address): LinkSender | undefined {
    const sender = this.#senders.get(threadOf(to));
    return sender?.peer === to || slotOf(to) === KERNEL_SLOT ? sender?.lanes : undefined;
  }
}
