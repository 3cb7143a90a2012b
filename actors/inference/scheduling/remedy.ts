/**
 * What is done about a unit that a worker did not answer. Embedding again is always safe, because it gives the same
 * vector again.
 *
 * | the worker's error                    | its texts                                   | the worker         |
 * |---------------------------------------|---------------------------------------------|--------------------|
 * | `ask_refused`                         | go again, at most `RETURNS_MAX` times       | pauses             |
 * | `actor_stopped`, `system_closed`      | go again, to others                         | is not asked again |
 * | `ask_cancelled`                       | go again, at most `RETURNS_MAX` times       | goes on            |
 * | `message_too_large`                   | go again in units half the size; one: fails | goes on            |
 * | `ask_deadline` of those who wait      | go again for whoever came later             | goes on            |
 * | `ask_deadline` of the worker          | go again, each alone; twice alone: fails    | goes on            |
 * | any other, `actor_restarted` above all| go again, each alone; twice alone: fails    | has failed         |
 *
 * Only texts for which somebody still waits go again. The last row finds the text that a model cannot take. After a
 * failure every text of the unit is suspected, and goes alone: its neighbours then have their vectors, and the one that fails its worker again, twice, gets the worker's
 * error as its reason. Halving the unit again and again would find it as well, and fail the worker once more for each
 * half; a worker that failed has to load its model again, and its supervisor gives up when it does so too often.
 */
import { SpillwayError } from '../../../kernel/index.ts';
import type { TextJob } from './text-job.ts';
import type { Unit } from './unit.ts';

/** Workers that failed with a text alone, before it is told that it failed. One may be a coincidence. */
const FAILURES_MAX = 2;
/** With the pauses after refusals, a quarter of a minute. */
const RETURNS_MAX = 20;

export type DeskFate = 'goes_on' | 'pauses' | 'failed' | 'gone';

export function deskFate(error: unknown): DeskFate {
  switch (codeOf(error)) {
    case 'ask_refused':
      return 'pauses';
    case 'actor_stopped':
    case 'system_closed':
      return 'gone';
    case 'ask_deadline':
    case 'ask_cancelled':
    case 'message_too_large':
      return 'goes_on';
    default:
      return 'failed';
  }
}

/** Prepares a text of a unit that came back for its next try. @returns false if there is none */
export function tryAgain(job: TextJob, error: unknown, { jobs: { length: unitTexts }, isHurried }: Pick<Unit, 'jobs' | 'isHurried'>): boolean {
  const fate = deskFate(error);
  // Each such try has a later deadline than the one before, or nobody waits any more.
  if (isHurried && codeOf(error) === 'ask_deadline') return true;
  if (fate === 'failed' || codeOf(error) === 'ask_deadline') {
    job.companionsMax = 1;
    // With others, any of them may have been the cause.
    if (unitTexts === 1) job.failures++;
    return job.failures < FAILURES_MAX;
  }
  if (codeOf(error) === 'message_too_large') {
    job.companionsMax = Math.ceil(unitTexts / 2);
    return unitTexts > 1;
  }
  // As many workers as there are can be gone, and no more.
  return fate === 'gone' || ++job.returns < RETURNS_MAX;
}

/** For the outcome of a text. */
export function reasonOf(error: unknown): string {
  if (error instanceof SpillwayError) return `${error.code}: ${error.message}`;
  return error instanceof Error ? error.message : String(error);
}

function codeOf(error: unknown): string | undefined {
  return error instanceof SpillwayError ? error.code : undefined;
}
