/** The receiving end of records-thread-stream.ts, loaded by thread-stream's own worker. */
import { EventEmitter } from 'node:events';
import { parentPort } from 'node:worker_threads';
import { checkSum } from './payload.ts';
import { NUMBER_BYTES } from './records-thread-stream.ts';
import { RING_BYTES, warmUpOf } from './task.ts';
import type { FlowReport, ScenarioNamed } from './task.ts';

export default function open({ scenario, first }: { scenario: ScenarioNamed<'records'>; first: number }): EventEmitter {
  const { payloadBytes, count } = scenario;
  // A text may end within a record: what is left of it waits at the beginning for the rest.
  const bytes = Buffer.alloc(RING_BYTES + payloadBytes);
  let filled = 0;
  let received = 0;
  let sum = 0;
  let already = 0;
  let startedAt = 0;
  const readNumber = (place: number): number => {
    let number = 0;
    for (let byte = 0; byte < NUMBER_BYTES; byte++) number |= bytes[place + byte]! << (7 * byte);
    return number;
  };
  const write = (text: string): boolean => {
    filled += bytes.write(text, filled, 'latin1');
    let place = 0;
    for (; place + payloadBytes <= filled; place += payloadBytes) {
      sum += readNumber(place) + readNumber(place + payloadBytes - NUMBER_BYTES);
      received++;
    }
    bytes.copy(bytes, 0, place, filled);
    filled -= place;
    if (already === 0 && received >= warmUpOf(count)) {
      already = received;
      startedAt = performance.now();
    }
    if (received === count) report({ messages: count - already, elapsedMs: performance.now() - startedAt });
    return true;
  };
  const report = (flow: FlowReport): void => {
    checkSum(sum, first, count);
    // The shape by which thread-stream emits an event on the other side.
    parentPort!.postMessage({ code: 'EVENT', name: 'report', args: [flow] });
  };
  const target = new EventEmitter();
  return Object.assign(target, { write, end: () => target.emit('close') });
}
