/** How the benches of single steps take the time. */

/** Takes a step so many times. */
export type Loop = (times: number) => void;

/** The least that a turn of a loop took in runs of a fraction of a millisecond. */
export function bestNs(loop: Loop, timeMs: number): number {
  let times = 64;
  let best = Infinity;
  for (const end = performance.now() + timeMs * 2; performance.now() < end; ) {
    const startedAt = performance.now();
    loop(times);
    const elapsedMs = performance.now() - startedAt;
    best = Math.min(best, (elapsedMs * 1e6) / times);
    if (elapsedMs < 0.25) times *= 2;
  }
  return best;
}
