/** An actor for tests: it answers, fails, hangs and counts on demand. */
import { SpillwayError, defineActor, defineProtocol } from '../../../kernel/index.ts';

export const echoProtocol = defineProtocol('echo', {
  echo: {
    request: { properties: { text: { type: 'string' } } },
    reply: { properties: { text: { type: 'string' }, incarnation: { type: 'int32' } } },
  },
  /** Answers after `delayMs`. */
  slow: {
    request: { properties: { delayMs: { type: 'float64' } } },
    reply: { properties: { cancelled: { type: 'boolean' } } },
  },
  /** Blocks the whole thread. */
  block: { request: { properties: { blockMs: { type: 'float64' } } }, reply: { properties: {} } },
  /** Throws a defect, or an operating error if `code` is not empty. */
  fail: { request: { properties: { code: { type: 'string' } } }, reply: { properties: {} } },
  exit: { request: { properties: { code: { type: 'int32' } } }, reply: { properties: {} } },
  double: {
    request: { properties: { values: { elements: { type: 'float32' }, metadata: { typedArray: true } } } },
    reply: { properties: { values: { elements: { type: 'float32' }, metadata: { typedArray: true } } } },
  },
  note: { request: { properties: { number: { type: 'uint32' } } } },
  notes: { request: { properties: {} }, reply: { properties: { numbers: { elements: { type: 'uint32' } } } } },
  urgent: {
    lane: 'control',
    request: { properties: {} },
    reply: { properties: { notes: { type: 'uint32' } } },
  },
  /** Sends `text` on to another actor by name and answers with its answer. */
  relay: {
    request: { properties: { name: { type: 'string' }, text: { type: 'string' } } },
    reply: { properties: { text: { type: 'string' }, incarnation: { type: 'int32' } } },
  },
});

export interface EchoArgs {
  /** Throws in `start` while the incarnation is at most this. */
  failStarts?: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const echo = defineActor<typeof echoProtocol.spec, EchoArgs | undefined>({
  protocol: echoProtocol,
  counters: ['notes'],
  start(context, args) {
    if (context.incarnation <= (args?.failStarts ?? 0)) throw new Error('told to fail in start');
    const numbers: number[] = [];
    return {
      handlers: {
        echo: ({ text }) => ({ text, incarnation: context.incarnation }),
        async slow({ delayMs }, message) {
          await pause(delayMs);
          return { cancelled: message.cancelled };
        },
        block({ blockMs }) {
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
          return {};
        },
        fail({ code }) {
          if (code !== '') throw new SpillwayError(code, 'told to fail', { details: { hint: 1 } });
          throw new Error('told to crash');
        },
        exit: ({ code }) => process.exit(code),
        double: ({ values }) => ({ values: values.map((value) => value * 2) }),
        note({ number }) {
          numbers.push(number);
          context.counters.add('notes');
        },
        notes: () => ({ numbers }),
        urgent: () => ({ notes: numbers.length }),
        async relay({ name, text }) {
          const other = await context.resolve(name, echoProtocol);
          return other.ask('echo', { text }, { deadlineMs: 5_000 });
        },
      },
    };
  },
});
