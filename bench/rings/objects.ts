/**
 * An object with three strings, from thread to thread: encoded into a claim by the flat codec and decoded in
 * place, against `postMessage` of the same object; one by one, and in batches (one `postMessage` of an array).
 * The strings differ from object to object, and the receiver looks at all three.
 */
import { SpscConsumer, SpscProducer, compileCodec, recordBytes } from 'atomics-ring-buffer';
import { Patience } from './patience.ts';
import { POLL_LIMIT, warmUpOf } from './task.ts';
import type { FlowReport, ScenarioNamed, Task } from './task.ts';

const codec = compileCodec({
  properties: { id: { type: 'string' }, name: { type: 'string' }, role: { type: 'string' } },
});
const KIND = 1;
/** Of an encoded object. */
const ABOUT_BYTES = 48;
/** Objects that may be under way at a port, which itself knows no bound. */
const PORT_WINDOW = 8_192;

interface User {
  id: string;
  name: string;
  role: string;
}
type ObjectTask = Task<ScenarioNamed<'objects'>>;
/** Sends the objects from number `start` up to, and without, number `end`. */
type Sender = (start: number, end: number) => void;

/** A thousand users, made beforehand: making strings is not what is measured. */
const users: readonly User[] = Array.from({ length: 1_000 }, (_, index) => ({
  id: `user-${1_000 + index}`,
  name: index % 2 === 0 ? 'Ada Lovelace' : 'Grace Hopper',
  role: index % 3 === 0 ? 'admin' : 'reader',
}));

/** What the receiver makes of a user: it depends on all three strings. */
function checksum({ id, name, role }: User): number {
  return id.charCodeAt(id.length - 1) + name.charCodeAt(0) + role.length;
}

export function sendObjects(task: ObjectTask): void {
  const { count, way, batch } = task.scenario;
  const userOf = (index: number): User => users[(task.first + index) % users.length]!;
  const open = way === 'port' ? portSender : batch === 1 ? singleSender : batchSender;
  const send = open(task, userOf);
  for (let index = 0; index < count; index += batch) send(index, Math.min(index + batch, count));
}

export async function receiveObjects(task: ObjectTask): Promise<FlowReport> {
  const { report, sum } = task.scenario.way === 'ring' ? receiveFromRing(task) : await receiveFromPort(task);
  let expected = 0;
  for (let index = 0; index < task.scenario.count; index++) expected += checksum(users[(task.first + index) % users.length]!);
  if (sum !== expected) throw new Error(`Objects were lost or changed: the sum is ${sum} instead of ${expected}.`);
  return report;
}

function singleSender({ there }: ObjectTask, userOf: (index: number) => User): Sender {
  const producer = new SpscProducer(there);
  const patience = new Patience(ABOUT_BYTES);
  return (index) => {
    const user = userOf(index);
    const bytes = codec.byteLength(user);
    let offset = producer.tryClaim(KIND, bytes);
    for (; offset < 0; offset = producer.tryClaim(KIND, bytes)) patience.lost();
    patience.won();
    codec.encode(user, producer.memory, offset, bytes);
    producer.commit();
  };
}

function batchSender({ there, scenario }: ObjectTask, userOf: (index: number) => User): Sender {
  const producer = new SpscProducer(there);
  const patience = new Patience(ABOUT_BYTES);
  const lengths = new Int32Array(scenario.batch);
  return (start, end) => {
    let room = 0;
    for (let index = start; index < end; index++) {
      const bytes = codec.byteLength(userOf(index));
      lengths[index - start] = bytes;
      room += recordBytes(bytes);
    }
    while (producer.tryClaimBatch(room) < 0) patience.lost();
    patience.won();
    for (let index = start; index < end; index++) {
      const bytes = lengths[index - start]!;
      codec.encode(userOf(index), producer.memory, producer.append(KIND, bytes), bytes);
    }
    producer.commit();
  };
}

function portSender({ port, back, scenario }: ObjectTask, userOf: (index: number) => User): Sender {
  const received = new Int32Array(back);
  const patience = new Patience(ABOUT_BYTES);
  return (start, end) => {
    while (start - Atomics.load(received, 0) > PORT_WINDOW) patience.lost();
    patience.won();
    if (scenario.batch === 1) port.postMessage(userOf(start));
    else port.postMessage(Array.from({ length: end - start }, (_, place) => userOf(start + place)));
  };
}

interface Received {
  readonly report: FlowReport;
  readonly sum: number;
}

function receiveFromRing({ scenario, there }: ObjectTask): Received {
  const { count } = scenario;
  const consumer = new SpscConsumer(there);
  const patience = new Patience(ABOUT_BYTES);
  let received = 0;
  let sum = 0;
  const onRecord = (_kind: number, offset: number, length: number): void => {
    sum += checksum(codec.decode(consumer.memory, offset, length));
    received++;
  };
  const receive = (until: number): void => {
    while (received < until) patience.found(consumer.poll(onRecord, POLL_LIMIT));
  };
  receive(warmUpOf(count));
  const already = received;
  const startedAt = performance.now();
  receive(count);
  return { report: { messages: count - already, elapsedMs: performance.now() - startedAt }, sum };
}

async function receiveFromPort({ scenario, port, back }: ObjectTask): Promise<Received> {
  const { count, batch } = scenario;
  const counter = new Int32Array(back);
  const { promise: all, resolve: finish } = Promise.withResolvers<void>();
  const warmUp = warmUpOf(count);
  let received = 0;
  let already = 0;
  let sum = 0;
  let startedAt = 0;
  port.on('message', (message: User | readonly User[]) => {
    if (batch === 1) sum += checksum(message as User);
    else for (const user of message as readonly User[]) sum += checksum(user);
    received += batch === 1 ? 1 : (message as readonly User[]).length;
    Atomics.store(counter, 0, received);
    if (already === 0 && received >= warmUp) {
      already = received;
      startedAt = performance.now();
    }
    if (received === count) finish();
  });
  await all;
  return { report: { messages: count - already, elapsedMs: performance.now() - startedAt }, sum };
}
