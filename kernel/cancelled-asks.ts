/**
 * Asks that were cancelled while their message still waited in the data lane: the cancel came by the
 * control lane and overtook it. Bounded: past the bound the oldest is forgotten, and its message is
 * then handled for nobody, which is work lost but never a wrong answer.
 */
import type { Envelope } from './envelope.ts';

/** Correlations begin anew with every life of the asker's thread, so its incarnation belongs to them. */
export type AskIdentity = Pick<Envelope, 'from' | 'incarnation' | 'correlation'>;

export function isSameAsk(a: AskIdentity, b: AskIdentity): boolean {
  return a.from === b.from && a.incarnation === b.incarnation && a.correlation === b.correlation;
}

const CAPACITY = 1_024;

export class CancelledAsks {
  readonly #keys = new Set<string>();

  add(ask: AskIdentity): void {
    this.#keys.add(keyOf(ask));
    if (this.#keys.size > CAPACITY) this.#keys.delete(this.#keys.values().next().value!);
  }

  /** Whether this ask was cancelled; forgets it. */
  take(ask: AskIdentity): boolean {
    return this.#keys.size > 0 && this.#keys.delete(keyOf(ask));
  }
}

function keyOf({ from, incarnation, correlation }: AskIdentity): string {
  return `${from}:${incarnation}:${correlation}`;
}
