/**
 * Records over ringbuf.js, a ring of 64-bit words without records in it: both ends know the length of a
 * record beforehand, which spares this way the header and its reading. A batch is one `push`; a `pop` takes
 * what is there, up to as many records as the others take in one poll.
 */
import { RingBuffer } from 'ringbuf.js';
import { Patience } from './patience.ts';
import { checkRecord, createRecords, createTarget, stamp } from './payload.ts';
import { POLL_LIMIT, RING_BYTES, warmUpOf } from './task.ts';
import type { FlowReport, ScenarioNamed, Task } from './task.ts';

export function storage(): SharedArrayBuffer {
  return RingBuffer.getStorageForCapacity(RING_BYTES / 8, Float64Array);
}

export function produce({ scenario, first, there }: Task<ScenarioNamed<'records'>>): void {
  const { payloadBytes, count, batch } = scenario;
  const ring = new RingBuffer(there, Float64Array);
  const words = payloadBytes / 8;
  const source = createRecords(payloadBytes, batch);
  const patience = new Patience(payloadBytes);
  const send = (start: number, records: number): void => {
    for (let record = 0; record < records; record++) stamp(source, record * words, words, first + start + record);
    // A push takes what it can, so half a record would be possible without this look.
    while (ring.availableWrite() < records * words) patience.lost();
    patience.won();
    ring.push(source, records * words);
  };
  for (let index = 0; index < count; index += batch) send(index, Math.min(batch, count - index));
}

export function consume({ scenario, first, there }: Task<ScenarioNamed<'records'>>): FlowReport {
  const { payloadBytes, count } = scenario;
  const ring = new RingBuffer(there, Float64Array);
  const words = payloadBytes / 8;
  const { adopt, received, check } = createTarget(payloadBytes, there);
  const arrived = new Float64Array(words * Math.min(POLL_LIMIT, RING_BYTES / 2 / payloadBytes));
  const patience = new Patience(payloadBytes);
  /** Behind the last record that arrived. */
  let end = 0;
  const receive = (until: number): void => {
    while (received() < until) {
      const got = ring.pop(arrived, arrived.length);
      for (let start = 0; start < got; start += words) adopt(arrived, start);
      if (got > 0) end = got;
      patience.found(got / words);
    }
  };
  receive(warmUpOf(count));
  const already = received();
  const startedAt = performance.now();
  receive(count);
  const elapsedMs = performance.now() - startedAt;
  check(first, count);
  checkRecord(arrived.subarray(end - words, end), first + count - 1);
  return { messages: count - already, elapsedMs };
}
