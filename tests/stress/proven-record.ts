/**
 * Records that prove themselves at the speed of the ring: length and words follow from the sequence
 * number, and the second word is a checksum over the number, the length and all words behind it.
 *
 *     0          4          8
 *     +----------+----------+-----------------------+
 *     | sequence | checksum | words, then odd bytes |
 *     +----------+----------+-----------------------+
 */
import type { SharedMemory } from 'atomics-ring-buffer';

const MIN_PAYLOAD_BYTES = 8;
/** Lengths are spread evenly from MIN_PAYLOAD_BYTES over so many bytes. */
const SPREAD_BYTES = 64;

/** The finalizer of MurmurHash3 over a number. */
export function mixed(number: number): number {
  let hash = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

export function lengthOf(sequence: number): number {
  return MIN_PAYLOAD_BYTES + (mixed(sequence) & (SPREAD_BYTES - 1));
}

export function write(memory: SharedMemory, offset: number, length: number, sequence: number): void {
  const first = offset >> 2;
  const words = length >> 2;
  let word = mixed(~sequence);
  let sum = Math.imul(sequence ^ length, 0x01000193);
  for (let index = 2; index < words; index++) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) | 0;
    memory.i32[first + index] = word;
    sum = Math.imul(sum ^ word, 0x01000193);
  }
  for (let at = words * 4; at < length; at++) {
    memory.u8[offset + at] = sum & 0xff;
    sum = Math.imul(sum ^ at, 0x01000193);
  }
  memory.i32[first] = sequence;
  memory.i32[first + 1] = sum;
}

/** The sequence number of a record (as a signed 32-bit number), or undefined when it is torn. */
export function read(memory: SharedMemory, offset: number, length: number): number | undefined {
  const first = offset >> 2;
  const words = length >> 2;
  const sequence = memory.i32[first]!;
  if (length !== lengthOf(sequence)) return undefined;
  let sum = Math.imul(sequence ^ length, 0x01000193);
  for (let index = 2; index < words; index++) sum = Math.imul(sum ^ memory.i32[first + index]!, 0x01000193);
  for (let at = words * 4; at < length; at++) {
    if (memory.u8[offset + at] !== (sum & 0xff)) return undefined;
    sum = Math.imul(sum ^ at, 0x01000193);
  }
  return memory.i32[first + 1] === sum ? sequence : undefined;
}
