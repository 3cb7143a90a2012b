/**
 * The worker of the cases of OTP's supervisor suite: it starts, ends and lingers as it is told, and writes into
 * a file what becomes of it, so that a test sees the same of an actor on any thread, also after its end.
 */
import { appendFileSync, existsSync } from 'node:fs';
import { basename } from 'node:path/posix';
import { runInNewContext } from 'node:vm';
import { setFlagsFromString } from 'node:v8';
import { defineActor, defineProtocol, ignored, type Behaviour } from '../../../../kernel/index.ts';

export const workerProtocol = defineProtocol('worker', {
  /** Which of its lives this is. */
  life: { request: { properties: {} }, reply: { properties: { incarnation: { type: 'uint32' } } } },
  /** Ends by itself, its work done. */
  stop: { request: { properties: {} } },
  /** Ends by itself because something else has ended. */
  shutdown: { request: { properties: {} } },
  /** Fails. */
  die: { request: { properties: {} } },
  /** Takes its thread down without a word. Only on a thread of its own. */
  exit: { request: { properties: {} } },
  /** Never ends its handler, nor lets go of its thread. Only on a thread of its own. */
  sleep: { request: { properties: {} } },
  /** Bytes in use of its thread's heap, after collections. */
  heap: { request: { properties: {} }, reply: { properties: { usedBytes: { type: 'float64' } } } },
});

export interface WorkerArgs {
  /** File for the lines that it writes: its id and `started`, `stopping` with the reason, `stopped`. */
  readonly journal?: string;
  /** Has nothing to do. */
  readonly isIgnored?: boolean;
  /** Returns from its start what is no behaviour. */
  readonly isGarbage?: boolean;
  /** Its start fails as long as there is such a file. */
  readonly failWhile?: string;
  /** Lives whose starts fail. */
  readonly failStartOf?: readonly number[];
  /** Its start goes on as long as there is such a file. */
  readonly hangWhile?: string;
  /** Its start holds its thread as long as there is such a file. Only on a thread of its own. */
  readonly holdWhile?: string;
  /** What it tells whoever has it started. */
  readonly info?: unknown;
  /** What it tells is no data. */
  readonly hasOddInfo?: boolean;
  /** Its stop goes on as long as there is such a file. */
  readonly lingerWhile?: string;
  /** Its stop fails. */
  readonly failStop?: boolean;
  /** Nothing uses it; it is large. */
  readonly load?: string;
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await pause();
}

function note(journal: string | undefined, name: string, what: string): void {
  if (journal !== undefined) appendFileSync(journal, `${basename(name)} ${what}\n`);
}

export const worker = defineActor<typeof workerProtocol.spec, WorkerArgs | undefined>({
  protocol: workerProtocol,
  async start(context, { journal, isIgnored, isGarbage, failWhile, failStartOf, hangWhile, holdWhile, info, lingerWhile, failStop, hasOddInfo } = {}) {
    const { name, incarnation } = context;
    if (isIgnored === true) return ignored();
    if (isGarbage === true) return 'garbage' as unknown as Behaviour<typeof workerProtocol.spec>;
    if (failStartOf?.includes(incarnation) === true || (failWhile !== undefined && existsSync(failWhile))) throw new Error('told to fail in start');
    while (holdWhile !== undefined && existsSync(holdWhile));
    if (hangWhile !== undefined) await until(() => !existsSync(hangWhile));
    note(journal, name, 'started');
    return {
      info: hasOddInfo === true ? { run() {} } : info,
      handlers: {
        life: () => ({ incarnation }),
        stop: () => context.stopSelf(),
        shutdown: () => context.stopSelf('shutdown'),
        die() {
          throw new Error('died');
        },
        exit: () => process.exit(1),
        sleep() {
          for (;;);
        },
        async heap() {
          setFlagsFromString('--expose-gc');
          const collect = runInNewContext('gc') as () => void;
          // What the turn that asked still holds is free only after it.
          for (let round = 0; round < 3; round++) {
            await pause();
            collect();
          }
          return { usedBytes: process.memoryUsage().heapUsed };
        },
      },
      async stop(reason) {
        note(journal, name, `stopping ${reason}`);
        if (lingerWhile !== undefined) await until(() => !existsSync(lingerWhile));
        if (failStop === true) throw new Error('told to fail in stop');
        note(journal, name, 'stopped');
      },
    };
  },
});
