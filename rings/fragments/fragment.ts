/**
 * How a fragment of a message lies in a record's payload.
 *
 *      0        4             8         12     16      20       24       28      32
 *      +--------+-------------+---------+------+-------+--------+--------+-------+-------+
 *      | sender | incarnation | message | kind | total | offset | length | flags | bytes |
 *      +--------+-------------+---------+------+-------+--------+--------+-------+-------+
 *
 * A fragment is a record of a kind that the user sets aside for fragments, so records of all other
 * kinds are whole messages, with nothing added and nothing to look up. `kind` is the message's own
 * kind, `total` its length, and `offset` where the `length` bytes of this fragment belong.
 *
 * Sender, incarnation and message number together are never used twice within 2^32 messages: what a
 * dead sender left half sent cannot be continued by its successor. Flags follow from the other
 * fields; they and `length` are there so that a damaged header does not pass for another one.
 *
 * Source: Aeron's data frames and its FragmentAssembler, which number terms instead of messages.
 */
import { RingError } from '../ring.ts';
import type { SharedMemory } from '../shared-memory.ts';

export const FRAGMENT_HEADER_BYTES = 32;

export const DEFAULT_MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** Lengths are 31-bit numbers, in a record and here. */
const MAX_MESSAGE_BYTES = 2 ** 30;

const BEGIN = 1;
const END = 2;

export interface Fragment {
  sender: number;
  incarnation: number;
  message: number;
  kind: number;
  totalBytes: number;
  offset: number;
  lengthBytes: number;
}

export function writeFragment(memory: SharedMemory, at: number, fragment: Fragment): void {
  const word = at >> 2;
  const { i32 } = memory;
  // Plain stores into a claimed record: nobody reads it before it is committed.
  i32[word] = fragment.sender;
  i32[word + 1] = fragment.incarnation;
  i32[word + 2] = fragment.message;
  i32[word + 3] = fragment.kind;
  i32[word + 4] = fragment.totalBytes;
  i32[word + 5] = fragment.offset;
  i32[word + 6] = fragment.lengthBytes;
  i32[word + 7] = flagsOf(fragment);
}

/**
 * Reads a fragment's header into `fragment`, each word once, so that what is checked is what is used.
 * @returns whether it is one: false for a header whose fields contradict each other or the record
 */
export function readFragment(memory: SharedMemory, at: number, recordBytes: number, fragment: Fragment): boolean {
  if (recordBytes <= FRAGMENT_HEADER_BYTES || at + recordBytes > memory.u8.length) return false;
  const word = at >> 2;
  const { i32 } = memory;
  // Plain loads of a record that was published and is not yet released.
  fragment.sender = i32[word]!;
  fragment.incarnation = i32[word + 1]!;
  fragment.message = i32[word + 2]!;
  fragment.kind = i32[word + 3]!;
  fragment.totalBytes = i32[word + 4]!;
  fragment.offset = i32[word + 5]!;
  fragment.lengthBytes = i32[word + 6]!;
  return (
    fragment.lengthBytes === recordBytes - FRAGMENT_HEADER_BYTES &&
    fragment.kind >= 0 &&
    fragment.offset >= 0 &&
    // Written so that no sum can pass 2^31.
    fragment.offset <= fragment.totalBytes - fragment.lengthBytes &&
    i32[word + 7] === flagsOf(fragment)
  );
}

export function isFirst(fragment: Fragment): boolean {
  return fragment.offset === 0;
}

export function isLast(fragment: Fragment): boolean {
  return fragment.offset + fragment.lengthBytes === fragment.totalBytes;
}

function flagsOf(fragment: Fragment): number {
  return (isFirst(fragment) ? BEGIN : 0) | (isLast(fragment) ? END : 0);
}

/** @throws RingError `bad_fragments` */
export function checkMaxMessageBytes(maxMessageBytes: number): void {
  if (Number.isInteger(maxMessageBytes) && maxMessageBytes >= 1 && maxMessageBytes <= MAX_MESSAGE_BYTES) return;
  throw new RingError('bad_fragments', `The longest message has from 1 to ${MAX_MESSAGE_BYTES} bytes; got ${maxMessageBytes}.`);
}
