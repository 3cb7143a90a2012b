/** The functions that the pools of these tests run; a gate in shared memory says when they may go on. */
import { SharedWords } from 'atomics-ring-buffer';
import { setTimeout as pause } from 'node:timers/promises';
import type { WorkContext } from '../../../kernel/work-pool/work-messages.ts';

const GATE_WORDS = ['begun', 'open', 'ended'] as const;

export class Gate {
  readonly memory: SharedArrayBuffer;
  readonly words: SharedWords<(typeof GATE_WORDS)[number]>;

  constructor(memory = new SharedArrayBuffer(SharedWords.bytes(GATE_WORDS))) {
    this.memory = memory;
    this.words = new SharedWords(memory, 0, GATE_WORDS);
  }

  get begun(): number {
    return this.words.load('begun');
  }

  get ended(): number {
    return this.words.load('ended');
  }

  open(): void {
    this.words.store('open', 1);
  }
}

export function echo(value: unknown): unknown {
  return value;
}

/** Waits for the gate and serves its event loop; heeds a cancel. */
export async function hold(memory: SharedArrayBuffer, { isCancelled }: WorkContext): Promise<'open' | 'cancelled'> {
  const { words } = new Gate(memory);
  words.add('begun', 1);
  while (words.load('open') === 0 && !isCancelled()) await pause(1);
  words.add('ended', 1);
  return isCancelled() ? 'cancelled' : 'open';
}

/** Computes without a break, and heeds a cancel. */
export function spin(memory: SharedArrayBuffer, { isCancelled }: WorkContext): void {
  const { words } = new Gate(memory);
  words.add('begun', 1);
  while (!isCancelled());
  words.add('ended', 1);
}

/** Computes without a break and heeds nothing. */
export function spinForever(memory: SharedArrayBuffer): never {
  new Gate(memory).words.add('begun', 1);
  for (;;);
}

export function fail({ code }: { code: string }): never {
  throw Object.assign(new RangeError('the chunk has no end'), { code });
}

export function failWithoutText(): never {
  throw Object.create(null);
}

export function uncopyable(): { run: () => void } {
  return { run: () => undefined };
}

export function exit(code: number): never {
  process.exit(code);
}

/** Dies of an exception that belongs to no promise, after the gate. */
export async function crash(memory: SharedArrayBuffer): Promise<never> {
  const { words } = new Gate(memory);
  words.add('begun', 1);
  while (words.load('open') === 0) await pause(1);
  setImmediate(() => {
    throw new Error('stray exception');
  });
  return new Promise(() => {});
}

/** Returns, and leaves an exception behind that comes after the gate. */
export function throwLater(memory: SharedArrayBuffer): void {
  const { words } = new Gate(memory);
  setInterval(() => {
    if (words.load('open') === 1) throw new Error('stray exception');
  }, 1);
}

export function growHeap(): number {
  const held: number[][] = [];
  for (;;) held.push(Array.from({ length: 10_000 }, (_, index) => index + held.length));
}

export const version = 3;
