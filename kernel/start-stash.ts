/**
 * Control messages for an actor that is still starting, kept until it has started. Bounded: what does
 * not fit is answered like a message to an unknown actor.
 */
import type { SharedMemory } from 'atomics-ring-buffer';

const CAPACITY = 64;

/** What it takes to read a record: a ring's memory, or a copy of one record. */
export type RecordMemory = Pick<SharedMemory, 'u8' | 'i32' | 'f64' | 'view'> & { readonly buffer: ArrayBufferLike };

export class StartStash {
  readonly records: { readonly kind: number; readonly memory: RecordMemory }[] = [];

  /** Copies a record. @returns whether there was room */
  keep(kind: number, memory: RecordMemory, offset: number, length: number): boolean {
    if (this.records.length >= CAPACITY) return false;
    // A whole number of 8-byte words, as in the ring, so that numbers can be read in place.
    const buffer = new ArrayBuffer(Math.ceil(length / 8) * 8);
    new Uint8Array(buffer).set(memory.u8.subarray(offset, offset + length));
    const u8 = new Uint8Array(buffer, 0, length);
    this.records.push({
      kind,
      memory: { buffer, u8, i32: new Int32Array(buffer), f64: new Float64Array(buffer), view: new DataView(buffer) },
    });
    return true;
  }
}
