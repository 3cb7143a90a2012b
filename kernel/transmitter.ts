/** The sending side of a thread: one link to each peer, and how a value becomes a record on one of its lanes. */
import { CLOSED, type Codec } from 'atomics-ring-buffer';
import { threadOf, type Address } from './address.ts';
import { ENVELOPE_BYTES, writeEnvelope, type Envelope } from './envelope.ts';
import type { Lane } from './lanes.ts';
import { attachSender, type LinkBuffers, type LinkSender } from './link.ts';
import { ThreadBlock } from './thread-block.ts';

export class Transmitter {
  readonly #system: SharedArrayBuffer;
  readonly #block: ThreadBlock;
  readonly #senders = new Map<number, LinkSender>();

  constructor(system: SharedArrayBuffer, block: ThreadBlock) {
    this.#system = system;
    this.#block = block;
  }

  add(peer: number, outbound: LinkBuffers): void {
    this.#senders.set(peer, attachSender(outbound, new ThreadBlock(this.#system, peer).doorbell));
  }

  has(peer: number): boolean {
    return this.#senders.has(peer);
  }

  remove(peer: number): void {
    this.#senders.delete(peer);
  }

  /** Position behind the last record sent to this thread on this lane, modulo 2^32. */
  position(to: Address, lane: Lane): number {
    return this.#senders.get(threadOf(to))?.[lane].producerPosition ?? 0;
  }

  /**
   * Encodes `value` in place and publishes it.
   * @returns 0, or BACK_PRESSURED, TOO_LONG, or CLOSED where there is no link (any more)
   * @throws what the codec throws when the value does not fit its schema; nothing is sent then
   */
  send(lane: Lane, kind: number, envelope: Envelope, codec?: Codec<unknown>, value?: unknown): number {
    const producer = this.#senders.get(threadOf(envelope.to))?.[lane];
    if (producer === undefined) return CLOSED;
    const valueBytes = codec === undefined ? 0 : codec.byteLength(value);
    const offset = producer.tryClaim(kind, ENVELOPE_BYTES + valueBytes);
    if (offset < 0) {
      this.#block.counters.add('refused');
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
}
