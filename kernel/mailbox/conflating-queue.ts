/**
 * A queue in which a message takes the place of the one before it with the same key.
 *
 * The latest goes to the place of the older and not to the end, because a key that changes often would
 * otherwise never get to the front. Each message lies in an entry of its own, which is what the map of
 * keys points to: the queue itself cannot be written to in the middle.
 */
import Denque from 'denque';

export type ConflationKey = string | number;

interface Entry<M> {
  message: M;
  readonly key: ConflationKey | undefined;
}

export class ConflatingQueue<M> {
  readonly #entries = new Denque<Entry<M>>();
  readonly #byKey = new Map<ConflationKey, Entry<M>>();

  get length(): number {
    return this.#entries.length;
  }

  /** @returns the length after it */
  push(message: M, key: ConflationKey | undefined): number {
    const entry: Entry<M> = { message, key };
    if (key !== undefined) this.#byKey.set(key, entry);
    return this.#entries.push(entry);
  }

  /** Puts the message in the place of the one with the same key. @returns that one, or undefined if none is queued */
  replace(message: M, key: ConflationKey): M | undefined {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return undefined;
    const older = entry.message;
    entry.message = message;
    return older;
  }

  shift(): M | undefined {
    const entry = this.#entries.shift();
    if (entry?.key !== undefined) this.#byKey.delete(entry.key);
    return entry?.message;
  }

  toArray(): M[] {
    return this.#entries.toArray().map(({ message }) => message);
  }
}
