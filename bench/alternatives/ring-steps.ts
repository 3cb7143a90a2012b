/**
 * What the single steps of a ring cost in V8, and so why the ring and its bench take them as they do. One
 * thread, nothing contended; nanoseconds, the best of several runs.
 *
 *   atomics     from JavaScript they are calls of built-in functions; the same instructions from WebAssembly
 *               are compiled in line, although the call into it costs too
 *   header      two 32-bit stores against one 64-bit store that carries both words
 *   copies      `set` copies with atomic loads and stores when one side is shared memory; a loop over words
 *               does not, and `Buffer.copy` is memmove, unless it is given a whole Buffer, when it is `set`
 *
 * Each step has a loop of its own: one that is shared by several steps would have to call them. Copies are
 * measured in a process for each size (ring-copies.ts), so that V8 knows the arrays as constants, as it does in
 * rings/payload.ts.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { table } from '../statistics.ts';
import { bestNs } from './ring-step.ts';
import type { Loop } from './ring-step.ts';
import { I32, createWasmMemory, instantiate, op } from './wasm-assembler.ts';

export interface RingStepsResult {
  readonly stepsNs: Readonly<Record<string, number>>;
  readonly copiesNs: readonly { readonly bytes: number; readonly waysNs: Readonly<Record<string, number>> }[];
}

const COPY_BYTES = [8, 64, 256, 512, 1024, 4096, 65_536] as const;
const TAIL_WORD = 32;
const BELL_WORD = 96;

export function run({ timeMs = 100, print = () => {} }: { readonly timeMs?: number; readonly print?: (line: string) => void } = {}): RingStepsResult {
  const stepsNs = Object.fromEntries(Object.entries(steps()).map(([name, loop]) => [name, bestNs(loop, timeMs)]));
  const copiesNs = COPY_BYTES.map((bytes) => ({ bytes, waysNs: copies(bytes, timeMs) }));
  const cell = (ns: number): string => ns.toFixed(ns < 100 ? 1 : 0);
  for (const line of table([['one step', 'ns'], ...Object.entries(stepsNs).map(([name, ns]) => [name, cell(ns)])])) print(line);
  print('');
  const ways = Object.keys(copiesNs[0]!.waysNs);
  for (const line of table([['one copy, ns', ...ways], ...copiesNs.map(({ bytes, waysNs }) => [`${bytes} bytes`, ...ways.map((way) => cell(waysNs[way]!))])])) print(line);
  return { stepsNs, copiesNs };
}

function steps(): Record<string, Loop> {
  const memory = createWasmMemory(1);
  const words = new Int32Array(memory.buffer);
  const cells = new Float64Array(memory.buffer);
  const { i32, get } = op;
  const wasm = instantiate({
    pages: 1,
    globals: [],
    functions: [
      { name: 'load', params: [], results: [I32], code: [i32(0), op.atomicLoad(4 * BELL_WORD)] },
      { name: 'store', params: [I32], results: [], code: [i32(0), get(0), op.atomicStore(4 * TAIL_WORD)] },
      { name: 'publish', params: [I32], results: [I32], code: [i32(0), get(0), op.atomicStore(4 * TAIL_WORD), i32(0), op.atomicLoad(4 * BELL_WORD)] },
    ],
  }, memory) as { load: () => number; store: (value: number) => void; publish: (value: number) => number };
  // What is loaded is kept, so that no load can be left out.
  const keep = new Int32Array(1);
  const pair = new Int32Array(2);
  const carrier = new Float64Array(pair.buffer);
  return {
    'plain load': (times) => {
      for (let i = 0; i < times; i++) keep[0]! += words[(i & 63) + BELL_WORD]!;
    },
    'Atomics.load': (times) => {
      for (let i = 0; i < times; i++) keep[0]! += Atomics.load(words, (i & 63) + BELL_WORD);
    },
    'WebAssembly load': (times) => {
      for (let i = 0; i < times; i++) keep[0]! += wasm.load();
    },
    'plain store': (times) => {
      for (let i = 0; i < times; i++) words[(i & 63) + TAIL_WORD] = i;
    },
    'Atomics.store': (times) => {
      for (let i = 0; i < times; i++) Atomics.store(words, TAIL_WORD, i);
    },
    'WebAssembly store': (times) => {
      for (let i = 0; i < times; i++) wasm.store(i);
    },
    'Atomics.store, Atomics.load': (times) => {
      for (let i = 0; i < times; i++) {
        Atomics.store(words, TAIL_WORD, i);
        keep[0]! += Atomics.load(words, BELL_WORD);
      }
    },
    'WebAssembly store and load in one call': (times) => {
      for (let i = 0; i < times; i++) keep[0]! += wasm.publish(i);
    },
    'header as two 32-bit stores': (times) => {
      for (let i = 0; i < times; i++) {
        const word = (i & 1023) << 1;
        words[word] = i;
        words[word + 1] = 1;
      }
    },
    'header as one 64-bit store, packed in memory': (times) => {
      for (let i = 0; i < times; i++) {
        pair[0] = i;
        pair[1] = 1;
        cells[i & 1023] = carrier[0]!;
      }
    },
  };
}

/** Each way to copy so many bytes, measured in a process of its own. */
function copies(bytes: number, timeMs: number): Record<string, number> {
  const script = fileURLToPath(new URL('./ring-copies.ts', import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [script, String(bytes), String(timeMs)], { encoding: 'utf8' })) as Record<string, number>;
}
