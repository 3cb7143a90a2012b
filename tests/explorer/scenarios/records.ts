/**
 * The records that scenarios send, and what the notes of whoever received them must tell.
 *
 * A record's first payload word is its number and its last one a checksum, so a record of which a part
 * is old, or of another one, is told from a whole one.
 */
import assert from 'node:assert/strict';
import { FACADE } from '../facade.ts';
import type { Note } from '../note-list.ts';
import type { Rings } from '../ring-source.ts';

type Memory = InstanceType<Rings['SharedMemory']>;

/** Words by which the threads of a scenario tell each other what an application would tell by messages. */
export function sharedWords(rings: Rings, names: readonly string[]): InstanceType<Rings['SharedWords']> {
  const { SharedArrayBuffer } = FACADE as Pick<typeof globalThis, 'SharedArrayBuffer'>;
  return new rings.SharedWords(new SharedArrayBuffer(rings.SharedWords.bytes(names)), 0, names);
}

function checksum(number: number, payloadBytes: number): number {
  return ~(number * 0x10001 + payloadBytes * 0x101);
}

export function writeRecord(memory: Memory, offset: number, payloadBytes: number, number: number): void {
  memory.i32[offset >> 2] = number;
  memory.i32[(offset + payloadBytes - 4) >> 2] = checksum(number, payloadBytes);
}

/** The number of a record. @throws AssertionError when it is torn */
export function readRecord(memory: Memory, offset: number, payloadBytes: number): number {
  const number = memory.i32[offset >> 2]!;
  const found = memory.i32[(offset + payloadBytes - 4) >> 2]!;
  assert.equal(found, checksum(number, payloadBytes), `a whole record: number ${number}, ${payloadBytes} bytes, but another checksum`);
  return number;
}

/**
 * What a consumer and its successors noted: 'resumes' (records consumed before), 'got' (number, redeliveries)
 * and 'released' (records consumed by then). Numbers begin at 1.
 */
export function checkDelivered(lives: readonly (readonly Note[])[], count: number): void {
  /** How often each record was in a handler's hands, before the life that is looked at. */
  const times = Array.from({ length: count + 1 }, () => 0);
  let released = 0;
  let delivered = 0;
  for (const [life, notes] of lives.entries()) {
    let expected = 0;
    const hands: number[] = [];
    for (const { what, values } of notes) {
      const [value = NaN, redeliveries = NaN] = values;
      if (what === 'resumes') {
        assert.ok(value >= released, `life ${life} resumes at ${value}, but ${released} were released`);
        assert.ok(value <= delivered, `life ${life} resumes at ${value}, but only ${delivered} were delivered`);
        expected = value + 1;
      } else if (what === 'got') {
        assert.equal(value, expected, `life ${life} got record ${value} where ${expected} was next`);
        assert.ok(value <= count, `record ${value} was never sent`);
        assert.ok(redeliveries >= times[value]!, `record ${value}: ${redeliveries} redeliveries, but it was in ${times[value]} dead hands`);
        const most = value <= delivered + 1 ? life : 0;
        assert.ok(redeliveries <= most, `record ${value}: ${redeliveries} redeliveries, more than ${most}`);
        hands.push(value);
        expected++;
      } else if (what === 'released') released = value;
    }
    for (const number of hands) times[number]!++;
    delivered = Math.max(delivered, ...hands);
  }
  assert.equal(delivered, count, 'records delivered');
}
