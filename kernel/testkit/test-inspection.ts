/** What can be seen of a test system from outside: its threads, their counters and boards, and whether the books are balanced. */
import { formatAddress } from '../address.ts';
import type { BoardEntry } from '../board.ts';
import type { Clock } from '../clock.ts';
import { THREAD_COUNTERS, type ThreadCounter, type ThreadState } from '../thread-block.ts';
import type { TestThread } from './test-thread.ts';
import type { TestThreads } from './test-threads.ts';

export interface TestThreadInspection {
  readonly id: number;
  readonly name: string;
  readonly state: ThreadState;
  readonly incarnation: number;
  readonly restarts: number;
  /** Whether it has a message that it could handle now. */
  readonly hasWork: boolean;
  /** Whether something that found no room waits to be sent again. */
  readonly isHeldUp: boolean;
  /** Asks of this thread that have not ended. */
  readonly asks: number;
  /** Streaming answers that actors of this thread have not ended. */
  readonly streams: number;
  readonly counters: Readonly<Record<ThreadCounter, number>>;
  readonly actors: readonly BoardEntry[];
}

export interface TestInspection {
  readonly nowMs: number;
  readonly steps: number;
  /** Those that live. */
  readonly threads: readonly TestThreadInspection[];
  /** Links with records that have not arrived, as `from>to.lane`. */
  readonly onTheWay: readonly string[];
}

export function inspectionOf(threads: TestThreads, clock: Clock, steps: number): TestInspection {
  return {
    nowMs: clock.monotonicMs(),
    steps,
    threads: threads.all.filter(({ isAlive }) => isAlive).map(inspectionOfThread),
    onTheWay: threads.relay.pumps.filter(({ hasRecord }) => hasRecord).map(({ key }) => key),
  };
}

function inspectionOfThread({ name, runtime }: TestThread): TestThreadInspection {
  const { block, board } = runtime;
  const counters = Object.fromEntries(THREAD_COUNTERS.map((counter) => [counter, block.counters.read(counter)]));
  return {
    id: runtime.thread,
    name,
    state: block.state,
    incarnation: block.incarnation,
    restarts: block.restarts,
    hasWork: runtime.hasWork(),
    isHeldUp: !runtime.handling.outbox.isEmpty || !runtime.post.sends.isEmpty,
    asks: runtime.asks.size,
    streams: runtime.streams.size,
    counters: counters as Record<ThreadCounter, number>,
    actors: [...board.entries(block.places)],
  };
}

/** For every actor: arrived = handled + failed + shed + expired + dead letters + what waits + what is in its hands. */
export function imbalancesOf(threads: readonly TestThread[]): string[] {
  return threads.flatMap(({ isAlive, name, runtime }) => {
    if (!isAlive) return [];
    return [...runtime.table.cells].flatMap((cell) => {
      if (cell.isKernel) return [];
      const held = runtime.board.levelOf(cell.place) + cell.controlLevel + cell.telemetryLevel + (cell.inFlight?.size ?? 0) + (cell.redelivery?.isDue === true ? 1 : 0);
      const open = runtime.board.openMessages(cell.place);
      if (held === open) return [];
      return [`${cell.name} (${formatAddress(cell.address)} on ${name}) has ${held} messages, and its board says ${open}: ${JSON.stringify(runtime.board.entry(cell.place)?.counts)}.`];
    });
  });
}
