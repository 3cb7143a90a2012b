/**
 * Decides what goes to a worker next: which class, how much of it, and which texts.
 *
 * A unit is made of what waits already, and of one class, so that nobody's answer waits for texts of a class
 * below. Of the two that share the workers' hands, normal goes first until `URGENT_SHARE` units' worth of
 * it have gone while bulk waited; then bulk has one unit. So while bulk waits, at most (URGENT_SHARE + 1) units' worth
 * of normal go between two of its units.
 *
 * A unit's budget is what its worker does in `unitMs`, as measured. Towards the end of what waits it is an even share of
 * the rest instead, so that no worker is left with a full unit while the others have nothing.
 */
import { UNITS_IN_HAND, URGENT_SHARE, type Desk } from './desk.ts';
import type { ScheduledModel } from './embed-request.ts';
import type { FairQueue, JobSource } from './fair-queue.ts';
import { LikeLengths } from './like-lengths.ts';
import { BATCH_UNITS_MAX, URGENT_UNITS_MAX, batchTextsMax, urgentTextsMax } from './message-limits.ts';
import type { TextJob } from './text-job.ts';
import type { TokenScale } from './token-scale.ts';
import { UnitDraft } from './unit-draft.ts';

/** Of a worker whose speed is not known yet. */
const FIRST_UNIT_TOKENS = 512;
const UNIT_TOKENS_MAX = 2_048;
/** A backend that computes texts together needs some of them, however slow it is. */
const FUSED_TOKENS_MIN = 1_024;
/** Urgent texts wait for the urgent unit in hand, so it is shorter than others. */
const URGENT_PART = 1 / 4;
/** Texts in the window for like lengths, for each text that fits into a unit. */
const WINDOW_UNITS = 4;

interface Filler {
  fill(draft: UnitDraft): void;
}

export interface UnitBuilderSpec {
  readonly interactive: FairQueue;
  readonly normal: FairQueue;
  readonly bulk: FairQueue;
  readonly model: ScheduledModel;
  readonly workers: number;
  readonly unitMs: number;
  readonly scale: TokenScale;
  readonly cost: (job: TextJob) => number;
}

export class UnitBuilder {
  readonly #spec: UnitBuilderSpec;
  readonly #textsMax: number;
  readonly #urgentTextsMax: number;
  readonly #tokensMin: number;
  readonly #interactive: Filler;
  readonly #normal: Filler;
  readonly #bulk: Filler;
  /** Sent while bulk waited. */
  #normalTokensSinceBulk = 0;

  constructor(spec: UnitBuilderSpec) {
    const { fusedTextsMax, fusedTokensMax, dimensions } = spec.model;
    this.#spec = spec;
    this.#textsMax = batchTextsMax(dimensions);
    this.#urgentTextsMax = Math.max(1, urgentTextsMax(dimensions));
    this.#tokensMin = fusedTextsMax > 1 ? Math.min(fusedTokensMax, FUSED_TOKENS_MIN) : 1;
    const filler = (queue: FairQueue): Filler => (fusedTextsMax > 1 ? new LikeLengths(queue, this.#textsMax * WINDOW_UNITS) : inOrder(queue));
    this.#interactive = inOrder(spec.interactive);
    this.#normal = filler(spec.normal);
    this.#bulk = filler(spec.bulk);
  }

  /** @returns undefined if no interactive text waits */
  urgent(desk: Desk): UnitDraft | undefined {
    const { interactive } = this.#spec;
    const tokens = Math.min(this.#budget(desk) * URGENT_PART, this.#share(interactive.waitingTexts, interactive.waitingUnits));
    const draft = this.#draft({ texts: this.#urgentTextsMax, units: URGENT_UNITS_MAX, tokens });
    this.#interactive.fill(draft);
    return draft.jobs.length === 0 ? undefined : draft;
  }

  /** @returns undefined if neither a normal nor a bulk text waits */
  ordinary(desk: Desk): UnitDraft | undefined {
    const { normal, bulk } = this.#spec;
    const budget = Math.max(this.#tokensMin, this.#budget(desk));
    const share = this.#share(normal.waitingTexts + bulk.waitingTexts, normal.waitingUnits + bulk.waitingUnits);
    const draft = this.#draft({ texts: this.#textsMax, units: BATCH_UNITS_MAX, tokens: Math.min(budget, share) });
    const isBulksTurn = this.#normalTokensSinceBulk >= URGENT_SHARE * budget;
    if (!isBulksTurn) this.#normal.fill(draft);
    const isNormal = draft.jobs.length > 0;
    if (!isNormal) this.#bulk.fill(draft);
    if (draft.jobs.length > 0) {
      this.#normalTokensSinceBulk = isNormal && bulk.waitingTexts > 0 ? this.#normalTokensSinceBulk + draft.tokens : 0;
      return draft;
    }
    if (!isBulksTurn) return undefined;
    this.#normalTokensSinceBulk = 0;
    this.#normal.fill(draft);
    return draft.jobs.length === 0 ? undefined : draft;
  }

  #budget({ tokensPerMs }: Desk): number {
    return tokensPerMs === undefined ? FIRST_UNIT_TOKENS : Math.min(UNIT_TOKENS_MAX, tokensPerMs * this.#spec.unitMs);
  }

  /** An even share of what waits, for each unit that the workers may have in hand. */
  #share(texts: number, units: number): number {
    return this.#spec.scale.tokensOf(texts, units) / (this.#spec.workers * UNITS_IN_HAND);
  }

  #draft(bounds: { texts: number; units: number; tokens: number }): UnitDraft {
    return new UnitDraft(bounds, this.#spec.cost);
  }
}

/** In the order of the queue, until the unit is full. */
function inOrder(source: JobSource): Filler {
  return {
    fill(draft) {
      for (let job = source.peek(); job !== undefined && draft.tryAdd(job); job = source.peek()) source.take();
    },
  };
}
