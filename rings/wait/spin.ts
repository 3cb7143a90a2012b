/** The loop at the bottom of every strategy that spins. */

/**
 * Looks for work up to `spins` times. The pause tells the processor that this is a wait, so that a thread
 * on the same core's other half runs faster and the loop ends without a pipeline flush.
 * @returns whether there is work
 */
export function spin(hasWork: () => boolean, spins: number): boolean {
  for (let count = 0; count < spins; count++) {
    Atomics.pause();
    if (hasWork()) return true;
  }
  return false;
}
