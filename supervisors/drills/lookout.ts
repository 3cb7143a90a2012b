/**
 * Sees what becomes of the subject after the fault, from outside: it reads shared memory and takes notes of
 * the answers that come back. It asks nobody, so what it sees is there whoever hangs.
 */
import { systemClock } from '../../kernel/index.ts';
import type { System, ThreadView } from '../system.ts';
import type { DrillTimeline } from './drill.ts';
import type { LoadEvent } from './load.ts';

/** What an asker is told when an actor has ended with its message. */
const END_CODES: ReadonlySet<string> = new Set(['actor_restarted', 'actor_stopped']);

export class Lookout {
  readonly #system: System;
  readonly #thread: ThreadView | undefined;
  readonly #incarnation: number;
  readonly #beganMs = systemClock.monotonicMs();
  #detectedMs: number | undefined;
  #notReadyMs: number | undefined;
  #restartedMs: number | undefined;
  #readyMs: number | undefined;

  /** @param thread of the child that is to fail, if it has one to itself */
  constructor(system: System, thread: ThreadView | undefined) {
    this.#system = system;
    this.#thread = thread;
    this.#incarnation = thread?.incarnation ?? 0;
  }

  /** Looks once. The moments are those behind the looks: nothing is seen before it is there. */
  look(): void {
    if (this.#thread !== undefined) {
      const { state, incarnation } = this.#thread;
      if (incarnation !== this.#incarnation || state === 'restarting' || state === 'crashed') this.#detectedMs ??= systemClock.monotonicMs();
    }
    if (this.#notReadyMs === undefined && !this.#system.readiness().ready) this.#notReadyMs = systemClock.monotonicMs();
  }

  /** Takes note of what has come back to the load. */
  note(event: LoadEvent): void {
    if ('failure' in event) {
      if (END_CODES.has(event.failure.code)) this.#detectedMs ??= systemClock.monotonicMs();
      return;
    }
    const { startedMs, handledMs } = event.acknowledgement;
    if (startedMs < this.#beganMs || this.#restartedMs !== undefined) return;
    this.#restartedMs = startedMs;
    this.#readyMs = handledMs;
  }

  /** For a fault that the supervisor has no part in. */
  noteDetected(): void {
    this.#detectedMs ??= systemClock.monotonicMs();
  }

  /** When the supervisor decided, by its own word; looks may have been too far apart to see that. */
  noteDecided(atMs: number): void {
    this.#detectedMs = Math.min(atMs, this.#detectedMs ?? Infinity);
  }

  noteReady(): void {
    this.#readyMs ??= systemClock.monotonicMs();
  }

  get hasRestarted(): boolean {
    return this.#restartedMs !== undefined;
  }

  /** Milliseconds since the fault. The order is that of the events, each at the moment when it was first seen. */
  timeline(faultMs: number): DrillTimeline {
    const since = (atMs: number | undefined): number | undefined => (atMs === undefined ? undefined : Math.max(0, atMs - faultMs));
    // A life that has started was missed before; the looks may have been too far apart to see that.
    const detectedMs = since(this.#detectedMs ?? this.#restartedMs);
    const moments = { detectedMs, notReadyMs: since(this.#notReadyMs), restartedMs: since(this.#restartedMs), readyMs: since(this.#readyMs) };
    if (detectedMs !== undefined && moments.restartedMs !== undefined) moments.detectedMs = Math.min(detectedMs, moments.restartedMs);
    return Object.fromEntries(Object.entries(moments).filter(([, atMs]) => atMs !== undefined));
  }
}
