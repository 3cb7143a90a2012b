/**
 * Scenarios of the broadcast ring: a writer that waits for nobody, and readers that are overtaken.
 *
 * The smallest ring holds four records of 8 bytes of payload. What a reader gets must be whole and in
 * order, and what it does not get must be counted: delivered and lost together are what was sent.
 */
import assert from 'node:assert/strict';
import type { Rings } from '../ring-source.ts';
import type { Process, Scenario, Thread } from '../scenario.ts';
import { readRecord, writeRecord } from './records.ts';

interface BroadcastPlan {
  readonly name: string;
  readonly capacityBytes?: number;
  /** Bytes of payload of each record. */
  readonly payloads: readonly number[];
  /** Records that are written before any schedule begins. */
  readonly written?: number;
  readonly readers?: number;
  readonly limit?: number;
  readonly wait?: 'parking';
  readonly mortal?: boolean;
  readonly deaths?: number;
  readonly preemptionsMax?: number;
  readonly isLong?: boolean;
}

const PAYLOAD = 8;

/** So many records of 8 bytes. */
function eights(count: number): readonly number[] {
  return Array.from({ length: count }, () => PAYLOAD);
}

export const BROADCAST_SCENARIOS: readonly Scenario[] = [
  broadcast({ name: 'broadcast, reader is overtaken', payloads: eights(7), written: 4 }),
  broadcast({ name: 'broadcast, reader is overtaken by records of two sizes', capacityBytes: 256, payloads: [24, 24, 24, 24, 24, 24, 24, 8, 24, 8, 24], written: 8, limit: 2 }),
  broadcast({ name: 'broadcast, 2 readers park', payloads: eights(3), readers: 2, limit: 2, wait: 'parking', isLong: true }),
  broadcast({ name: 'broadcast, 2 readers park, 2 records', payloads: eights(2), readers: 2, limit: 2, wait: 'parking', preemptionsMax: 3 }),
  broadcast({ name: 'broadcast, writer dies', payloads: eights(7), written: 4, mortal: true }),
  broadcast({ name: 'broadcast, writer dies, reader parks', payloads: eights(6), written: 4, wait: 'parking', mortal: true }),
];

const OVERWRITTEN = 'what is read here is thrown away unless OLDEST says that it was not overwritten meanwhile';

function broadcast(plan: BroadcastPlan): Scenario {
  const { payloads, written = 0, limit = 1 } = plan;
  return {
    name: plan.name,
    isLong: plan.isLong === true,
    isReordered: true,
    preemptionsMax: plan.preemptionsMax ?? Infinity,
    deaths: plan.mortal === true ? (plan.deaths ?? 1) : 0,
    prepare({ rings, layout }) {
      const buffer = rings.createBroadcastRing({ capacityBytes: plan.capacityBytes ?? 64 });
      const maxRecords = 8;
      const writer: Process = {
        name: 'writer',
        mortal: plan.mortal === true,
        run(thread) {
          const dead = thread.life === 0 ? 0 : new rings.BroadcastObserver(buffer).producerIncarnation;
          const end = new rings.BroadcastProducer(buffer, { successorOf: dead });
          for (let number = end.published + 1; number <= payloads.length; number++) {
            if (thread.life === 0 && number === written + 1) thread.start();
            thread.checkpoint(end, number);
            const offset = end.tryClaim(1, payloads[number - 1]!);
            writeRecord(end.memory, offset, payloads[number - 1]!, number);
            end.commit();
          }
          end.close();
        },
      };
      const names = Array.from({ length: plan.readers ?? 1 }, (_, index) => `reader ${index + 1}`);
      return {
        // The readers attach first.
        processes: [...names.map((name) => ({ name, run: (thread: Thread) => read(rings, thread, new rings.BroadcastReader(buffer), limit, plan.wait) })), writer],
        benignRaces: { records: OVERWRITTEN, index: OVERWRITTEN },
        nameOf(byte) {
          if (byte < layout.HEADER_BYTES) return undefined;
          const index = (byte - layout.HEADER_BYTES) / 4;
          return index < maxRecords ? `index+${index}` : `records+${byte - layout.HEADER_BYTES - maxRecords * 4}`;
        },
        check({ lives }) {
          let lostByAll = 0;
          for (const name of names) {
            const [notes = []] = lives(name);
            const got = notes.filter(({ what }) => what === 'got').map(({ values }) => values[0]!);
            const lost = notes.find(({ what }) => what === 'lost')!.values[0]!;
            assert.deepEqual(got, got.toSorted((one, other) => one - other), `${name} got its records in order`);
            assert.equal(new Set(got).size, got.length, `${name} got no record twice`);
            assert.equal(got.length + lost, payloads.length, `${name}: delivered and lost`);
            lostByAll += lost;
          }
          const { counters, depth } = new rings.BroadcastObserver(buffer);
          assert.deepEqual([counters.offered, counters.lost, counters.overwritten + depth], [payloads.length, lostByAll, payloads.length]);
        },
      };
    },
  };
}

type Reader = InstanceType<Rings['BroadcastReader']>;

function read(rings: Rings, thread: Thread, reader: Reader, limit: number, wait: BroadcastPlan['wait']): void {
  thread.start();
  const strategy = new rings.ParkingWait(reader.doorbell);
  const hasWork = (): boolean => reader.hasRecord || reader.closed;
  for (;;) {
    thread.checkpoint(reader, strategy);
    const handled = reader.poll((_kind, offset, length) => thread.note('got', readRecord(reader.memory, offset, length)), limit);
    if (handled > 0) continue;
    const { closed } = reader;
    if (reader.hasRecord) continue;
    if (closed) break;
    if (wait === undefined) thread.idle();
    else strategy.wait(hasWork, Infinity);
  }
  thread.note('lost', reader.lost);
}
