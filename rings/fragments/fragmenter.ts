/**
 * Sends messages that are longer than a record of the ring may be, cut into fragments.
 *
 * Sending never waits: a message that does not fit in one go stays half sent, and the next `offer`
 * continues it. Nothing is copied beside the ring, so the caller keeps the bytes until then. A thread
 * that dies here leaves a message that never becomes whole; see reassembler.ts for who drops it.
 */
import { checkKind } from '../claim.ts';
import { CLOSED, RingError, TOO_LONG, type RingProducer } from '../ring.ts';
import { DEFAULT_MAX_MESSAGE_BYTES, FRAGMENT_HEADER_BYTES, checkMaxMessageBytes, writeFragment, type Fragment } from './fragment.ts';

export interface FragmenterOptions {
  /** The kind that the ring's users set aside for fragments, the same for all of its producers. */
  readonly fragmentKind: number;
  /** Which of the ring's producers this is, the same number in each of its incarnations. Default 0. */
  readonly sender?: number;
  /**
   * Payload bytes of a fragment's record; longer messages are cut. Default: messages are cut when the
   * ring does not take them whole, then into records of a quarter of the longest payload, so that the
   * consumer copies one while the next is being written.
   */
  readonly fragmentBytes?: number;
  /** The longest message that is sent at all. Default 16 MiB. */
  readonly maxMessageBytes?: number;
}

export interface FragmenterCounters {
  /** Messages sent to their end, whole or in fragments. */
  readonly sent: number;
  readonly fragments: number;
  readonly abandoned: number;
  /** Messages longer than `maxMessageBytes`. */
  readonly tooLong: number;
}

/**
 * A fragment's bytes are a multiple of this, so that each begins at one: V8 copies shared memory word by
 * word when both sides are aligned alike, and else byte by byte.
 */
const COPY_ALIGNMENT_BYTES = 8;
/** A default fragment carries at least this much beside its header, where the ring allows. */
const MIN_DEFAULT_FRAGMENT_BYTES = 1024;

/** The sending half. It belongs to the thread of its producer. */
export class Fragmenter {
  readonly #producer: RingProducer;
  readonly #fragmentKind: number;
  readonly #fragmentDataBytes: number;
  readonly #wholeBytes: number;
  readonly #maxMessageBytes: number;
  /** The next fragment. Its message is half sent while its offset is not 0. */
  readonly #next: Fragment;
  /** Room for one fragment, for senders of bytes that are not aligned. */
  #scratch: Uint8Array | undefined;
  readonly #counters = { sent: 0, fragments: 0, abandoned: 0, tooLong: 0 };

  /** @throws RingError `bad_kind`, `bad_fragments` */
  constructor(producer: RingProducer, options: FragmenterOptions) {
    const { fragmentKind, sender = 0, maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES } = options;
    checkKind(fragmentKind);
    const longest = producer.maxPayloadBytes;
    const fragmentBytes = options.fragmentBytes ?? Math.min(longest, Math.max(MIN_DEFAULT_FRAGMENT_BYTES, longest >> 2));
    const leastBytes = FRAGMENT_HEADER_BYTES + COPY_ALIGNMENT_BYTES;
    if (!Number.isInteger(fragmentBytes) || fragmentBytes < leastBytes || fragmentBytes > longest) {
      throw new RingError(
        'bad_fragments',
        `A fragment's record has from ${leastBytes} to the ring's ${longest} bytes; got ${fragmentBytes}. Choose another size, or a larger ring.`,
      );
    }
    if ((sender | 0) !== sender) throw new RingError('bad_fragments', `A sender is a 32-bit integer; got ${sender}.`);
    checkMaxMessageBytes(maxMessageBytes);
    this.#producer = producer;
    this.#fragmentKind = fragmentKind;
    this.#fragmentDataBytes = (fragmentBytes - FRAGMENT_HEADER_BYTES) & -COPY_ALIGNMENT_BYTES;
    this.#wholeBytes = options.fragmentBytes ?? longest;
    this.#maxMessageBytes = maxMessageBytes;
    this.#next = { sender, incarnation: producer.incarnation, message: 0, kind: 0, totalBytes: 0, offset: 0, lengthBytes: 0 };
  }

  /** Bytes of the half-sent message that are not yet published; 0 when there is none. */
  get pendingBytes(): number {
    return this.#next.offset === 0 ? 0 : this.#next.totalBytes - this.#next.offset;
  }

  get counters(): FragmenterCounters {
    return { ...this.#counters };
  }

  /**
   * Sends a message, or continues the half-sent one: then with the same kind and bytes.
   *
   * A short message is one ordinary record. Of a long one as much is published as the ring takes; after
   * a refusal with `pendingBytes` above 0 the caller offers it again later, or abandons it.
   * @returns 0 once all of it is published; TOO_LONG; or the refusal of the ring. After CLOSED nothing
   *   is pending.
   * @throws RingError `bad_kind`, `message_pending`
   */
  offer(kind: number, bytes: Uint8Array): number {
    const totalBytes = bytes.byteLength;
    if (this.#next.offset === 0) {
      checkKind(kind);
      if (kind === this.#fragmentKind) {
        throw new RingError('bad_kind', `Kind ${kind} is set aside for fragments on this ring; give the message another.`);
      }
      if (totalBytes > this.#maxMessageBytes) {
        this.#counters.tooLong++;
        return TOO_LONG;
      }
      if (totalBytes <= this.#wholeBytes) {
        const result = this.#producer.offer(kind, bytes);
        if (result >= 0) this.#counters.sent++;
        return result;
      }
      this.#next.kind = kind;
      this.#next.totalBytes = totalBytes;
    } else if (kind !== this.#next.kind || totalBytes !== this.#next.totalBytes) {
      throw new RingError(
        'message_pending',
        `A message of kind ${this.#next.kind} and ${this.#next.totalBytes} bytes is half sent; offer it again, or abandon() it, before kind ${kind} of ${totalBytes} bytes.`,
      );
    }
    return this.#continue(bytes);
  }

  /** Gives up the half-sent message. Its receiver drops it when the next one of this sender begins. */
  abandon(): void {
    if (this.#next.offset === 0) return;
    this.#counters.abandoned++;
    this.#end();
  }

  #continue(bytes: Uint8Array): number {
    const next = this.#next;
    const { memory } = this.#producer;
    while (next.offset < next.totalBytes) {
      next.lengthBytes = Math.min(this.#fragmentDataBytes, next.totalBytes - next.offset);
      const at = this.#producer.tryClaim(this.#fragmentKind, FRAGMENT_HEADER_BYTES + next.lengthBytes);
      if (at < 0) {
        // A closed ring will never take the rest.
        if (at === CLOSED) this.abandon();
        return at;
      }
      writeFragment(memory, at, next);
      memory.u8.set(this.#aligned(bytes.subarray(next.offset, next.offset + next.lengthBytes)), at + FRAGMENT_HEADER_BYTES);
      this.#producer.commit();
      this.#counters.fragments++;
      next.offset += next.lengthBytes;
    }
    this.#counters.sent++;
    this.#end();
    return 0;
  }

  /** The same bytes, aligned as the ring is: one copy more in private memory costs less than one byte by byte. */
  #aligned(bytes: Uint8Array): Uint8Array {
    if (bytes.byteOffset % COPY_ALIGNMENT_BYTES === 0) return bytes;
    this.#scratch ??= new Uint8Array(this.#fragmentDataBytes);
    this.#scratch.set(bytes);
    return this.#scratch.subarray(0, bytes.length);
  }

  #end(): void {
    this.#next.offset = 0;
    this.#next.message = (this.#next.message + 1) | 0;
  }
}
