/**
 * Records that prove themselves: length and bytes follow from a seed and a sequence number, and a
 * checksum stands in front. A record that is torn, stale or another one's does not pass.
 *
 *     0          4          8
 *     +----------+----------+---------------+
 *     | sequence | checksum | bytes         |
 *     +----------+----------+---------------+
 */
import type { SharedMemory } from 'atomics-ring-buffer';

const HEAD_BYTES = 8;
const FNV_BASIS = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A well-mixed 32-bit number for each pair of a seed and a number (the finalizer of MurmurHash3). */
export function mixed(seed: number, number: number): number {
  let hash = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(number + 1, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** Payload length in bytes of one record: 8 to `maxBytes`. */
export function lengthOf(seed: number, sequence: number, maxBytes: number): number {
  return HEAD_BYTES + (mixed(seed, sequence) % (maxBytes - HEAD_BYTES + 1));
}

export function writeRecord(memory: SharedMemory, offset: number, length: number, seed: number, sequence: number): void {
  const word = offset >> 2;
  memory.i32[word] = sequence;
  let byte = mixed(~seed, sequence);
  for (let at = offset + HEAD_BYTES; at < offset + length; at++) {
    byte = (Math.imul(byte, 1_664_525) + 1_013_904_223) | 0;
    memory.u8[at] = byte >>> 24;
  }
  memory.i32[word + 1] = checksum(memory.u8, offset, length, sequence);
}

/** The sequence number of a record, or undefined when it is torn. */
export function readRecord(memory: SharedMemory, offset: number, length: number, seed: number, maxBytes: number): number | undefined {
  const word = offset >> 2;
  const sequence = memory.i32[word]!;
  if (length !== lengthOf(seed, sequence, maxBytes)) return undefined;
  return memory.i32[word + 1] === checksum(memory.u8, offset, length, sequence) ? sequence : undefined;
}

/** FNV-1a over the sequence number and the bytes. */
function checksum(u8: Uint8Array, offset: number, length: number, sequence: number): number {
  let hash = Math.imul(FNV_BASIS ^ sequence, FNV_PRIME);
  for (let at = offset + HEAD_BYTES; at < offset + length; at++) hash = Math.imul(hash ^ u8[at]!, FNV_PRIME);
  return hash;
}
