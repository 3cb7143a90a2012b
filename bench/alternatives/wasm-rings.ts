/**
 * A rejected design kept with its bench: the ring in WebAssembly with shared memory, against the one in
 * JavaScript. The work is that of bench/rings.ts.
 *
 *   ring         as it is shipped
 *   wasm steps   JavaScript copies payloads, WebAssembly claims, publishes and finds the next record
 *   wasm whole   WebAssembly copies too, from and to its own memory: a bound, as JavaScript's data is elsewhere
 *
 * Why it is not shipped although it is faster: its memory has to come from a WebAssembly.Memory, while the
 * ring takes any SharedArrayBuffer; it is a second program in another language, and the explorer, which runs
 * the shipped code under every interleaving, cannot step through it; pages that forbid compiling WebAssembly
 * cannot have it; and what it has ahead of the ring here is without marks, counters, doorbell and recovery.
 */
import { recordBytes } from 'atomics-ring-buffer';
import { pair } from '../rings/launch.ts';
import { REJECTED_WAYS, RING_BYTES } from '../rings/task.ts';
import type { FlowReport } from '../rings/task.ts';
import { table } from '../statistics.ts';

const WAYS = ['ring', ...REJECTED_WAYS] as const;
const PAYLOAD_BYTES = [8, 64, 4096, 65_536] as const;
const SINGLE_RECORDS = 2e6;
const BATCHED_RECORDS = 8e6;
const BYTES = 2 ** 30;

export interface WasmRow {
  readonly payloadBytes: number;
  readonly batch: number;
  /** Records per second, the best of the rounds. */
  readonly perSecond: Readonly<Record<(typeof WAYS)[number], number>>;
}

export async function run({ rounds = 4, scale = 1, print = () => {} }: { readonly rounds?: number; readonly scale?: number; readonly print?: (line: string) => void } = {}): Promise<WasmRow[]> {
  const rows = PAYLOAD_BYTES.flatMap((payloadBytes) => [1, Math.min(32, Math.floor(RING_BYTES / 4 / recordBytes(payloadBytes)))].map((batch) => ({
    payloadBytes,
    batch,
    perSecond: { ring: 0, 'wasm steps': 0, 'wasm whole': 0 },
  })));
  for (let round = 0; round < rounds; round++) {
    for (const { payloadBytes, batch, perSecond } of rows) {
      for (const way of WAYS) {
        const records = Math.min(batch === 1 ? SINGLE_RECORDS : BATCHED_RECORDS, BYTES / payloadBytes) * scale;
        const { messages, elapsedMs } = await pair<FlowReport>({ name: 'records', way, payloadBytes, batch, count: Math.ceil(records) });
        perSecond[way] = Math.max(perSecond[way], (messages / elapsedMs) * 1_000);
      }
    }
  }
  for (const line of table([
    ['records, million/s', 'batch', ...WAYS, ...REJECTED_WAYS.map((way) => `${way}/ring`)],
    ...rows.map(({ payloadBytes, batch, perSecond }) => [
      `${payloadBytes} bytes`,
      String(batch),
      ...WAYS.map((way) => (perSecond[way] / 1e6).toFixed(3)),
      ...REJECTED_WAYS.map((way) => `${(perSecond[way] / perSecond.ring).toFixed(2)} x`),
    ]),
  ])) print(line);
  return rows;
}
