/**
 * How a thread is left whose end, or that of a thread below it, could take the process down: libuv completes a
 * native call on the thread that made it, and an add-on that then finds no JavaScript to answer to aborts the
 * process. Two ends can be turned into orderly ones:
 *
 *   process.exit in the actor   is replaced: the thread is left once the calls have ended. The function must not
 *                               return to who called it, so it throws.
 *   process.exit, or an error   Node calls the listeners of `exit` before it ends any thread below, and waits for
 *   that nobody catches, in     them. They have the threads end in order, from the application through the
 *   the threads above           guardian to those with native calls, and stand still until they have.
 *
 * A thread that runs out of memory is ended without any of its code being called: that cannot be helped.
 */
import type { Doorbell } from 'atomics-ring-buffer';
import { syncBuiltinESMExports } from 'node:module';
import { systemClock } from './clock.ts';

/** The longest that a process is kept from its end. Then it ends all the same, and may be aborted. */
const OUTLAST_MS = 30_000;
const LOOK_MS = 1;

/** Thrown to whoever called `process.exit`: it ends what they are about, and is no failure of its own. */
export class ThreadIsLeft extends Error {
  override readonly name = 'ThreadIsLeft';
}

/**
 * Has `process.exit` of this thread leave it in order.
 * @param leave leaves it once nothing keeps it
 * @returns the function as it was
 */
export function leaveInOrder(leave: (code: number) => void): (code: number) => never {
  const exit = process.exit.bind(process);
  process.exit = (code) => {
    const exitCode = Number(code ?? process.exitCode ?? 0);
    leave(exitCode);
    throw new ThreadIsLeft(`process.exit(${exitCode}) was called on a thread that makes native calls, or holds others that do; it ends once they have come back.`);
  };
  // For those who import `exit` by its name.
  syncBuiltinESMExports();
  return exit;
}

/** Holds this thread, event loop and all, until there is nothing to wait for any more. @param bell its own */
export function standStill(bell: Doorbell, isOver: () => boolean): void {
  const endMs = systemClock.monotonicMs() + OUTLAST_MS;
  while (!isOver() && systemClock.monotonicMs() < endMs) {
    bell.arm();
    bell.park(LOOK_MS);
    bell.disarm();
  }
}
