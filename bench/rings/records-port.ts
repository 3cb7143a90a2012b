/**
 * Records over a MessagePort: one `postMessage` of a typed array for each record, or one of all the records
 * of a batch behind each other. The receiver gets a private copy, so there is nothing left to copy out.
 *
 * A port takes whatever is posted. So that it is measured as bounded as the rings are, the sender waits
 * while a ring's capacity of records is under way.
 */
import { Patience } from './patience.ts';
import { checkRecord, createRecords, createTarget, stamp } from './payload.ts';
import { RING_BYTES, warmUpOf } from './task.ts';
import type { FlowReport, ScenarioNamed, Task } from './task.ts';

export function produce({ scenario, first, back, port }: Task<ScenarioNamed<'records'>>): void {
  const { payloadBytes, count, batch } = scenario;
  const received = new Int32Array(back);
  const words = payloadBytes / 8;
  const source = createRecords(payloadBytes, batch);
  const patience = new Patience(payloadBytes);
  const window = Math.max(batch, Math.floor(RING_BYTES / payloadBytes));
  const send = (start: number, records: number): void => {
    for (let record = 0; record < records; record++) stamp(source, record * words, words, first + start + record);
    while (start + records - Atomics.load(received, 0) > window) patience.lost();
    patience.won();
    port.postMessage(records === batch ? source : source.slice(0, records * words));
  };
  for (let index = 0; index < count; index += batch) send(index, Math.min(batch, count - index));
}

export async function consume({ scenario, first, back, port }: Task<ScenarioNamed<'records'>>): Promise<FlowReport> {
  const { payloadBytes, count } = scenario;
  const counter = new Int32Array(back);
  const words = payloadBytes / 8;
  const { adopt, received, check } = createTarget(payloadBytes, back);
  const { promise: all, resolve: finish } = Promise.withResolvers<Float64Array>();
  const warmUp = warmUpOf(count);
  let already = 0;
  let startedAt = 0;
  port.on('message', (records: Float64Array) => {
    for (let start = 0; start < records.length; start += words) adopt(records, start);
    Atomics.store(counter, 0, received());
    if (already === 0 && received() >= warmUp) {
      already = received();
      startedAt = performance.now();
    }
    if (received() === count) finish(records.subarray(records.length - words));
  });
  const last = await all;
  const elapsedMs = performance.now() - startedAt;
  check(first, count);
  checkRecord(last, first + count - 1);
  return { messages: count - already, elapsedMs };
}
