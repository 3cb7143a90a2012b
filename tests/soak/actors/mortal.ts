/** An actor for long runs: it works, and ends in every way there is when it is told. Nothing here takes memory for long. */
import { defineActor, defineProtocol, type ActorDefinition } from '../../../kernel/index.ts';

export const mortalProtocol = defineProtocol('mortal', {
  /** Which life this is, and the process that it is lived in. */
  life: { request: { properties: {} }, reply: { properties: { incarnation: { type: 'uint32' }, pid: { type: 'uint32' } } } },
  echo: { request: { properties: { text: { type: 'string' } } }, reply: { properties: { text: { type: 'string' } } } },
  note: { request: { properties: { number: { type: 'uint32' } } } },
  sum: {
    request: { properties: { values: { elements: { type: 'float32' }, metadata: { typedArray: true } } } },
    reply: { properties: { sum: { type: 'float64' } } },
  },
  numbers: { request: { properties: { count: { type: 'uint32' } } }, stream: { properties: { number: { type: 'uint32' } } } },
  /** Asks the actor with that name to echo. */
  relay: { request: { properties: { name: { type: 'string' } } }, reply: { properties: {} } },
  /** What may be lost. */
  trivia: { lane: 'telemetry', request: { properties: { text: { type: 'string' } } } },
  /** What does not wait behind data. */
  urgent: { lane: 'control', request: { properties: {} }, reply: { properties: { incarnation: { type: 'uint32' } } } },
  /** Ends this life. */
  end: { lane: 'control', request: { properties: { how: { enum: ['throw', 'reject', 'exception', 'exit', 'loop'] } } } },
});

export type MortalSpec = typeof mortalProtocol.spec;
export type EndHow = 'throw' | 'reject' | 'exception' | 'exit' | 'loop';

const RELAY_MS = 10_000;

/** Counted over all lives, where the actor has its thread to itself. */
export const LEDGER_COUNTERS = ['notes'] as const;

export const mortal = mortalOf(undefined);
/** Counts the notes that it has handled. */
export const ledger = mortalOf(LEDGER_COUNTERS);

function mortalOf(counters: typeof LEDGER_COUNTERS | undefined): ActorDefinition<MortalSpec, undefined> {
  return defineActor({
    protocol: mortalProtocol,
    ...(counters === undefined ? {} : { counters }),
    start: (context) => ({
      handlers: {
        life: () => ({ incarnation: context.incarnation, pid: process.pid }),
        echo: ({ text }) => ({ text }),
        note: () => void (counters !== undefined && context.counters.add('notes')),
        sum: ({ values }) => ({ sum: values.reduce((sum, value) => sum + value, 0) }),
        *numbers({ count }) {
          for (let number = 0; number < count; number++) yield { number };
        },
        async relay({ name }) {
          const other = await context.resolve(name, mortalProtocol);
          await other.ask('echo', { text: context.name }, { deadlineMs: RELAY_MS });
          return {};
        },
        trivia: () => {},
        urgent: () => ({ incarnation: context.incarnation }),
        end({ how }) {
          switch (how) {
            case 'exit':
              process.exit(1);
              break;
            case 'loop':
              for (;;);
            case 'reject':
              void Promise.reject(new Error('told to reject'));
              break;
            case 'exception':
              setTimeout(() => {
                throw new Error('told to throw later');
              }, 0);
              break;
            case 'throw':
              throw new Error('told to throw');
          }
        },
      },
    }),
  });
}
