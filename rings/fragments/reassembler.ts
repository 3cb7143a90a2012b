/**
 * Receives what a Fragmenter sends: passes whole messages on as they lie in the ring, and joins
 * fragments in memory of its own.
 *
 * A sender sends one message after the other, so there is at most one in progress for each. A message
 * is delivered when its last byte has come after all the others, in order, and in no other case. It is
 * dropped, and counted under the reason, when
 *
 *     tooLong      it says that it will be longer than allowed
 *     outOfOrder   a fragment does not follow on the one before: records were lost, or damaged
 *     abandoned    its sender begins another one
 *     senderDied   a later incarnation of its sender begins one, or `forget` says that there is none
 *     evicted      the limits leave no room for a new message; the one that waited longest goes
 *
 * Fragments of a message that is not in progress, because it was dropped or its beginning never came,
 * are ignored. Fragments that contradict themselves are damaged. Neither touches anything.
 *
 * Death of the receiving thread. Fragments are consumed as they are copied, so a half-assembled
 * message is lost with the thread: at most once. For at least once, `peek` into the ring and `release`
 * only while `inProgress` is 0; the messages then have to fit into the ring.
 *
 * Source: Aeron's FragmentAssembler, with bounds and reasons.
 */
import { checkKind } from '../claim.ts';
import { ABORT, RingError, type PollAction, type RecordHandler } from '../ring.ts';
import type { SharedMemory } from '../shared-memory.ts';
import { DEFAULT_MAX_MESSAGE_BYTES, FRAGMENT_HEADER_BYTES, checkMaxMessageBytes, isFirst, isLast, readFragment, type Fragment } from './fragment.ts';
import { MessageBuffers, bufferBytes, type MessageMemory } from './message-buffers.ts';

/**
 * Receives one message: `length` bytes at byte `offset` of `memory`, which is the ring's for a whole
 * message and the reassembler's for one that came in fragments. 8-byte aligned, and valid only until
 * the handler returns. The answers are those of a RecordHandler; after ABORT a message that came in
 * fragments is delivered again with its last fragment.
 */
export type MessageHandler = (
  kind: number,
  memory: MessageMemory,
  offset: number,
  length: number,
  redeliveries: number,
) => PollAction | void;

export interface ReassemblerOptions {
  /** The kind that the ring's users set aside for fragments. */
  readonly fragmentKind: number;
  /** The longest message that is assembled. Default 16 MiB. */
  readonly maxMessageBytes?: number;
  /** How many messages may be in progress, which is how many senders may be sending at once. Default 64. */
  readonly maxMessages?: number;
  /** Bytes for all messages in progress and for the next; one takes a power of two. Default: four of the longest. */
  readonly maxBytes?: number;
}

export interface ReassemblerCounters {
  /** Messages delivered from fragments. */
  readonly assembled: number;
  /** Messages dropped, by reason. */
  readonly tooLong: number;
  readonly outOfOrder: number;
  readonly abandoned: number;
  readonly senderDied: number;
  readonly evicted: number;
  /** Fragments refused as such, and fragments of messages that are not in progress. */
  readonly damaged: number;
  readonly ignored: number;
}

interface Assembly {
  readonly incarnation: number;
  readonly message: number;
  readonly kind: number;
  readonly totalBytes: number;
  readonly memory: MessageMemory;
  receivedBytes: number;
  /** The number of the last fragment that brought it on, counted over all messages. */
  lastFragment: number;
}

const DEFAULT_MAX_MESSAGES = 64;
const DEFAULT_LONGEST_AT_ONCE = 4;

/** The receiving half. It belongs to the thread of its consumer. */
export class Reassembler {
  /** The handler to poll or peek with. Each record is to be given to it once, ABORT excepted. */
  readonly onRecord: RecordHandler;
  readonly #memory: SharedMemory;
  readonly #handler: MessageHandler;
  readonly #maxMessageBytes: number;
  readonly #maxMessages: number;
  readonly #buffers: MessageBuffers;
  readonly #assemblies = new Map<number, Assembly>();
  /** The fragment at hand; one object for all. */
  readonly #fragment: Fragment = { sender: 0, incarnation: 0, message: 0, kind: 0, totalBytes: 0, offset: 0, lengthBytes: 0 };
  readonly #counters = { assembled: 0, tooLong: 0, outOfOrder: 0, abandoned: 0, senderDied: 0, evicted: 0, damaged: 0, ignored: 0 };
  #fragments = 0;

  /**
   * @param memory the consumer's
   * @throws RingError `bad_kind`, `bad_fragments`
   */
  constructor(memory: SharedMemory, handler: MessageHandler, options: ReassemblerOptions) {
    const { fragmentKind, maxMessageBytes = DEFAULT_MAX_MESSAGE_BYTES, maxMessages = DEFAULT_MAX_MESSAGES } = options;
    checkKind(fragmentKind);
    checkMaxMessageBytes(maxMessageBytes);
    const longest = bufferBytes(maxMessageBytes);
    const { maxBytes = DEFAULT_LONGEST_AT_ONCE * longest } = options;
    if (!Number.isInteger(maxMessages) || maxMessages < 1 || !Number.isInteger(maxBytes) || maxBytes < longest) {
      throw new RingError(
        'bad_fragments',
        `One message at least has to find room, and the longest takes ${longest} bytes; got ${maxMessages} messages and ${maxBytes} bytes.`,
      );
    }
    this.#memory = memory;
    this.#handler = handler;
    this.#maxMessageBytes = maxMessageBytes;
    this.#maxMessages = maxMessages;
    this.#buffers = new MessageBuffers(maxBytes);
    this.onRecord = (kind, offset, length, redeliveries) => {
      if (kind !== fragmentKind) return handler(kind, memory, offset, length, redeliveries);
      if (readFragment(memory, offset, length, this.#fragment)) return this.#take(this.#fragment, offset, redeliveries);
      this.#counters.damaged++;
      return undefined;
    };
  }

  /** Messages begun and neither delivered nor dropped. */
  get inProgress(): number {
    return this.#assemblies.size;
  }

  /** Bytes of memory for messages, what is kept for the next ones included. */
  get heldBytes(): number {
    return this.#buffers.heldBytes;
  }

  get counters(): ReassemblerCounters {
    return { ...this.#counters };
  }

  /**
   * Drops what a dead sender left half sent. To be called once all it published has been polled: the rest
   * of a message that is still in the ring would be ignored. A successor that sends makes it needless.
   * @returns whether there was something
   */
  forget(sender: number): boolean {
    return this.#drop(sender, 'senderDied');
  }

  #take(fragment: Fragment, at: number, redeliveries: number): PollAction | void {
    const assembly = isFirst(fragment) ? this.#begin(fragment) : this.#following(fragment);
    if (assembly === undefined) return undefined;
    const { receivedBytes, memory } = assembly;
    const from = at + FRAGMENT_HEADER_BYTES;
    memory.u8.set(this.#memory.u8.subarray(from, from + fragment.lengthBytes), receivedBytes);
    assembly.lastFragment = ++this.#fragments;
    if (isLast(fragment)) return this.#deliver(fragment.sender, assembly, redeliveries);
    assembly.receivedBytes += fragment.lengthBytes;
    return undefined;
  }

  /** Makes room for a new message; undefined if there is none. */
  #begin(fragment: Fragment): Assembly | undefined {
    const { sender, incarnation, message, kind, totalBytes } = fragment;
    this.#supersede(fragment);
    if (totalBytes > this.#maxMessageBytes) {
      this.#counters.tooLong++;
      return undefined;
    }
    if (this.#assemblies.size >= this.#maxMessages) this.#evict();
    let memory = this.#buffers.take(totalBytes);
    while (memory === undefined && this.#evict()) memory = this.#buffers.take(totalBytes);
    if (memory === undefined) {
      // A handler has the message that takes up all the room, and calls for the next one.
      this.#counters.evicted++;
      return undefined;
    }
    const assembly = { incarnation, message, kind, totalBytes, memory, receivedBytes: 0, lastFragment: 0 };
    this.#assemblies.set(sender, assembly);
    return assembly;
  }

  /** Drops what the sender of a new message has not finished. */
  #supersede({ sender, incarnation, message }: Fragment): void {
    const former = this.#assemblies.get(sender);
    if (former === undefined) return;
    if (former.incarnation !== incarnation) this.#drop(sender, 'senderDied');
    else if (former.message !== message) this.#drop(sender, 'abandoned');
    // The same beginning once more, after ABORT: nothing is lost.
    else this.#takeOut(sender);
  }

  /** The message that the fragment continues, if it does. */
  #following(fragment: Fragment): Assembly | undefined {
    const assembly = this.#assemblies.get(fragment.sender);
    if (assembly === undefined || assembly.incarnation !== fragment.incarnation || assembly.message !== fragment.message) {
      this.#counters.ignored++;
      return undefined;
    }
    const { receivedBytes, totalBytes, kind } = assembly;
    if (fragment.offset === receivedBytes && fragment.totalBytes === totalBytes && fragment.kind === kind) return assembly;
    this.#drop(fragment.sender, 'outOfOrder');
    return undefined;
  }

  #deliver(sender: number, assembly: Assembly, redeliveries: number): PollAction | void {
    // Not in progress while the handler has it, so that nothing it calls can drop or evict it.
    this.#assemblies.delete(sender);
    let action: PollAction | void = undefined;
    try {
      action = this.#handler(assembly.kind, assembly.memory, 0, assembly.totalBytes, redeliveries);
    } finally {
      // As with a record, a handler that throws has consumed its message.
      if (action !== ABORT) {
        this.#counters.assembled++;
        this.#buffers.giveBack(assembly.memory);
      }
    }
    if (action === ABORT) this.#assemblies.set(sender, assembly);
    return action;
  }

  #drop(sender: number, reason: 'outOfOrder' | 'abandoned' | 'senderDied' | 'evicted'): boolean {
    if (!this.#takeOut(sender)) return false;
    this.#counters[reason]++;
    return true;
  }

  #takeOut(sender: number): boolean {
    const assembly = this.#assemblies.get(sender);
    if (assembly === undefined) return false;
    this.#assemblies.delete(sender);
    this.#buffers.giveBack(assembly.memory);
    return true;
  }

  /** Drops the message that waited longest for its next fragment. @returns whether there was one */
  #evict(): boolean {
    let oldest: number | undefined;
    let lastFragment = Infinity;
    for (const [sender, assembly] of this.#assemblies) {
      if (assembly.lastFragment >= lastFragment) continue;
      oldest = sender;
      ({ lastFragment } = assembly);
    }
    return oldest !== undefined && this.#drop(oldest, 'evicted');
  }
}
