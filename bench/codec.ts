/**
 * Encode and decode on one thread: the flat codec against msgpackr, JSON and structuredClone.
 *
 *   value ── encode ──> bytes (shared memory for the flat codec) ── decode ──> value
 *
 * The flat codec pays here for measuring the record first, as a sender must. The copier is what takes
 * its place between actors of one thread. JSON cannot carry typed arrays; its rows are plain arrays in
 * the last case, made beforehand.
 */
import { SharedMemory, compileCodec, compileCopier } from 'atomics-ring-buffer';
import type { JtdSchema } from 'atomics-ring-buffer';
import { Packr } from 'msgpackr';
import { Bench } from 'tinybench';

export interface CodecBenchOptions {
  /** How long each task runs. */
  readonly timeMs?: number;
  readonly print?: (line: string) => void;
}

export interface CodecBenchRow {
  readonly case: string;
  readonly way: string;
  /** One encode and one decode, in nanoseconds; the median. */
  readonly medianNs: number;
}

interface Case {
  readonly name: string;
  readonly value: unknown;
  readonly json: unknown;
  readonly schema: JtdSchema;
  /** How often a task repeats its work, so that the timer's own cost does not show. */
  readonly repeat: number;
}

const rows = Array.from({ length: 32 }, (_, row) => {
  return Float32Array.from({ length: 256 }, (_, column) => Math.sin(row + column));
});
const texts = Array.from({ length: 32 }, (_, index) => {
  return `${index}: what a dam cannot hold, a spillway lets go. `.repeat(30).slice(0, 1024);
});
const strings = { id: 'user-1042', name: 'Ada Lovelace', role: 'admin' };
const counter = { n: 1042 };
const mixed = { ...strings, score: 0.25, visits: 7 };
const scalars = { id: 1042, value: 0.25, flag: true };

const CASES: readonly Case[] = [
  {
    name: 'three short strings',
    value: strings,
    json: strings,
    schema: { properties: { id: { type: 'string' }, name: { type: 'string' }, role: { type: 'string' } } },
    repeat: 1000,
  },
  {
    name: 'three short strings, float64, uint32',
    value: mixed,
    json: mixed,
    schema: {
      properties: {
        id: { type: 'string' }, name: { type: 'string' }, role: { type: 'string' }, score: { type: 'float64' }, visits: { type: 'uint32' },
      },
    },
    repeat: 1000,
  },
  {
    name: 'int32',
    value: counter,
    json: counter,
    schema: { properties: { n: { type: 'int32' } } },
    repeat: 1000,
  },
  {
    name: 'uint32, float64, boolean',
    value: scalars,
    json: scalars,
    schema: { properties: { id: { type: 'uint32' }, value: { type: 'float64' }, flag: { type: 'boolean' } } },
    repeat: 1000,
  },
  {
    name: '32 texts of 1 KB',
    value: texts,
    json: texts,
    schema: { elements: { type: 'string' } },
    repeat: 10,
  },
  {
    name: '32 rows of 256 float32',
    value: rows,
    json: rows.map((row) => [...row]),
    schema: { elements: { elements: { type: 'float32' }, metadata: { typedArray: true } } },
    repeat: 10,
  },
];

/** Runs every case in every way, prints a table, and returns its rows. */
export function run({ timeMs = 300, print = console.log }: CodecBenchOptions = {}): CodecBenchRow[] {
  return CASES.flatMap((benchCase) => {
    const bench = new Bench({ time: timeMs, warmupTime: timeMs / 3 });
    for (const [way, once] of Object.entries(waysOf(benchCase))) {
      bench.add(way, () => {
        for (let i = 0; i < benchCase.repeat; i++) once();
      });
    }
    bench.runSync();
    print(`\n${benchCase.name}`);
    return bench.tasks.map((task) => {
      if (!('latency' in task.result)) throw new Error(`${task.name} did not complete.`);
      const medianNs = (task.result.latency.p50 * 1e6) / benchCase.repeat;
      print(`  ${task.name.padEnd(24)}${medianNs.toFixed(medianNs < 100 ? 1 : 0).padStart(12)} ns`);
      return { case: benchCase.name, way: task.name, medianNs };
    });
  });
}

function waysOf({ schema, value, json }: Case): Record<string, () => unknown> {
  const codec = compileCodec<unknown>(schema);
  const copy = compileCopier<unknown>(schema);
  const memory = new SharedMemory(new SharedArrayBuffer(1 << 20));
  const packr = new Packr({ useRecords: false, moreTypes: true });
  const records = new Packr({ useRecords: true, moreTypes: true, structures: [] });
  const write = (): number => {
    const length = codec.byteLength(value);
    codec.encode(value, memory, 0, length);
    return length;
  };
  return {
    'flat codec': () => codec.decode(memory, 0, write()),
    'flat codec, views': () => codec.decode(memory, 0, write(), { views: true }),
    'flat codec, write only': write,
    copier: () => copy(value),
    msgpackr: () => packr.unpack(packr.pack(value)) as unknown,
    'msgpackr, records': () => records.unpack(records.pack(value)) as unknown,
    JSON: () => JSON.parse(JSON.stringify(json)) as unknown,
    structuredClone: () => structuredClone(value),
  };
}

if (import.meta.main) run();
