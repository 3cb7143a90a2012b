/**
 * Records over the ring in WebAssembly, in two ways:
 *
 *   wasm steps   JavaScript copies the payloads and calls WebAssembly for each claim, commit and record
 *   wasm whole   WebAssembly does all of it: one call sends a batch, one call receives what is there
 */
import { recordBytes } from 'atomics-ring-buffer';
import { Patience } from '../rings/patience.ts';
import { checkRecord, checkSum, createTarget, createWriter } from '../rings/payload.ts';
import { POLL_LIMIT, RING_BYTES, warmUpOf } from '../rings/task.ts';
import type { FlowReport, ScenarioNamed, Task } from '../rings/task.ts';
import { layoutOf, openWasmRing } from './wasm-ring.ts';

const KIND = 1;

export function produce({ scenario, first, wasm }: Task<ScenarioNamed<'records'>>): void {
  const { way, payloadBytes, count, batch } = scenario;
  const layout = layoutOf(RING_BYTES, payloadBytes);
  const ring = openWasmRing(wasm!, layout);
  const write = createWriter(payloadBytes, wasm!.buffer);
  const patience = new Patience(payloadBytes);
  write(first, layout.sourceAddress);
  const sendWhole = (index: number, records: number): void => {
    while (ring.send(layout.sourceAddress, payloadBytes, records, first + index) === 0) patience.lost();
    patience.won();
  };
  const sendSteps = (start: number, records: number): void => {
    while (ring.reserve(records * recordBytes(payloadBytes)) === 0) patience.lost();
    patience.won();
    for (let index = start; index < start + records; index++) {
      write(first + index, ring.append(KIND, payloadBytes));
    }
    ring.commit();
  };
  const send = way === 'wasm whole' ? sendWhole : sendSteps;
  for (let index = 0; index < count; index += batch) send(index, Math.min(batch, count - index));
}

export function consume({ scenario, first, wasm }: Task<ScenarioNamed<'records'>>): FlowReport {
  const { way, payloadBytes, count } = scenario;
  const layout = layoutOf(RING_BYTES, payloadBytes);
  const ring = openWasmRing(wasm!, layout);
  const target = createTarget(payloadBytes, wasm!.buffer);
  const patience = new Patience(payloadBytes);
  const i32 = new Int32Array(wasm!.buffer);
  let receivedWhole = 0;
  const pollWhole = (): number => {
    const records = ring.receive(layout.targetAddress, POLL_LIMIT);
    receivedWhole += records;
    return records;
  };
  const pollSteps = (): number => {
    let handled = 0;
    for (let offset = 0; handled < POLL_LIMIT && (offset = ring.next()) !== 0; handled++) {
      // Plain, as the record was published; its length stands 8 bytes before its payload.
      target.take(offset, i32[(offset >> 2) - 2]!);
    }
    if (handled > 0) ring.release();
    return handled;
  };
  const isWhole = way === 'wasm whole';
  const poll = isWhole ? pollWhole : pollSteps;
  const received = isWhole ? () => receivedWhole : target.received;
  const receive = (until: number): void => {
    while (received() < until) patience.found(poll());
  };
  receive(warmUpOf(count));
  const already = received();
  const startedAt = performance.now();
  receive(count);
  const elapsedMs = performance.now() - startedAt;
  const start = layout.targetAddress / 8;
  if (isWhole) checkSum(ring.sum(), first, count);
  else target.check(first, count);
  checkRecord(isWhole ? new Float64Array(wasm!.buffer).subarray(start, start + payloadBytes / 8) : target.words, first + count - 1);
  return { messages: count - already, elapsedMs };
}
