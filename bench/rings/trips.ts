/**
 * A number goes to the other thread and comes back; both sides sleep while they wait.
 *
 *   ring       two rings, one in each direction, each with its doorbell
 *   bare wait  two shared words, `Atomics.notify` and `Atomics.wait`: the least that a round trip can cost
 *   port       a message there, a message back
 */
import { ParkingWait, SpscConsumer, SpscProducer } from 'atomics-ring-buffer';
import { warmUpOf } from './task.ts';
import type { ScenarioNamed, Task, TripReport } from './task.ts';

const KIND = 1;
const NUMBER_BYTES = 8;
const FOREVER_MS = 10_000;
/** Words of two threads stand two cache lines apart, as in the ring. */
const LINE_WORDS = 32;

type TripTask = Task<ScenarioNamed<'trips'>>;

export async function makeTrips(task: TripTask): Promise<TripReport> {
  const { way } = task.scenario;
  if (way === 'port') return overPort(task);
  return way === 'ring' ? overRings(task) : overWords(task);
}

function overRings(task: TripTask): TripReport {
  const isA = task.role === 'a';
  const producer = new SpscProducer(isA ? task.there : task.back);
  const consumer = new SpscConsumer(isA ? task.back : task.there);
  const parking = new ParkingWait(consumer.doorbell);
  const hasRecord = (): boolean => consumer.hasRecord;
  let got = 0;
  const onRecord = (_kind: number, offset: number): void => {
    got = consumer.memory.f64[offset >> 3]!;
  };
  const send = (number: number): void => {
    const offset = producer.tryClaim(KIND, NUMBER_BYTES);
    if (offset < 0) throw new Error(`A ring refused the only record on its way: ${offset}.`);
    producer.memory.f64[offset >> 3] = number;
    producer.commit();
  };
  const receive = (): number => {
    while (consumer.poll(onRecord, 1) === 0) parking.wait(hasRecord, FOREVER_MS);
    return got;
  };
  return trips(task, send, receive);
}

function overWords(task: TripTask): TripReport {
  const words = new Int32Array(task.there);
  const [mine, theirs] = task.role === 'a' ? [0, LINE_WORDS] : [LINE_WORDS, 0];
  let seen = 0;
  const send = (number: number): void => {
    Atomics.store(words, mine, number);
    Atomics.notify(words, mine, 1);
  };
  const receive = (): number => {
    while (Atomics.load(words, theirs) === seen) Atomics.wait(words, theirs, seen, FOREVER_MS);
    seen = Atomics.load(words, theirs);
    return seen;
  };
  return trips(task, send, receive);
}

function trips({ scenario, role, first }: TripTask, send: (number: number) => void, receive: () => number): TripReport {
  const roundTripsUs: number[] = [];
  for (let trip = 0, last = performance.now(); trip < scenario.count; trip++) {
    const number = first + trip;
    if (role === 'a') send(number);
    if (receive() !== number) throw new Error('a number was lost or changed');
    if (role === 'b') send(number);
    // One look at the clock for each trip: the end of one is the start of the next.
    const now = performance.now();
    roundTripsUs.push((now - last) * 1_000);
    last = now;
  }
  return { roundTripsUs: roundTripsUs.slice(warmUpOf(scenario.count)) };
}

async function overPort({ scenario, role, first, port }: TripTask): Promise<TripReport> {
  const roundTripsUs: number[] = [];
  const { promise: all, resolve: finish, reject } = Promise.withResolvers<void>();
  let trip = 0;
  let last = performance.now();
  port.on('message', (number: number) => {
    if (number !== first + trip) reject(new Error('a number was lost or changed'));
    trip++;
    if (role === 'b') port.postMessage(number);
    const now = performance.now();
    roundTripsUs.push((now - last) * 1_000);
    last = now;
    if (trip === scenario.count) finish();
    else if (role === 'a') port.postMessage(first + trip);
  });
  if (role === 'a') port.postMessage(first);
  await all;
  return { roundTripsUs: roundTripsUs.slice(warmUpOf(scenario.count)) };
}
