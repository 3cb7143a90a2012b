/**
 * Begins a life, on a thread or in a process, when there are its caretaker and its loop: gives it what was known of
 * its surroundings before, and has it ended in order by whatever goes wrong outside of any handler.
 */
import type { Caretaker } from './caretaker.ts';
import type { PeerLink } from './link.ts';
import type { PreparedActor } from './preparation.ts';
import type { ThreadLoop } from './thread-loop.ts';

export interface LifeBegin {
  readonly links: readonly PeerLink[];
  readonly args: unknown;
  prepare(): Promise<PreparedActor>;
  /** The last that is called, also when an actor calls `process.exit`. */
  onExit(): void;
}

/** @returns settled when the loop has come to its end */
export async function beginLife(caretaker: Caretaker, loop: ThreadLoop, { links, args, prepare, onExit }: LifeBegin): Promise<void> {
  for (const link of links) caretaker.runtime.addLink(link);
  // A defect outside any handler ends the actor the same way; Node would end the thread at once and
  // with it, if a native call is in flight, the process.
  process.on('uncaughtException', (error) => void caretaker.crash(error));
  process.on('unhandledRejection', (error) => void caretaker.crash(error));
  process.on('exit', onExit);
  // Before the first turn of the loop, which must already know that an actor is coming.
  const started = caretaker.start(prepare, args);
  await Promise.all([started, loop.run()]);
}
