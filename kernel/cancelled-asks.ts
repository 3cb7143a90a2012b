/**
 * Asks that were cancelled while their message still waited in the data lane: the cancel came by the
 * control lane and overtook it. Bounded: past the bound the oldest is forgotten, and its message is
 * then handled for nobody, which is work lost but never a wrong answer.
 */
import type { Address } from './address.ts';

const CAPACITY = 1_024;

export class CancelledAsks {
  readonly #keys = new Set<string>();

  add(from: Address, correlation: number): void {
    this.#keys.add(keyOf(from, correlation));
    if (this.#keys.size > CAPACITY) this.#keys.delete(this.#keys.values().next().value!);
  }

  /** Whether this ask was cancelled; forgets it. */
  take(from: Address, correlation: number): boolean {
    return this.#keys.size > 0 && this.#keys.delete(keyOf(from, correlation));
  }
}

function keyOf(from: Address, correlation: number): string {
  return `${from}:${correlation}`;
}
