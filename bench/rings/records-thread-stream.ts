/**
 * Records over thread-stream, which carries one text from the thread that makes it to a worker of its own
 * (thread-stream-target.ts) through a shared buffer that is filled, read to its end and filled again. Writes
 * are synchronous, as only then is the sender's buffer free after a write; a batch is one write.
 *
 * What arrives are strings, so records are made of 7-bit bytes here, with their number in seven bits a byte,
 * and the target turns the text back into bytes. There are no records in it either: the length is known.
 */
import ThreadStream from 'thread-stream';
import { RING_BYTES } from './task.ts';
import type { FlowReport, ScenarioNamed, Task } from './task.ts';

/** Bytes of a record's number at its beginning and its end, 7 bits in each. */
export const NUMBER_BYTES = 4;
const FILLING = 0x20;

export async function produce(task: Task<ScenarioNamed<'records'>>): Promise<FlowReport> {
  const { scenario, first } = task;
  const { payloadBytes, count, batch } = scenario;
  const source = Buffer.alloc(payloadBytes * batch, FILLING);
  const stream = new ThreadStream({
    filename: new URL('./thread-stream-target.ts', import.meta.url).href,
    bufferSize: RING_BYTES,
    sync: true,
    workerData: { scenario, first },
  });
  const { promise, resolve, reject } = Promise.withResolvers<FlowReport>();
  stream.on('report', resolve);
  stream.on('error', reject);
  const writeNumber = (place: number, number: number): void => {
    for (let byte = 0; byte < NUMBER_BYTES; byte++) source[place + byte] = (number >>> (7 * byte)) & 0x7f;
  };
  const send = (start: number, records: number): void => {
    for (let record = 0; record < records; record++) {
      writeNumber(record * payloadBytes, first + start + record);
      writeNumber((record + 1) * payloadBytes - NUMBER_BYTES, first + start + record);
    }
    stream.write((records === batch ? source : source.subarray(0, records * payloadBytes)) as unknown as string);
  };
  await new Promise((ready) => stream.once('ready', ready));
  for (let index = 0; index < count; index += batch) send(index, Math.min(batch, count - index));
  stream.flushSync();
  const report = await promise;
  stream.end();
  return report;
}
