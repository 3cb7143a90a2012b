/**
 * The memory in which messages are assembled: private to one thread, bounded, and used again, because
 * fresh memory of such sizes costs more than the copy that goes into it.
 */

/** What a message lies in: the ring's shared memory, or memory of the reassembler. Codecs take either. */
export interface MessageMemory {
  readonly buffer: ArrayBufferLike;
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
  readonly view: DataView;
}

const MIN_BUFFER_BYTES = 1024;

/** Bytes of the buffer for a message: a power of two, so that it fits the next one too. */
export function bufferBytes(messageBytes: number): number {
  return Math.max(MIN_BUFFER_BYTES, 2 ** (32 - Math.clz32(messageBytes - 1)));
}

export class MessageBuffers {
  readonly #maxBytes: number;
  /** Buffers nobody uses, the one that was used last at the end. */
  readonly #spare: MessageMemory[] = [];
  #heldBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes of all buffers, spare ones included. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** A buffer for a message of this length, or undefined when the others leave no room for it. */
  take(messageBytes: number): MessageMemory | undefined {
    const bytes = bufferBytes(messageBytes);
    const index = this.#spare.findLastIndex(({ buffer }) => buffer.byteLength === bytes);
    if (index !== -1) return this.#spare.splice(index, 1)[0];
    while (this.#heldBytes + bytes > this.#maxBytes) {
      const oldest = this.#spare.shift();
      if (oldest === undefined) return undefined;
      this.#heldBytes -= oldest.buffer.byteLength;
    }
    this.#heldBytes += bytes;
    const buffer = new ArrayBuffer(bytes);
    return {
      buffer,
      u8: new Uint8Array(buffer),
      i32: new Int32Array(buffer),
      f64: new Float64Array(buffer),
      view: new DataView(buffer),
    };
  }

  /** Gives a buffer back for the next message. */
  giveBack(memory: MessageMemory): void {
    this.#spare.push(memory);
  }
}
