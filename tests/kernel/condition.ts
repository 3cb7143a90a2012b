/** Waiting for what other threads do: a condition that is looked at often, and a bound that fails the test. */
import { setTimeout as pause } from 'node:timers/promises';

export async function until(condition: () => boolean | Promise<boolean>, what: string, withinMs = 20_000): Promise<void> {
  const endMs = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`Not within ${withinMs} ms: ${what}.`);
    await pause(2);
  }
}
