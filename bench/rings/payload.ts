/**
 * The work at both ends of the rings bench: a record is copied from private memory by its sender and
 * into private memory by its receiver, in C++ (spsc.cpp) as here.
 *
 * The first and the last word of a record are its number, and the receiver adds both up: the sum must come
 * out, and the last record must have arrived whole, or the bench fails.
 *
 * Two ways to copy, by what each costs: a loop over 64-bit words, which V8 compiles in line, and above
 * WORDWISE_BYTES one call of `Buffer.copy`, which is the C library's memmove. (`set` of a typed array is
 * slower than both when one side is shared memory: V8 then copies with atomic loads and stores. See
 * `npm run bench -- ring-steps`.) The arrays are constants of closures, and not fields of an object, as V8
 * would look at the type of a field anew for each word.
 */
const WORDWISE_BYTES = 512;
const FILLING = 0.25;

/** Private memory for records of `payloadBytes`, one behind the other, of which only the numbers change. */
export function createRecords(payloadBytes: number, records: number): Float64Array<ArrayBuffer> {
  return new Float64Array((payloadBytes / 8) * records).fill(FILLING);
}

/** Gives the record of `words` words that begins at word `start` its number. */
export function stamp(records: Float64Array, start: number, words: number, number: number): void {
  records[start] = number;
  records[start + words - 1] = number;
}

/** Writes a record with this number to this byte of the memory. */
export type Writer = (number: number, offset: number) => void;

export function createWriter(payloadBytes: number, memory: SharedArrayBuffer): Writer {
  const [f64, bytes] = [new Float64Array(memory), Buffer.from(memory)];
  // A word more than a record: given a whole Buffer, `copy` turns to the slower `set`.
  const own = Buffer.from(new ArrayBuffer(payloadBytes + 8));
  const words = new Float64Array(own.buffer, 0, payloadBytes / 8).fill(FILLING);
  const { length } = words;
  const last = length - 1;
  return (number, offset) => {
    words[0] = number;
    words[last] = number;
    if (payloadBytes > WORDWISE_BYTES) {
      own.copy(bytes, offset, 0, payloadBytes);
      return;
    }
    const to = offset >> 3;
    for (let word = 0; word < length; word++) f64[to + word] = words[word]!;
  };
}

/** Where a receiver puts what arrives. */
export interface Target {
  /** Copies a record out of the memory. */
  take(offset: number, length: number): void;
  /** Takes a record that lies in private memory already. */
  adopt(records: Float64Array, start: number): void;
  received(): number;
  /** The record that `take` took last. */
  readonly words: Float64Array;
  /** @throws Error when what arrived is not what `count` numbers from `first` on make up */
  check(first: number, count: number): void;
}

/** @param memory where records lie that have to be copied out */
export function createTarget(payloadBytes: number, memory: SharedArrayBuffer): Target {
  const [f64, bytes] = [new Float64Array(memory), Buffer.from(memory)];
  const words = new Float64Array(payloadBytes / 8);
  const own = Buffer.from(words.buffer);
  const last = words.length - 1;
  /** The sum of first and last words, and the number of records: in an array, where V8 need not box them. */
  const state = new Float64Array(2);
  return {
    take: (offset, length) => {
      if (length > WORDWISE_BYTES) {
        bytes.copy(own, 0, offset, offset + length);
      } else {
        const from = offset >> 3;
        const count = length >> 3;
        // Names of their own, and the first word before the loop: V8 then finds out once where the two arrays lie,
        // and not for each word.
        const target = words;
        const source = f64;
        target[0] = source[from]!;
        for (let word = 1; word < count; word++) target[word] = source[from + word]!;
      }
      state[0]! += words[0]! + words[last]!;
      state[1]!++;
    },
    adopt: (records, start) => {
      state[0]! += records[start]! + records[start + last]!;
      state[1]!++;
    },
    received: () => state[1]!,
    words,
    check: (first, count) => checkSum(state[0]!, first, count),
  };
}

export function checkSum(sum: number, first: number, count: number): void {
  const expected = 2 * (count * first + (count * (count - 1)) / 2);
  if (sum !== expected) throw new Error(`Records were lost or changed: the sum is ${sum} instead of ${expected}.`);
}

/** @throws Error unless this is a record of that number, whole */
export function checkRecord(record: Float64Array, number: number): void {
  const isWhole = record.every((word, index) => word === (index === 0 || index === record.length - 1 ? number : FILLING));
  if (!isWhole) throw new Error(`The last record should carry ${number} at both ends and ${FILLING} between; it has changed.`);
}
