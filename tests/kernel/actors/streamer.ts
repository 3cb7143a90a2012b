/** Actors for the tests of streams and of forwarding: those who give them, and those who take them on a thread of their own. */
import { setImmediate } from 'node:timers/promises';
import { SpillwayError, defineActor, defineProtocol, type ActorContext, type ActorRef, type Handlers, type MessageContext } from '../../../kernel/index.ts';

const number = { properties: { number: { type: 'uint32' } } } as const;

export const streamerProtocol = defineProtocol('streamer', {
  /** Numbers from 0 to `count`. */
  numbers: { request: { properties: { count: { type: 'uint32' } } }, stream: number },
  /** The same, from an iterable that is not asynchronous. */
  list: { request: { properties: { count: { type: 'uint32' } } }, stream: number },
  /** Texts of this length. */
  texts: { request: { properties: { count: { type: 'uint32' }, characters: { type: 'uint32' } } }, stream: { properties: { text: { type: 'string' } } } },
  /** Fails after `after` numbers: with an operating error, with a defect, or before there is a stream at all. */
  failing: { request: { properties: { after: { type: 'uint32' }, how: { enum: ['operating', 'defect', 'at_once', 'no_iterable', 'misfit'] } } }, stream: number },
  /** One number; then waits until it sees that it is cancelled. */
  patient: { request: { properties: {} }, stream: number },
  /** One number; then nothing until the actor's `stop` ends it with an error. */
  heldUp: { request: { properties: {} }, stream: number },
  /** Who answers, once that `afterMs` have passed. */
  who: { request: { properties: { afterMs: { type: 'float64' } } }, reply: { properties: { name: { type: 'string' } } } },
  never: { request: { properties: {} }, reply: { properties: { name: { type: 'string' } } } },
  /** Hands `message` on to the actor with this name, or to a child of its own that has the name `child`. */
  passOn: {
    request: { properties: { to: { type: 'string' }, message: { enum: ['who', 'never', 'passOn'] } } },
    reply: { properties: { name: { type: 'string' } } },
  },
  passOnStream: { request: { properties: { to: { type: 'string' }, count: { type: 'uint32' } } }, stream: number },
  /** Ends its child, then hands the message on to it. */
  passOnToEnded: { request: { properties: {} }, reply: { properties: { name: { type: 'string' } } } },
  stopChild: { lane: 'control', request: { properties: {} }, reply: { properties: {} } },
  /** Throws a defect at its child. */
  failChild: { lane: 'control', request: { properties: {} }, reply: { properties: {} } },
  crash: { lane: 'control', request: { properties: {} } },
});

type StreamerSpec = typeof streamerProtocol.spec;
export type Streamer = ActorRef<StreamerSpec>;

/** Items that were produced, generators that have ended, those that saw their cancel, and handlers that never return. */
export const STREAMER_COUNTERS = ['produced', 'ended', 'sawCancel', 'hanging'] as const;
type Tally = (name: (typeof STREAMER_COUNTERS)[number]) => void;

const pause = (context: ActorContext, ms: number): Promise<void> => new Promise((resolve) => context.after(ms, resolve));

export function streamerHandlers(context: ActorContext, count: Tally, child?: Streamer, stopping = new Promise<void>(() => {})): Handlers<StreamerSpec> {
  /** Counts what it produces and its end. */
  async function* produced<Item>(items: Iterable<Item>): AsyncGenerator<Item> {
    try {
      for (const item of items) {
        count('produced');
        yield item;
      }
    } finally {
      count('ended');
    }
  }
  function* numbersTo(end: number): Generator<{ number: number }> {
    for (let next = 0; next < end; next++) yield { number: next };
  }
  const target = async (name: string): Promise<Streamer> => (name === 'child' ? child! : context.resolve(name, streamerProtocol));
  return {
    numbers: ({ count: end }) => produced(numbersTo(end)),
    list: ({ count: end }) => [...numbersTo(end)],
    texts: ({ count: end, characters }) => produced(Array.from({ length: end }, (_, index) => ({ text: String(index).padStart(characters, ' ') }))),
    failing({ after, how }) {
      if (how === 'at_once') throw new SpillwayError('told_to_fail', 'told to fail at once');
      if (how === 'no_iterable') return undefined as never;
      return (async function* () {
        yield* numbersTo(after);
        if (how === 'misfit') yield { number: 'none' as unknown as number };
        throw how === 'operating' ? new SpillwayError('told_to_fail', 'told to fail') : new Error('told to fail in a stream');
      })();
    },
    patient: (_, message) =>
      (async function* () {
        yield { number: 0 };
        count('hanging');
        while (!message.cancelled) await pause(context, 1);
        count('sawCancel');
      })(),
    heldUp: () =>
      (async function* () {
        yield { number: 0 };
        await stopping;
        throw new SpillwayError('told_to_stop', 'told to stop');
      })(),
    async who({ afterMs }) {
      await pause(context, afterMs);
      return { name: context.name };
    },
    never() {
      count('hanging');
      return new Promise(() => {});
    },
    async passOn({ to, message: name }, message) {
      const requests = { who: { afterMs: 0 }, never: {}, passOn: { to: 'child', message: 'who' } } as const;
      message.forward(await target(to), name, requests[name]);
      return { name: 'ignored' };
    },
    // A handler that hands a stream on returns none.
    passOnStream: (async ({ to, count: end }: { to: string; count: number }, message: MessageContext) => {
      message.forward(await target(to), 'numbers', { count: end });
    }) as unknown as Handlers<StreamerSpec>['passOnStream'],
    async passOnToEnded(_, message) {
      await context.stop(child!);
      const result = message.forward(child!, 'who', { afterMs: 0 });
      return { name: String(result) };
    },
    async stopChild() {
      await context.stop(child!);
      return {};
    },
    failChild() {
      child!.tell('crash', {});
      return {};
    },
    crash() {
      throw new Error('told to crash');
    },
  };
}

export interface ChildArgs {
  readonly count: Tally;
}

const streamerChild = defineActor<StreamerSpec, ChildArgs>({
  protocol: streamerProtocol,
  start: (context, { count }) => ({ handlers: streamerHandlers(context, count) }),
});

/** Has a child of the same kind, which counts with its parent's counters. */
export const streamer = defineActor<StreamerSpec, undefined>({
  protocol: streamerProtocol,
  counters: STREAMER_COUNTERS,
  start(context) {
    const count: Tally = (name) => context.counters.add(name);
    const child = context.spawn(streamerChild, { count }, { name: `${context.name}'s child` });
    const stopping = Promise.withResolvers<void>();
    return {
      handlers: streamerHandlers(context, count, child, stopping.promise),
      async stop() {
        stopping.resolve();
        // What the streams make of it has its turns to go out.
        for (let turns = 0; turns < 3; turns++) await setImmediate();
      },
    };
  },
});

export const viewerProtocol = defineProtocol('viewer', {
  /**
   * Takes a stream of the actor with this name, or of a child on this thread, up to `take` items; then
   * leaves it, or with `stay` holds it open and takes no more.
   */
  view: {
    request: {
      properties: {
        of: { type: 'string' },
        message: { enum: ['numbers', 'list', 'passOnStream'] },
        count: { type: 'uint32' },
        demand: { type: 'uint32' },
        take: { type: 'uint32' },
        stay: { type: 'boolean' },
      },
    },
    reply: { properties: { numbers: { elements: { type: 'uint32' } }, aheadMax: { type: 'int32' }, end: { type: 'string' } } },
  },
  /** As `view` on a thread whose actor hands on what it is asked: takes the stream while its own handler runs, behind which data waits. */
  fail: { request: { properties: { after: { type: 'uint32' }, how: { enum: ['operating', 'defect'] } } }, reply: { properties: { numbers: { elements: { type: 'uint32' } }, end: { type: 'string' } } } },
  /** Has a child take a stream of another child and hold it open; then ends the first. */
  endTakingChild: { request: { properties: { restart: { type: 'boolean' } } }, reply: { properties: {} } },
  /** Asks `first` to hand it on to `last`, and waits. */
  askOnward: { request: { properties: { first: { type: 'string' }, last: { type: 'string' } } }, reply: { properties: { name: { type: 'string' } } } },
  crash: { lane: 'control', request: { properties: {} } },
});

const takerProtocol = defineProtocol('taker', {
  take: { request: { properties: {} }, reply: { properties: {} } },
  end: { lane: 'control', request: { properties: { restart: { type: 'boolean' } } } },
});

const taker = defineActor<typeof takerProtocol.spec, { readonly source: Streamer }>({
  protocol: takerProtocol,
  start: (context, { source }) => ({
    handlers: {
      async take() {
        const stream = context.ref(source.address, streamerProtocol).stream('numbers', { count: 1_000 }, { deadlineMs: 10_000, demand: 4 });
        await stream.next();
        return {};
      },
      end({ restart }) {
        if (restart) throw new Error('told to fail');
        context.stopSelf();
      },
    },
  }),
});

const ask = { deadlineMs: 10_000 } as const;

export const viewer = defineActor<typeof viewerProtocol.spec, undefined>({
  protocol: viewerProtocol,
  counters: STREAMER_COUNTERS,
  start(context) {
    const count: Tally = (name) => context.counters.add(name);
    const local = context.spawn(streamerChild, { count });
    const held: unknown[] = [];
    return {
      handlers: {
        async view({ of, message, count: end, demand, take, stay }) {
          const source = of === '' ? local : await context.resolve(of, streamerProtocol);
          const options = { deadlineMs: 10_000, demand };
          const stream = message === 'passOnStream' ? source.stream('passOnStream', { to: 'child', count: end }, options) : source.stream(message, { count: end }, options);
          held.push(stream);
          const numbers: number[] = [];
          const before = context.counters.read('produced');
          let aheadMax = 0;
          let code = 'left';
          try {
            for (;;) {
              if (numbers.length === take) break;
              const { done, value } = await stream.next();
              if (done === true) {
                code = 'done';
                break;
              }
              numbers.push(value.number);
              if (numbers.length % 16 === 0) await pause(context, 0);
              aheadMax = Math.max(aheadMax, context.counters.read('produced') - before - numbers.length);
            }
            if (!stay) await stream.return?.();
          } catch (error) {
            code = (error as SpillwayError).code;
          }
          return { numbers, aheadMax, end: code };
        },
        async fail({ after, how }) {
          const numbers: number[] = [];
          try {
            for await (const { number: next } of local.stream('failing', { after, how }, ask)) numbers.push(next);
          } catch (error) {
            return { numbers, end: (error as SpillwayError).code };
          }
          return { numbers, end: 'done' };
        },
        async endTakingChild({ restart }) {
          const child = context.spawn(taker, { source: local }, { onFailure: () => 'restart' });
          await child.ask('take', {}, ask);
          child.tell('end', { restart });
          return {};
        },
        async askOnward({ first, last }) {
          const relay = await context.resolve(first, streamerProtocol);
          return relay.ask('passOn', { to: last, message: 'never' }, ask);
        },
        crash() {
          throw new Error('told to crash');
        },
      },
    };
  },
});
