/** An actor for tests: it answers, fails, hangs and counts on demand. */
import { appendFileSync } from 'node:fs';
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
  /** Answers when it is released. A release that comes first holds for the next one. */
  hold: { request: { properties: {} }, reply: { properties: {} } },
  release: { lane: 'control', request: { properties: {} } },
  /** Tells `name` with a note that it has begun, waits until it is cancelled, and says so with another. */
  noteCancelled: { request: { properties: { name: { type: 'string' } } }, reply: { properties: {} } },
  /** Blocks the whole thread. */
  block: { request: { properties: { blockMs: { type: 'float64' } } }, reply: { properties: {} } },
  /** Throws a defect, or an operating error if `code` is not empty. */
  fail: { request: { properties: { code: { type: 'string' } } }, reply: { properties: {} } },
  /** Throws an operating error that is hard to send: a message this long, and details that are no plain data. */
  failHugely: { request: { properties: { characters: { type: 'uint32' } } }, reply: { properties: {} } },
  /** Throws a defect with a message this long. */
  crashHugely: { request: { properties: { characters: { type: 'uint32' } } }, reply: { properties: {} } },
  /** Answers with what its schema does not permit. */
  answerWrongly: { request: { properties: {} }, reply: { properties: { text: { type: 'string' } } } },
  /** Answers with a string of this length. */
  answerLong: { request: { properties: { characters: { type: 'uint32' } } }, reply: { properties: { text: { type: 'string' } } } },
  /** Answers, then fails outside any handler. */
  failLater: { request: { properties: { how: { enum: ['exception', 'rejection'] } } }, reply: { properties: {} } },
  /** Logs an error, and `lines` lines more. */
  logMuch: { request: { properties: { lines: { type: 'uint32' } } }, reply: { properties: {} } },
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
  /** Throws a defect, on the control lane. */
  failUrgently: { lane: 'control', request: { properties: {} } },
  /** Sends `text` on to another actor by name and answers with its answer. */
  relay: {
    request: { properties: { name: { type: 'string' }, text: { type: 'string' } } },
    reply: { properties: { text: { type: 'string' }, incarnation: { type: 'int32' } } },
  },
  /** As `relay`, so often, one after the other. */
  relayOften: {
    request: { properties: { name: { type: 'string' }, times: { type: 'uint32' } } },
    reply: { properties: { answers: { type: 'uint32' } } },
  },
  /** Asks `name` to gossip about this actor. */
  askGossip: {
    request: { properties: { name: { type: 'string' }, notes: { type: 'uint32' } } },
    reply: { properties: {} },
  },
  /** Tells `about` as many notes, and then answers. */
  gossip: {
    request: { properties: { about: { type: 'string' }, notes: { type: 'uint32' } } },
    reply: { properties: {} },
  },
});

export interface EchoArgs {
  /** Throws in the `start` of these incarnations. */
  failStartOf?: readonly number[];
  /** How long `start` takes. */
  startMs?: number;
  /** How long `stop` takes; it can be more than anybody waits. */
  stopMs?: number;
  /** File to which `stop` appends a line with the actor's name and the reason. */
  stopFile?: string;
}

/** Far more log lines than a telemetry lane holds. */
export const FLOOD_LINES = 5_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** `startedAtMs` is the time, by the machine's clock, at which the latest incarnation started. */
export const ECHO_COUNTERS = ['notes', 'startedAtMs', 'blocking', 'slow'] as const;

export const echo = defineActor<typeof echoProtocol.spec, EchoArgs | undefined>({
  protocol: echoProtocol,
  counters: ECHO_COUNTERS,
  async start(context, args) {
    context.counters.add('startedAtMs', Date.now() - context.counters.read('startedAtMs'));
    if (args?.startMs !== undefined) await pause(args.startMs);
    if (args?.failStartOf?.includes(context.incarnation) === true) throw new Error('told to fail in start');
    const numbers: number[] = [];
    let gate = Promise.withResolvers<void>();
    return {
      handlers: {
        echo: ({ text }) => ({ text, incarnation: context.incarnation }),
        async slow({ delayMs }, message) {
          context.counters.add('slow');
          await pause(delayMs);
          return { cancelled: message.cancelled };
        },
        async hold() {
          await gate.promise;
          gate = Promise.withResolvers();
          return {};
        },
        release: () => gate.resolve(),
        async noteCancelled({ name }, message) {
          const other = await context.resolve(name, echoProtocol);
          other.tell('note', { number: 0 });
          while (!message.cancelled) await pause(1);
          other.tell('note', { number: 1 });
          return {};
        },
        block({ blockMs }) {
          context.counters.add('blocking');
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, blockMs);
          return {};
        },
        fail({ code }) {
          if (code !== '') throw new SpillwayError(code, 'told to fail', { details: { hint: 1 } });
          throw new Error('told to crash');
        },
        failHugely({ characters }) {
          throw new SpillwayError('told_to_fail', 'x'.repeat(characters), { details: { run() {} } });
        },
        crashHugely({ characters }) {
          throw new Error('x'.repeat(characters));
        },
        answerWrongly: () => ({ text: 7 }) as never,
        answerLong: ({ characters }) => ({ text: 'x'.repeat(characters) }),
        failLater({ how }) {
          if (how === 'exception') setTimeout(() => { throw new Error('told to throw later'); }, 1);
          else void Promise.reject(new Error('told to reject'));
          return {};
        },
        logMuch({ lines }) {
          context.log.error('with an error', { error: new Error('in a field'), run() {} });
          for (let line = 0; line < lines; line++) context.log.error('a line', { line });
          return {};
        },
        exit: ({ code }) => process.exit(code),
        double: ({ values }) => ({ values: values.map((value) => value * 2) }),
        note({ number }) {
          numbers.push(number);
          context.counters.add('notes');
        },
        notes: () => ({ numbers }),
        urgent: () => ({ notes: numbers.length }),
        failUrgently() {
          throw new Error('told to crash urgently');
        },
        async relay({ name, text }) {
          const other = await context.resolve(name, echoProtocol);
          return other.ask('echo', { text }, { deadlineMs: 5_000 });
        },
        async relayOften({ name, times }) {
          const other = await context.resolve(name, echoProtocol);
          for (let time = 0; time < times; time++) await other.ask('echo', { text: '' }, { deadlineMs: 5_000 });
          return { answers: times };
        },
        async askGossip({ name, notes }) {
          const other = await context.resolve(name, echoProtocol);
          return other.ask('gossip', { about: context.name, notes }, { deadlineMs: 5_000 });
        },
        async gossip({ about, notes }) {
          const other = await context.resolve(about, echoProtocol);
          for (let number = 0; number < notes; number++) other.tell('note', { number });
          return {};
        },
      },
      async stop(reason) {
        if (args?.stopFile !== undefined) appendFileSync(args.stopFile, `${context.name} ${reason}\n`);
        if (args?.stopMs !== undefined) await pause(args.stopMs);
      },
    };
  },
});

/** The same on a thread that parks. */
export const parkedEcho = defineActor<typeof echoProtocol.spec, EchoArgs | undefined>({ ...echo, waiting: 'park' });
