/**
 * Whether a request is accepted: what its class may hold, what its key may hold of that, and how long it would wait.
 *
 * One key never has all: it may hold `KEY_FACTOR` times what is free, so that with n keys that take all they get, there
 * is still one part in `KEY_FACTOR · n + 1` free for the next one. After A. Choudhury and E. Hahne, "Dynamic Queue
 * Length Thresholds for Shared-Memory Packet Switches" (IEEE/ACM Transactions on Networking, 1998).
 *
 * A wait is estimated as the tokens that are ahead over the tokens that the workers are measured to do. Keys take turns, so
 * ahead of a request is at most as much of each other key as its own key has waiting.
 */
import { SpillwayError } from '../../../kernel/index.ts';
import { URGENT_SHARE } from './desk.ts';
import type { Desks } from './desks.ts';
import type { Priority } from './embed-request.ts';
import { QUANTUM_TOKENS, type FairQueue } from './fair-queue.ts';
import type { CompleteLimits } from './scheduler-limits.ts';
import type { TokenScale } from './token-scale.ts';

const KEY_FACTOR = 4;
/** Of what a class may hold, the part that a single key may. */
const KEY_PART = KEY_FACTOR / (KEY_FACTOR + 1);
const RETRY_MS_MIN = 10;
const RETRY_MS_MAX = 60_000;
/** As long as no speed is known. */
const RETRY_MS_DEFAULT = 1_000;
const BYTES_PER_UNIT = 2;

export interface Demand {
  readonly priority: Priority;
  readonly key: string;
  readonly texts: number;
  /** Their UTF-16 units. */
  readonly units: number;
}

export interface RoomSpec {
  readonly queues: Readonly<Record<Priority, FairQueue>>;
  readonly limits: CompleteLimits;
  readonly desks: Desks;
  readonly scale: TokenScale;
}

export class Room {
  readonly #spec: RoomSpec;

  constructor(spec: RoomSpec) {
    this.#spec = spec;
  }

  /** Texts that a request may have now; 0 while a request would be refused because it would wait for too long. */
  texts(priority: Priority, key: string): number {
    if (this.estimatedWaitMs(priority, key) > this.#spec.limits[priority].waitMsMax) return 0;
    const { textsMax } = this.#spec.limits[priority];
    const queue = this.#spec.queues[priority];
    return freeOf(textsMax, queue.heldTexts, queue.find(key)?.heldTexts ?? 0);
  }

  /** Why a request is not accepted, or undefined. */
  refusal(demand: Demand): SpillwayError | undefined {
    return this.tooLarge(demand) ?? this.#overload(demand);
  }

  /** Why a request is never accepted, or undefined. */
  tooLarge({ priority, texts, units }: Demand): SpillwayError | undefined {
    const limits = this.#spec.limits[priority];
    const textsMax = Math.floor(limits.textsMax * KEY_PART);
    const bytesMax = Math.floor(limits.bytesMax * KEY_PART);
    const bytes = units * BYTES_PER_UNIT;
    if (texts <= textsMax && bytes <= bytesMax) return undefined;
    return new SpillwayError(
      'embed_request_too_large',
      `A ${priority} request may have at most ${textsMax} texts of ${bytesMax} bytes; this one has ${texts} of ${bytes}. Send it in parts, and wait for room between them.`,
      { details: { texts, textsMax, bytes, bytesMax } },
    );
  }

  /** Milliseconds until a request's first text is sent, as estimated; 0 as long as no speed is known. */
  estimatedWaitMs(priority: Priority, key: string): number {
    const { desks } = this.#spec;
    const { tokensPerMs } = desks;
    return tokensPerMs === undefined ? 0 : this.#tokensAhead(priority, key) / tokensPerMs;
  }

  #overload({ priority, key, texts, units }: Demand): SpillwayError | undefined {
    const { limits, queues, desks, scale } = this.#spec;
    const { textsMax, bytesMax, waitMsMax } = limits[priority];
    const queue = queues[priority];
    const lane = queue.find(key);
    const textsMissing = texts - freeOf(textsMax, queue.heldTexts, lane?.heldTexts ?? 0);
    const unitsMissing = units - freeOf(bytesMax / BYTES_PER_UNIT, queue.heldUnits, lane?.heldUnits ?? 0);
    const estimatedWaitMs = this.estimatedWaitMs(priority, key);
    const excessMs = estimatedWaitMs - waitMsMax;
    if (textsMissing <= 0 && unitsMissing <= 0 && excessMs <= 0) return undefined;
    const { tokensPerMs } = desks;
    const missingTokens = scale.tokensOf(Math.max(0, textsMissing), Math.max(0, unitsMissing));
    const roomMs = tokensPerMs === undefined ? RETRY_MS_DEFAULT : missingTokens / tokensPerMs;
    const retryAfterMs = Math.ceil(Math.min(RETRY_MS_MAX, Math.max(RETRY_MS_MIN, excessMs, roomMs)));
    const why = excessMs > 0 ? `it would wait for about ${Math.round(estimatedWaitMs)} ms, and may wait for ${waitMsMax}` : `as many ${priority} texts are held as may be`;
    return new SpillwayError('embed_overloaded', `The request was not accepted: ${why}. Try again in ${retryAfterMs} ms.`, {
      details: { retryAfterMs, waitingTexts: queue.waitingTexts, estimatedWaitMs: Math.round(estimatedWaitMs) },
    });
  }

  #tokensAhead(priority: Priority, key: string): number {
    const { queues: { interactive, normal, bulk }, desks } = this.#spec;
    const urgent = this.#waiting(interactive);
    if (priority === 'interactive') return this.#ahead(interactive, key) + desks.urgentTokens;
    const inHand = desks.ordinaryTokens + desks.urgentTokens;
    if (priority === 'normal') {
      const own = this.#ahead(normal, key);
      return urgent + own + Math.min(own / URGENT_SHARE, this.#waiting(bulk)) + inHand;
    }
    return urgent + this.#waiting(normal) + this.#ahead(bulk, key) + inHand;
  }

  /** Tokens of the request's own class. */
  #ahead(queue: FairQueue, key: string): number {
    const lane = queue.find(key);
    const own = lane === undefined ? 0 : this.#spec.scale.tokensOf(lane.waitingTexts, lane.waitingUnits);
    const others = queue.activeLanes - (own > 0 ? 1 : 0);
    return Math.min(this.#waiting(queue), own + others * (own + QUANTUM_TOKENS));
  }

  #waiting({ waitingTexts, waitingUnits }: FairQueue): number {
    return this.#spec.scale.tokensOf(waitingTexts, waitingUnits);
  }
}

/** The largest n with `held by the key + n ≤ KEY_FACTOR · (most − held by all − n)`. */
function freeOf(most: number, heldByAll: number, heldByKey: number): number {
  return Math.max(0, Math.floor((KEY_FACTOR * (most - heldByAll) - heldByKey) / (KEY_FACTOR + 1)));
}
