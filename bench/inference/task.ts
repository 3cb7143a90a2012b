/** What the parts of the inference bench say to each other: who takes part, what they are asked, what they report. */

/** Who embeds, in the order of the tables. */
export const WAYS = [
  'Spillway',
  'Spillway, unrouted',
  'Spillway, isolated',
  'C++ loop on libllama',
  'llama-server over HTTP',
  'node-llama-cpp, a context per core',
  'node-llama-cpp, Promise.all',
  'node-llama-cpp, in turn',
  'node-llama-cpp, defaults',
  'onnxruntime-node, tuned by hand',
  'transformers.js pipeline',
] as const;
export type Way = (typeof WAYS)[number];

export interface BenchModel {
  readonly format: 'gguf' | 'onnx';
  /** As it is printed: `Q8_0`, `fp32`. */
  readonly type: string;
  /** The file, or the folder as Hugging Face lays it out. */
  readonly path: string;
}

/** One way with one model, in a process of its own. */
export interface Entrant {
  readonly way: Way;
  readonly model: BenchModel;
  /** Threads that compute, for the ways that can choose. */
  readonly cores: number;
  /** Threads of libuv's pool, in place of what suits the way. */
  readonly poolThreads?: number;
}

/** Texts of so many tokens each, special ones included; `mixed` is log-uniform from 8 to 256. */
export type TextLength = number | 'mixed';

export interface Workload {
  readonly length: TextLength;
  /** Share of the texts that repeat an earlier one. Default 0. */
  readonly repeated?: number;
}

/** What a process is asked, one at a time, and what it answers. */
export interface Tasks {
  /** Tries the way's variants on this workload and keeps the fastest for it, and one nearly as fast; also its warm-up. */
  readonly prepare: { readonly request: { readonly workload: Workload }; readonly report: Choice };
  /** About so many seconds of work, at the pace that was found when it was prepared. */
  readonly measure: { readonly request: { readonly workload: Workload; readonly seconds: number }; readonly report: Rate };
  /** The vectors of these texts by every variant, of length 1. */
  readonly vectors: { readonly request: { readonly texts: readonly string[] }; readonly report: readonly Vectors[] };
  /** Single texts against a load that keeps every core busy. */
  readonly urgency: { readonly request: UrgencyRequest; readonly report: UrgencyReport };
  /** How late the event loop of its main thread is. */
  readonly delay: { readonly request: DelayRequest; readonly report: DelayReport };
}
export type TaskName = keyof Tasks;

export interface Choice {
  /** Empty where there is only one. */
  readonly variant: string;
  readonly textsPerSecond: number;
}

export interface Rate {
  readonly texts: number;
  readonly seconds: number;
}

export interface Vectors {
  readonly variant: string;
  readonly rows: readonly Float32Array[];
}

export interface UrgencyRequest {
  readonly seconds: number;
  readonly bulkTokens: number;
  readonly queryTokens: number;
}

export interface UrgencyReport {
  /** Milliseconds of each request when nothing else runs. */
  readonly aloneMs: readonly number[];
  /** The same under load, from the moment that it should have been sent. */
  readonly loadedMs: readonly number[];
  /** Texts of the load per second meanwhile. */
  readonly bulkPerSecond: number;
}

export interface DelayRequest {
  readonly seconds: number;
}

export interface Delay {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface DelayReport {
  readonly idle: Delay;
  readonly loaded: Delay;
  readonly textsPerSecond: number;
}

/** Sent to the child. */
export type Message = { readonly [N in TaskName]: { readonly name: N; readonly request: Tasks[N]['request'] } }[TaskName];

/** What the child answers; its first one, after loading, has neither. */
export interface Answer {
  readonly report?: unknown;
  readonly error?: string;
}
