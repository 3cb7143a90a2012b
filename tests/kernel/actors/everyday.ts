/** What people do in workers and have complained about: timers beside messages, large arrays, heaps that fill up, work that is cancelled. */
import { defineActor, defineProtocol } from '../../../kernel/index.ts';

const floats = { elements: { type: 'float64' }, metadata: { typedArray: true } } as const;

export const everydayProtocol = defineProtocol('everyday', {
  /** Holds the whole thread for HOLD_MS. */
  hold: { request: { properties: {} }, reply: { properties: { thread: { type: 'uint32' } } } },
  /** Works step by step until it is cancelled or has done `steps`. */
  work: { request: { properties: { steps: { type: 'uint32' } } }, reply: { properties: { steps: { type: 'uint32' } } } },
  echo: { request: { properties: { number: { type: 'uint32' } } }, reply: { properties: { number: { type: 'uint32' }, incarnation: { type: 'uint32' } } } },
  note: { request: { properties: { number: { type: 'uint32' } } } },
  /** Twice each value of the rows, which lie within other things. */
  double: {
    request: { properties: { table: { properties: { rows: { elements: { properties: { values: floats } } } } } } },
    reply: { properties: { table: { properties: { rows: { elements: { properties: { values: floats } } } } } } },
  },
  /** How often its interval has run. */
  ticks: { request: { properties: {} }, reply: { properties: { ticks: { type: 'uint32' } } } },
  fillHeap: { request: { properties: { kind: { enum: ['objects', 'one_array'] } } }, reply: { properties: {} } },
  never: { request: { properties: {} }, reply: { properties: {} } },
  crash: { lane: 'control', request: { properties: {} } },
  exit: { lane: 'control', request: { properties: {} } },
  /** Changes what it was told after it has told it on to a child. @returns what the child has */
  changeAfterTell: { request: { properties: {} }, reply: { properties: { numbers: { elements: { type: 'uint32' } } } } },
});

type EverydaySpec = typeof everydayProtocol.spec;

export const EVERYDAY_COUNTERS = ['notes', 'steps', 'holding', 'ticks'] as const;
const HOLD_MS = 250;

const keeperProtocol = defineProtocol('keeper', {
  keep: { request: { properties: { numbers: { elements: { type: 'uint32' } } } } },
  kept: { request: { properties: {} }, reply: { properties: { numbers: { elements: { type: 'uint32' } } } } },
});

const keeper = defineActor<typeof keeperProtocol.spec, undefined>({
  protocol: keeperProtocol,
  start() {
    let numbers: readonly number[] = [];
    return { handlers: { keep: (request) => void ({ numbers } = request), kept: () => ({ numbers: [...numbers] }) } };
  },
});

export const everyday = defineActor<EverydaySpec, undefined>({
  protocol: everydayProtocol,
  counters: EVERYDAY_COUNTERS,
  start(context) {
    let interval: NodeJS.Timeout | undefined;
    const heap: unknown[] = [];
    return {
      handlers: {
        hold() {
          context.counters.add('holding');
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HOLD_MS);
          return { thread: context.self };
        },
        async work({ steps }, message) {
          let step = 0;
          while (step < steps && !message.cancelled) {
            step++;
            context.counters.add('steps');
            await new Promise<void>((resolve) => context.after(0, resolve));
          }
          return { steps: step };
        },
        echo: ({ number }) => ({ number, incarnation: context.incarnation }),
        note: () => context.counters.add('notes'),
        double: ({ table }) => ({ table: { rows: table.rows.map(({ values }) => ({ values: values.map((value) => value * 2) })) } }),
        ticks() {
          interval ??= setInterval(() => context.counters.add('ticks'), 1);
          return { ticks: context.counters.read('ticks') };
        },
        fillHeap({ kind }) {
          if (kind === 'objects') for (;;) heap.push({ text: `${heap.length}`.repeat(100) });
          for (;;) heap.push(heap.length);
        },
        never() {
          context.counters.add('holding');
          return new Promise(() => {});
        },
        crash() {
          throw new Error('told to crash');
        },
        exit: () => process.exit(7),
        async changeAfterTell() {
          const child = context.spawn(keeper, undefined);
          const told = [1, 2, 3];
          child.tell('keep', { numbers: told });
          told.push(4);
          return child.ask('kept', {}, { deadlineMs: 5_000 });
        },
      },
      stop: () => clearInterval(interval),
    };
  },
});

/** The same on a thread that parks. */
export const parkedEveryday = defineActor({ ...everyday, waiting: 'park' });
