/**
 * Makes a thread go round: it handles up to a turn's worth of messages, runs the timers that are due, then
 * waits, as its actor has chosen.
 */
import { EventLoopWait, PhasedWait, type WaitStrategy } from 'atomics-ring-buffer';
import { TURN_LIMIT, type ThreadRuntime } from './thread-runtime.ts';

/** The longest sleep: a bound on every wait, and how often an idle thread shows that it lives. */
export const IDLE_MS = 1_000;
/** The longest that a stream of records keeps a thread from its event loop. */
const LOOP_TURN_MS = 1;
/** How often a thread that parks gives its event loop a chance (ports, exits, profilers). */
const PARKED_LOOP_TURN_MS = 50;

export class ThreadLoop {
  readonly #runtime: ThreadRuntime;
  readonly #blockingWait: WaitStrategy;
  readonly #loopWait: EventLoopWait;
  #waiting: 'park' | 'event_loop' = 'event_loop';

  /** @param maxSpins see PhasedWait; 0 where busy threads outnumber cores */
  constructor(runtime: ThreadRuntime, maxSpins: number) {
    this.#runtime = runtime;
    this.#blockingWait = new PhasedWait(runtime.block.doorbell, { maxSpins });
    this.#loopWait = new EventLoopWait(runtime.block.doorbell);
  }

  /** Changes how the thread waits, from the next wait on. */
  set waiting(waiting: 'park' | 'event_loop') {
    this.#waiting = waiting;
  }

  /** Runs until the runtime is ended. */
  async run(): Promise<void> {
    const runtime = this.#runtime;
    let loopTurnAtMs = 0;
    while (!runtime.isEnded) {
      const handled = runtime.handleWaiting();
      runtime.block.countTurn();
      const nowMs = runtime.clock.monotonicMs();
      const ran = runtime.advance(nowMs);
      // Before it waits, the thread lets run what handlers do once their promises are settled.
      if (nowMs >= loopTurnAtMs) {
        await nextLoopTurn();
        loopTurnAtMs = nowMs + (this.#waiting === 'park' ? PARKED_LOOP_TURN_MS : LOOP_TURN_MS);
      } else if (this.#waiting === 'park' && handled + ran > 0) await settledPromises();
      else await Promise.resolve();
      if (runtime.isEnded || handled === TURN_LIMIT) continue;
      const sleepMs = runtime.sleepMs(nowMs, this.#waiting === 'park' ? PARKED_LOOP_TURN_MS : IDLE_MS);
      if (this.#waiting === 'event_loop') await this.#loopWait.wait(runtime.hasWork, sleepMs);
      else this.#blockingWait.wait(runtime.hasWork, sleepMs);
    }
    this.#loopWait.dispose();
  }
}

function nextLoopTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when all that waits for settled promises has run: Node empties its queue of microtasks before the next tick. */
function settledPromises(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
