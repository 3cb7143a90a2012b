/** All workers of one model, and which of them gets the next unit. */
import { Desk } from './desk.ts';
import type { EmbedWorker } from './embed-request.ts';

export class Desks {
  readonly all: readonly Desk[];

  constructor(workers: readonly EmbedWorker[]) {
    this.all = workers.map((worker) => new Desk(worker));
  }

  get isGone(): boolean {
    return this.all.every(({ isGone }) => isGone);
  }

  get unitsInHand(): number {
    return this.#sum(({ ordinary, urgent }) => ordinary.length + urgent.length);
  }

  get ordinaryTokens(): number {
    return this.#sum((desk) => desk.ordinaryTokens);
  }

  get urgentTokens(): number {
    return this.#sum((desk) => desk.urgentTokens);
  }

  /** Of all workers; those that are not known yet count as the average of the others. Undefined if none is known. */
  get tokensPerMs(): number | undefined {
    let sum = 0;
    let known = 0;
    let present = 0;
    for (const { isGone, tokensPerMs } of this.all) {
      if (isGone) continue;
      present++;
      if (tokensPerMs === undefined) continue;
      sum += tokensPerMs;
      known++;
    }
    return known === 0 ? undefined : (sum / known) * present;
  }

  /** Who has the fewest units in hand; of several, the one with the fewest tokens. */
  forOrdinary(nowMs: number): Desk | undefined {
    return this.#least((desk) => desk.takesOrdinary(nowMs), (a, b) => a.ordinary.length - b.ordinary.length || a.ordinaryTokens - b.ordinaryTokens);
  }

  /** Who, `besides` one, has the least urgent work; of several, who has nothing else that would have to be waited for. */
  forUrgent(nowMs: number, besides?: Desk): Desk | undefined {
    return this.#least(
      (desk) => desk !== besides && desk.takesUrgent(nowMs),
      (a, b) => Number(a.isRecovering) - Number(b.isRecovering) || a.urgentTokens - b.urgentTokens || a.ordinary.length - b.ordinary.length,
    );
  }

  #least(takes: (desk: Desk) => boolean, compare: (a: Desk, b: Desk) => number): Desk | undefined {
    let least: Desk | undefined;
    for (const desk of this.all) {
      if (takes(desk) && (least === undefined || compare(desk, least) < 0)) least = desk;
    }
    return least;
  }

  #sum(of: (desk: Desk) => number): number {
    return this.all.reduce((sum, desk) => sum + of(desk), 0);
  }
}
