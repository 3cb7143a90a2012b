/**
 * What an actor's process and its bridge say to each other over one socket pair.
 *
 *      0        4      5      6        8                8 + length
 *      +--------+------+------+--------+----------------+
 *      | length | type | lane | thread | payload        |     all numbers little-endian
 *      +--------+------+------+--------+----------------+
 *
 *   HELLO     process to bridge, once and first: version (4 bytes) and the one-time token
 *   BOOT      bridge to process, once and first: what it is for; see boot-frame.ts
 *   LINK      bridge to process: another thread can be reached from now on
 *   RECORD    a record of a lane: kind (4), length of the whole payload (4), its first bytes
 *   PART      the next bytes of that record, so that a long one never stands in the way of control
 *   RELEASED  whoever receives a lane has taken its records up to this position (4)
 *   BOARD     entries of a thread's board as they are now: offset (4) and bytes
 *   PEER      bridge to process: state (4) of a thread, and how many threads hear of dead letters (4)
 *   BEAT      process to bridge: it lives, and there is news on its page
 *
 * `thread` is the peer whose lane it is, or whose board. What is longer than `FRAME_LIMITS` says is refused
 * before it is read.
 */
import { SpillwayError } from '../errors.ts';

export const PROTOCOL_VERSION = 1;
export const TOKEN_BYTES = 32;
const HEADER_BYTES = 8;
/** Bytes of a record that go into one frame. */
export const PART_BYTES = 64 * 1024;

export const HELLO = 1;
export const BOOT = 2;
export const LINK = 3;
export const RECORD = 4;
export const PART = 5;
export const RELEASED = 6;
export const BOARD = 7;
export const PEER = 8;
export const BEAT = 9;

/** Longest payload of each type, in bytes; what is not named here is no frame. */
export type FrameLimits = Readonly<Partial<Record<number, number>>>;

/** What a bridge takes before it knows who speaks. */
export const HELLO_LIMITS: FrameLimits = { [HELLO]: 4 + TOKEN_BYTES };
/** What a bridge takes afterwards. */
export const PROCESS_LIMITS: FrameLimits = { [RECORD]: PART_BYTES + 8, [PART]: PART_BYTES, [RELEASED]: 4, [BOARD]: PART_BYTES + 4, [BEAT]: 0 };
/** A board that is full, with the rest of a BOOT, takes less. */
const BOOT_BYTES = 64 * 1024 * 1024;
/** What a process takes. */
export const BRIDGE_LIMITS: FrameLimits = { ...PROCESS_LIMITS, [BOOT]: BOOT_BYTES, [LINK]: PART_BYTES, [PEER]: 8 };

export type FrameHandler = (type: number, lane: number, thread: number, bytes: Buffer, offset: number, length: number) => void;

/** Cuts what comes from a socket into frames. Keeps the beginning of one at the most. */
export class FrameReader {
  readonly #handle: FrameHandler;
  #limits: FrameLimits;
  #carry: Buffer = Buffer.alloc(0);
  #carried = 0;

  constructor(limits: FrameLimits, handle: FrameHandler) {
    this.#limits = limits;
    this.#handle = handle;
  }

  /** From the next frame on. */
  set limits(limits: FrameLimits) {
    this.#limits = limits;
  }

  /** @throws SpillwayError `process_protocol_violation`; what the handler throws */
  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#carried > 0) {
        at += this.#complete(chunk, at);
        continue;
      }
      const left = chunk.length - at;
      if (left < HEADER_BYTES) return this.#keep(chunk, at, HEADER_BYTES);
      const bytes = HEADER_BYTES + this.#lengthOf(chunk, at);
      if (left < bytes) return this.#keep(chunk, at, bytes);
      this.#hand(chunk, at);
      at += bytes;
    }
  }

  /** @returns bytes taken of the chunk */
  #complete(chunk: Buffer, at: number): number {
    const wanted = this.#carried < HEADER_BYTES ? HEADER_BYTES : HEADER_BYTES + this.#lengthOf(this.#carry, 0);
    const taken = Math.min(wanted - this.#carried, chunk.length - at);
    this.#grow(wanted);
    chunk.copy(this.#carry, this.#carried, at, at + taken);
    this.#carried += taken;
    if (this.#carried < wanted) return taken;
    if (wanted === HEADER_BYTES && this.#lengthOf(this.#carry, 0) > 0) return taken;
    // A handler that looks again must not find it here.
    this.#carried = 0;
    this.#hand(this.#carry, 0);
    return taken;
  }

  #keep(chunk: Buffer, at: number, bytes: number): void {
    this.#grow(bytes);
    this.#carried = chunk.copy(this.#carry, 0, at);
  }

  #grow(bytes: number): void {
    if (this.#carry.length >= bytes) return;
    const wider = Buffer.allocUnsafeSlow(bytes);
    this.#carry.copy(wider, 0, 0, this.#carried);
    this.#carry = wider;
  }

  #lengthOf(bytes: Buffer, at: number): number {
    const type = bytes[at + 4]!;
    const length = bytes.readUInt32LE(at);
    const limit = this.#limits[type];
    if (limit !== undefined && length <= limit) return length;
    const expected = limit === undefined ? 'a frame that may come now' : `at most ${limit} bytes in a frame of type ${type}`;
    throw new SpillwayError('process_protocol_violation', `Expected ${expected}; got one of type ${type} with ${length} bytes.`);
  }

  #hand(bytes: Buffer, at: number): void {
    this.#handle(bytes[at + 4]!, bytes[at + 5]!, bytes.readUInt16LE(at + 6), bytes, at + HEADER_BYTES, bytes.readUInt32LE(at));
  }
}

/** Holds the longest frame but BOOT, and many short ones. */
const BUFFER_BYTES = 2 * PART_BYTES;

/** The part of a socket that a writer needs. */
export interface FrameSink {
  readonly writableLength: number;
  write(bytes: Uint8Array): boolean;
}

/** Lays frames side by side, so that a turn costs one system call. */
export class FrameWriter {
  readonly #sink: FrameSink;
  bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;

  constructor(sink: FrameSink) {
    this.#sink = sink;
  }

  /** Whether what was written before still waits for the other side. */
  get isBlocked(): boolean {
    return this.#sink.writableLength > 0;
  }

  /** Lays the header of a frame. @returns where its payload goes in `bytes`, until the next call */
  begin(type: number, lane: number, thread: number, length: number): number {
    const needed = HEADER_BYTES + length;
    if (this.#used + needed > this.bytes.length) {
      this.flush();
      if (needed > this.bytes.length) this.bytes = Buffer.allocUnsafeSlow(needed);
    }
    const at = this.#used;
    this.bytes.writeUInt32LE(length, at);
    this.bytes[at + 4] = type;
    this.bytes[at + 5] = lane;
    this.bytes.writeUInt16LE(thread, at + 6);
    this.#used = at + needed;
    return at + HEADER_BYTES;
  }

  word(type: number, lane: number, thread: number, value: number): void {
    const at = this.begin(type, lane, thread, 4);
    this.bytes.writeUInt32LE(value >>> 0, at);
  }

  frame(type: number, thread: number, payload: Uint8Array): void {
    const at = this.begin(type, 0, thread, payload.byteLength);
    this.bytes.set(payload, at);
  }

  /** Gives what was laid to the socket. */
  flush(): void {
    if (this.#used === 0) return;
    this.#sink.write(this.bytes.subarray(0, this.#used));
    this.#used = 0;
    // What the system has not taken at once still lies in these bytes.
    if (this.isBlocked) this.bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    else if (this.bytes.length > BUFFER_BYTES) this.bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  }
}
