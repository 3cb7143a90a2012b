/**
 * The ring against its peers, all between two threads of one process, each pair in a process of its own:
 *
 *   records   a ── bytes ──> b      8 bytes to 64 KiB, published one by one and in batches
 *   trips     a <── number ──> b    one number in the air; the waiting side sleeps
 *   objects   a ── object ──> b     an object with three strings, encoded and decoded
 *
 * The peers for records are a C++ ring of the same framing (rings/spsc.cpp, compiled on the spot), ringbuf.js,
 * thread-stream and a MessagePort. Everyone copies each record from private memory and to private memory, in
 * a ring of the same capacity, begins at a random place and proves what arrived (see rings/payload.ts).
 *
 * A figure is the best of the rounds, in which all ways take turns: what else the machine does can only
 * make a way slower. Ratios are those of best figures. Round trips are measured as bench/lanes.ts does and
 * for the same reason: with both threads on one core, and as the system places them.
 */
import { recordBytes } from 'atomics-ring-buffer';
import { compileCppRing } from './rings/cpp.ts';
import type { CppRing } from './rings/cpp.ts';
import { PLACEMENTS, pair, placements } from './rings/launch.ts';
import type { Placement } from './rings/launch.ts';
import { OBJECT_WAYS, RECORD_WAYS, RING_BYTES, TRIP_WAYS } from './rings/task.ts';
import type { FlowReport, ObjectWay, TripReport, TripWay } from './rings/task.ts';
import { quantile, table } from './statistics.ts';

/** No round begins that would probably end later. */
const BUDGET_MS = 210_000;
const PAYLOAD_BYTES = [8, 64, 256, 4096, 65_536] as const;
const BATCHED_RECORDS = 32;
type Peer = (typeof RECORD_WAYS)[number] | 'C++';

export interface RecordRow {
  readonly payloadBytes: number;
  /** Records that are published together. */
  readonly batch: number;
  /** Records per second, the best of the rounds. C++ is missing where there is no compiler. */
  readonly perSecond: Partial<Record<Peer, number>>;
}

export interface ObjectRow {
  readonly batch: number;
  readonly perSecond: Record<ObjectWay, number>;
}

export interface Trip {
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface Expectation {
  readonly what: string;
  readonly bound: string;
  readonly found: number;
  readonly isMet: boolean;
  readonly note?: string;
}

export interface RingsResult {
  readonly records: readonly RecordRow[];
  /** Of the round with the lowest median. */
  readonly trips: Partial<Record<Placement, Record<TripWay, Trip>>>;
  readonly objects: readonly ObjectRow[];
  readonly expectations: readonly Expectation[];
}

export interface RingsOptions {
  /** At most so many; fewer when they would take more than BUDGET_MS. */
  readonly rounds?: number;
  /** Scales how many messages are sent. */
  readonly scale?: number;
  readonly print?: (line: string) => void;
}

/** How much of each way fits into a few tenths of a second: records one by one, in batches, and bytes. */
const BUDGETS: Readonly<Record<Peer, { readonly single: number; readonly batched: number; readonly bytes: number }>> = {
  ring: { single: 2e6, batched: 8e6, bytes: 2 ** 31 },
  'C++': { single: 8e6, batched: 16e6, bytes: 2 ** 31 },
  'ringbuf.js': { single: 2e6, batched: 8e6, bytes: 2 ** 30 },
  'thread-stream': { single: 4e5, batched: 2e6, bytes: 2 ** 28 },
  port: { single: 1e5, batched: 1e6, bytes: 2 ** 28 },
};
/** Many where they are short, so that most of them run compiled. */
const TRIPS: Readonly<Record<Placement, number>> = { 'one core': 150_000, 'as placed': 30_000 };
const OBJECT_BATCHES = [1, BATCHED_RECORDS] as const;
const OBJECTS: Readonly<Record<ObjectWay, number>> = { ring: 1.5e6, port: 1e5 };

export async function run({ rounds = 5, scale = 1, print = () => {} }: RingsOptions = {}): Promise<RingsResult> {
  const cpp = await compileCppRing();
  print(cpp === undefined ? 'There is no g++ here: the rows of C++ are left out.' : `C++: ${cpp.compiler}, -O3`);
  try {
    const best = new Best();
    const startedAt = performance.now();
    let done = 0;
    // On a busy machine a round takes longer; it then makes do with fewer.
    for (let lastMs = 0; done < rounds && performance.now() - startedAt + lastMs < BUDGET_MS; done++) {
      const roundAt = performance.now();
      await measureRound(best, cpp, scale);
      lastMs = performance.now() - roundAt;
    }
    print(`The best of ${done} rounds.`);
    return report(best, cpp !== undefined, print);
  } finally {
    await cpp?.remove();
  }
}

/** The best figures so far. */
class Best {
  readonly perSecond = new Map<string, number>();
  readonly trips = new Map<string, Trip>();

  flow(key: string, { messages, elapsedMs }: FlowReport): void {
    this.perSecond.set(key, Math.max(this.perSecond.get(key) ?? 0, (messages / elapsedMs) * 1_000));
  }

  trip(key: string, { roundTripsUs }: TripReport): void {
    const p50Us = quantile(roundTripsUs, 0.5);
    if (p50Us < (this.trips.get(key)?.p50Us ?? Infinity)) this.trips.set(key, { p50Us, p99Us: quantile(roundTripsUs, 0.99) });
  }
}

const recordKey = (peer: Peer, payloadBytes: number, batch: number): string => `${peer} ${payloadBytes} ${batch}`;
const objectKey = (way: ObjectWay, batch: number): string => `${way} objects ${batch}`;
const tripKey = (way: TripWay, placement: Placement): string => `${way} ${placement}`;

/** 1 and as many as a quarter of the ring takes, but no more than BATCHED_RECORDS. */
function batches(payloadBytes: number): number[] {
  return [1, Math.min(BATCHED_RECORDS, Math.floor(RING_BYTES / 4 / recordBytes(payloadBytes)))];
}

async function measureRound(best: Best, cpp: CppRing | undefined, scale: number): Promise<void> {
  for (const payloadBytes of PAYLOAD_BYTES) {
    for (const batch of batches(payloadBytes)) {
      for (const peer of [...RECORD_WAYS, 'C++'] as const) {
        const { single, batched, bytes } = BUDGETS[peer];
        const records = Math.min(batch === 1 ? single : batched, bytes / payloadBytes) * scale;
        const count = Math.ceil(records / batch) * batch;
        const key = recordKey(peer, payloadBytes, batch);
        if (peer !== 'C++') best.flow(key, await pair({ name: 'records', way: peer, payloadBytes, count, batch }));
        else if (cpp !== undefined) best.flow(key, await cpp.measure(payloadBytes, count, batch));
      }
    }
  }
  for (const placement of placements()) {
    for (const way of TRIP_WAYS) best.trip(tripKey(way, placement), await pair({ name: 'trips', way, count: Math.ceil(TRIPS[placement] * scale) }, placement));
  }
  for (const batch of OBJECT_BATCHES) {
    for (const way of OBJECT_WAYS) best.flow(objectKey(way, batch), await pair({ name: 'objects', way, batch, count: Math.ceil(OBJECTS[way] * scale) }));
  }
}

function report(best: Best, hasCpp: boolean, print: (line: string) => void): RingsResult {
  const peers: Peer[] = ['ring', ...(hasCpp ? (['C++'] as const) : []), 'ringbuf.js', 'thread-stream', 'port'];
  const records: RecordRow[] = PAYLOAD_BYTES.flatMap((payloadBytes) => {
    return batches(payloadBytes).map((batch) => ({
      payloadBytes,
      batch,
      perSecond: Object.fromEntries(peers.map((peer) => [peer, best.perSecond.get(recordKey(peer, payloadBytes, batch))!])),
    }));
  });
  const others = peers.slice(1);
  const times = (ratio: number): string => `${ratio.toFixed(ratio < 10 ? 2 : 0)} x`;
  for (const line of table([
    ['records, million/s', 'batch', ...peers, ...others.map((peer) => `ring/${peer}`)],
    ...records.map(({ payloadBytes, batch, perSecond }) => [
      `${payloadBytes} bytes`,
      String(batch),
      ...peers.map((peer) => million(perSecond[peer]!)),
      ...others.map((peer) => times(perSecond.ring! / perSecond[peer]!)),
    ]),
  ])) print(line);

  const trips: Partial<Record<Placement, Record<TripWay, Trip>>> = {};
  for (const placement of PLACEMENTS) {
    if (!best.trips.has(tripKey('ring', placement))) continue;
    trips[placement] = Object.fromEntries(TRIP_WAYS.map((way) => [way, best.trips.get(tripKey(way, placement))!])) as Record<TripWay, Trip>;
  }
  print('');
  for (const line of table([
    ['parked round trip, us', ...TRIP_WAYS, 'ring/bare wait', 'port/ring'],
    ...Object.entries(trips).flatMap(([placement, byWay]) => (['p50Us', 'p99Us'] as const).map((q) => [
      `${placement}, ${q.slice(0, 3)}`,
      ...TRIP_WAYS.map((way) => byWay[way][q].toFixed(1)),
      times(byWay.ring[q] / byWay['bare wait'][q]),
      times(byWay.port[q] / byWay.ring[q]),
    ])),
  ])) print(line);

  const objects: ObjectRow[] = OBJECT_BATCHES.map((batch) => ({
    batch,
    perSecond: Object.fromEntries(OBJECT_WAYS.map((way) => [way, best.perSecond.get(objectKey(way, batch))!])) as Record<ObjectWay, number>,
  }));
  print('');
  for (const line of table([
    ['objects with three strings, million/s', 'batch', ...OBJECT_WAYS, 'ring/port'],
    ...objects.map(({ batch, perSecond }) => [
      'encoded, carried, decoded',
      String(batch),
      ...OBJECT_WAYS.map((way) => million(perSecond[way])),
      times(perSecond.ring / perSecond.port),
    ]),
  ])) print(line);

  const expectations = expectationsOf(records, trips, objects);
  print('');
  for (const line of table([
    ['expected', 'bound', 'found', '', ''],
    ...expectations.map(({ what, bound, found, isMet, note = '' }) => [what, bound, found.toFixed(2), isMet ? 'met' : 'NOT MET', note]),
  ])) print(line);
  return { records, trips, objects, expectations };
}

/** What this repository promises of its ring, each with what was found. */
function expectationsOf(records: readonly RecordRow[], trips: RingsResult['trips'], objects: readonly ObjectRow[]): Expectation[] {
  const row = (payloadBytes: number, isBatched: boolean): RecordRow['perSecond'] => {
    return records.find((row) => row.payloadBytes === payloadBytes && row.batch > 1 === isBatched)!.perSecond;
  };
  const least = (what: string, bound: number, found: number): Expectation => ({ what, bound: `>= ${bound}`, found, isMet: found >= bound });
  const most = (what: string, bound: number, found: number): Expectation => ({ what, bound: `<= ${bound}`, found, isMet: found <= bound });
  const batched64 = row(64, true);
  const expectations: Expectation[] = [];
  if (batched64['C++'] !== undefined) {
    expectations.push(least('64 bytes batched, of C++', 0.5, batched64.ring! / batched64['C++']));
    for (const isBatched of [false, true]) {
      const large = row(65_536, isBatched);
      expectations.push(least(`64 KiB ${isBatched ? 'batched' : 'single'}, of C++`, 0.8, large.ring! / large['C++']!));
    }
  }
  expectations.push(least('64 bytes batched, times the port with a message for each', 60, batched64.ring! / row(64, false).port!));
  for (const [placement, byWay] of Object.entries(trips)) {
    const { ring, port } = byWay;
    expectations.push(most(`round trip ${placement}, of a bare wait`, 1.3, ring.p50Us / byWay['bare wait'].p50Us));
    const ofPort = most(`round trip ${placement}, of the port`, 0.333, ring.p50Us / port.p50Us);
    expectations.push({ ...ofPort, note: `a bare wait: ${(byWay['bare wait'].p50Us / port.p50Us).toFixed(2)}` });
  }
  for (const { batch, perSecond } of objects) {
    expectations.push(least(`objects with three strings ${batch === 1 ? 'single' : 'batched'}, million/s`, 5, perSecond.ring / 1e6));
  }
  return expectations;
}

function million(perSecond: number): string {
  const millions = perSecond / 1e6;
  return millions.toFixed(millions >= 10 ? 1 : 3);
}
