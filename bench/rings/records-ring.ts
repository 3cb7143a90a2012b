/** Records over the ring of this repository: claimed, copied in place, committed; polled, copied out. */
import { SpscConsumer, SpscProducer, recordBytes } from 'atomics-ring-buffer';
import { Patience } from './patience.ts';
import { checkRecord, createTarget, createWriter } from './payload.ts';
import { POLL_LIMIT, warmUpOf } from './task.ts';
import type { FlowReport, ScenarioNamed, Task } from './task.ts';

const KIND = 1;

export function produce({ scenario, first, there }: Task<ScenarioNamed<'records'>>): void {
  const { payloadBytes, count, batch } = scenario;
  const producer = new SpscProducer(there);
  const write = createWriter(payloadBytes, producer.memory.buffer);
  const patience = new Patience(payloadBytes);
  const send = (index: number): void => {
    let offset = producer.tryClaim(KIND, payloadBytes);
    for (; offset < 0; offset = producer.tryClaim(KIND, payloadBytes)) patience.lost();
    patience.won();
    write(first + index, offset);
    producer.commit();
  };
  const sendBatch = (start: number, end: number): void => {
    const room = (end - start) * recordBytes(payloadBytes);
    while (producer.tryClaimBatch(room) < 0) patience.lost();
    patience.won();
    for (let index = start; index < end; index++) write(first + index, producer.append(KIND, payloadBytes));
    producer.commit();
  };
  if (batch === 1) for (let index = 0; index < count; index++) send(index);
  else for (let index = 0; index < count; index += batch) sendBatch(index, Math.min(index + batch, count));
}

export function consume({ scenario, first, there }: Task<ScenarioNamed<'records'>>): FlowReport {
  const { payloadBytes, count } = scenario;
  const consumer = new SpscConsumer(there);
  const { take, received, words, check } = createTarget(payloadBytes, consumer.memory.buffer);
  const patience = new Patience(payloadBytes);
  const onRecord = (_kind: number, offset: number, length: number): void => take(offset, length);
  const receive = (until: number): void => {
    while (received() < until) patience.found(consumer.poll(onRecord, POLL_LIMIT));
  };
  receive(warmUpOf(count));
  const already = received();
  const startedAt = performance.now();
  receive(count);
  const elapsedMs = performance.now() - startedAt;
  check(first, count);
  checkRecord(words, first + count - 1);
  return { messages: count - already, elapsedMs };
}
