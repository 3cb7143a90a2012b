/**
 * Lanes of work that never pause, and the book in which each piece of it is begun and ended, so that one that never
 * ends is found.
 */
import { setTimeout as pause } from 'node:timers/promises';

const LOOK_MS = 2;

export class Lanes {
  readonly #overdueMs: number;
  readonly #open = new Map<number, { readonly what: string; readonly sinceMs: number }>();
  readonly #running: Promise<void>[] = [];
  #next = 0;
  #isPaused = false;
  #isOver = false;

  /** @param overdueMs how long a piece of work may be open before it counts as one that hangs */
  constructor(overdueMs: number) {
    this.#overdueMs = overdueMs;
  }

  get open(): number {
    return this.#open.size;
  }

  /** Does one piece of work after another until the end. */
  begin(piece: () => Promise<void>): void {
    this.#running.push(this.#lane(piece));
  }

  /** Has `work`, which must not reject, in the book while it is open. */
  async booked(what: string, work: () => Promise<void>): Promise<void> {
    const id = this.#next++;
    this.#open.set(id, { what, sinceMs: performance.now() });
    await work();
    this.#open.delete(id);
  }

  /** Begins nothing more and waits for what is open. @returns whether all of it has ended in time */
  async pause(): Promise<boolean> {
    this.#isPaused = true;
    const endMs = performance.now() + this.#overdueMs;
    while (this.#open.size > 0 && performance.now() < endMs) await pause(LOOK_MS);
    return this.#open.size === 0;
  }

  resume(): void {
    this.#isPaused = false;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    if (this.#open.size === 0 || (await this.pause())) await Promise.all(this.#running);
  }

  /** What has been open for longer than anything may be. */
  overdue(): string[] {
    const limitMs = performance.now() - this.#overdueMs;
    return [...this.#open.values()].filter(({ sinceMs }) => sinceMs < limitMs).map(({ what }) => `${what} does not end`);
  }

  async #lane(piece: () => Promise<void>): Promise<void> {
    while (!this.#isOver) {
      if (this.#isPaused) await pause(LOOK_MS);
      else await piece();
    }
  }
}
