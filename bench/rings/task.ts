/** What the threads and the processes of the rings bench tell each other. */
import type { MessagePort } from 'node:worker_threads';
import type { WasmMemory } from '../alternatives/wasm-assembler.ts';

/** Ways to carry records of bytes from one thread to another. */
export const RECORD_WAYS = ['ring', 'ringbuf.js', 'thread-stream', 'port'] as const;
/** Rejected ways; see alternatives/rings.ts. */
export const REJECTED_WAYS = ['wasm steps', 'wasm whole'] as const;
export type RecordWay = (typeof RECORD_WAYS)[number] | (typeof REJECTED_WAYS)[number];

/** Ways to carry a number to another thread and back. */
export const TRIP_WAYS = ['ring', 'bare wait', 'port'] as const;
export type TripWay = (typeof TRIP_WAYS)[number];

/** Ways to carry typed objects. */
export const OBJECT_WAYS = ['ring', 'port'] as const;
export type ObjectWay = (typeof OBJECT_WAYS)[number];

export type Scenario =
  | {
      readonly name: 'records';
      readonly way: RecordWay;
      /** A multiple of 8. */
      readonly payloadBytes: number;
      readonly count: number;
      /** Records that are published together; 1 publishes each by itself. */
      readonly batch: number;
    }
  | { readonly name: 'trips'; readonly way: TripWay; readonly count: number }
  | { readonly name: 'objects'; readonly way: ObjectWay; readonly count: number; readonly batch: number };

/** What one of the two threads gets. */
export interface Task<S extends Scenario = Scenario> {
  readonly scenario: S;
  readonly role: 'a' | 'b';
  /** Number of the first message, drawn anew for each pair, so that no result can be known beforehand. */
  readonly first: number;
  /** Shared memory from `a` to `b`, and back. */
  readonly there: SharedArrayBuffer;
  readonly back: SharedArrayBuffer;
  readonly port: MessagePort;
  /** Only of the ways that need it. */
  readonly wasm?: WasmMemory;
}

export type ScenarioNamed<N extends Scenario['name']> = Extract<Scenario, { name: N }>;

/** All messages but those of the warm-up, as their receiver saw them. */
export interface FlowReport {
  readonly messages: number;
  readonly elapsedMs: number;
}

/** Each trip but those of the warm-up. */
export interface TripReport {
  readonly roundTripsUs: readonly number[];
}

export const RING_BYTES = 2 ** 20;
/** Records that a receiver takes before it gives their room back. */
export const POLL_LIMIT = 256;

/** Until then the code is still being compiled, on the same core if there is but one. */
export function warmUpOf(count: number): number {
  return Math.floor(count / 4);
}
