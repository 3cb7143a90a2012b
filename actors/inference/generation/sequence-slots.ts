/**
 * Who has a sequence and who waits for one, in the order of arrival.
 *
 * The waiting room is bounded: beyond it a request is refused at once, with a hint when to come again, since
 * everybody who waits longer than anybody wants to makes everybody behind wait too.
 */
import { SpillwayError } from '../../../kernel/index.ts';

/** A request's place. */
export interface Slot {
  /** Resolves when it has a sequence: true, or when it left before: false. */
  readonly granted: Promise<boolean>;
  /** Gives up the place, or the sequence, which is free again then. */
  leave(): void;
}

interface Place {
  readonly resolve: (granted: boolean) => void;
  /** Undefined while it waits. */
  grantedMs: number | undefined;
  hasLeft: boolean;
}

/** Share of the latest stay in the mean. */
const SMOOTHING = 0.2;
/** Before any request has ended nobody knows how long one takes. */
const RETRY_MS_UNKNOWN = 1_000;
const RETRY_MS_MIN = 10;

export class SequenceSlots {
  readonly #waitingMax: number;
  readonly #nowMs: () => number;
  readonly #sequences: number;
  readonly #waiting: Place[] = [];
  #free: number;
  #meanStayMs: number | undefined;

  /** @param waitingMax requests that may wait while all sequences are taken */
  constructor(sequences: number, waitingMax: number, nowMs: () => number) {
    this.#sequences = sequences;
    this.#free = sequences;
    this.#waitingMax = waitingMax;
    this.#nowMs = nowMs;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** @throws SpillwayError `generation_overloaded` with `details.retryAfterMs` */
  enter(): Slot {
    if (this.#free === 0 && this.#waiting.length >= this.#waitingMax) {
      const retryAfterMs = this.#untilPlaceMs();
      throw new SpillwayError(
        'generation_overloaded',
        `All ${this.#sequences} sequences are taken and ${this.#waiting.length} requests wait; try again in about ${retryAfterMs} ms.`,
        { details: { retryAfterMs, waiting: this.#waiting.length } },
      );
    }
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const place: Place = { resolve, grantedMs: undefined, hasLeft: false };
    if (this.#free > 0) this.#grant(place);
    else this.#waiting.push(place);
    return { granted: promise, leave: () => this.#leave(place) };
  }

  #grant(place: Place): void {
    this.#free--;
    place.grantedMs = this.#nowMs();
    place.resolve(true);
  }

  #leave(place: Place): void {
    if (place.hasLeft) return;
    place.hasLeft = true;
    if (place.grantedMs === undefined) {
      this.#waiting.splice(this.#waiting.indexOf(place), 1);
      place.resolve(false);
      return;
    }
    const stayMs = this.#nowMs() - place.grantedMs;
    this.#meanStayMs = this.#meanStayMs === undefined ? stayMs : this.#meanStayMs + (stayMs - this.#meanStayMs) * SMOOTHING;
    this.#free++;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#grant(next);
  }

  /** Until one of the sequences is free and the first who waits has left the waiting room. */
  #untilPlaceMs(): number {
    return this.#meanStayMs === undefined ? RETRY_MS_UNKNOWN : Math.max(RETRY_MS_MIN, Math.ceil(this.#meanStayMs / this.#sequences));
  }
}
