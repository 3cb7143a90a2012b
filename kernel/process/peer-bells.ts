/** Hears in a process when something was written for any of its peers: their bells are rung here, where nobody else is. */
import type { Doorbell } from 'atomics-ring-buffer';

interface Bell {
  readonly bell: Doorbell;
  isListening: boolean;
}

export class PeerBells {
  readonly #onRing: () => void;
  readonly #bells = new Map<number, Bell>();

  constructor(onRing: () => void) {
    this.#onRing = onRing;
  }

  add(thread: number, bell: Doorbell): void {
    if (!this.#bells.has(thread)) this.#bells.set(thread, { bell, isListening: false });
    this.arm();
  }

  /** From now on the next record for a peer is heard. Whatever was written before must have been looked at. */
  arm(): void {
    for (const bell of this.#bells.values()) if (!bell.isListening) this.#listen(bell);
  }

  #listen(entry: Bell): void {
    entry.bell.arm();
    const rung = entry.bell.parkAsync(Infinity);
    // Nobody can have rung between the two, for there is no other thread.
    if (rung === undefined) return;
    entry.isListening = true;
    void this.#hear(entry, rung);
  }

  async #hear(entry: Bell, rung: Promise<unknown>): Promise<void> {
    await rung;
    entry.isListening = false;
    this.#onRing();
  }
}
