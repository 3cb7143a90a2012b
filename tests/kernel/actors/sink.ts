/** An actor that takes numbers, with a gate that stops it in the middle of one; with a mailbox of each policy, on a thread of its own or on its sender's. */
import { SpillwayError, defineActor, defineProtocol, type ActorDefinition, type ActorRef, type MailboxDeclaration, type MailboxPolicy } from '../../../kernel/index.ts';

export const sinkProtocol = defineProtocol('sink', {
  /** Waits at the gate while it is closed. */
  put: { request: { properties: { number: { type: 'uint32' }, key: { type: 'uint32' } } } },
  /** The same with an answer. */
  ask: { request: { properties: { number: { type: 'uint32' }, key: { type: 'uint32' } } }, reply: { properties: { number: { type: 'uint32' } } } },
  padded: { request: { properties: { number: { type: 'uint32' }, text: { type: 'string' } } } },
  /** Closed from the next number on. */
  gate: { lane: 'control', request: { properties: { open: { type: 'boolean' } } }, reply: { properties: {} } },
  /** Numbers in the order in which they were begun. */
  taken: { lane: 'control', request: { properties: {} }, reply: { properties: { numbers: { elements: { type: 'uint32' } } } } },
  urgent: { lane: 'control', request: { properties: { number: { type: 'uint32' } } } },
});

export type SinkSpec = typeof sinkProtocol.spec;
export type Sink = ActorRef<SinkSpec>;

export const CAPACITY = 8;
/** Keys of the policy `conflate`. */
export const KEYS = 3;
export const TTL_MS = 80;

function mailboxOf(policy: MailboxPolicy): MailboxDeclaration {
  return {
    capacity: CAPACITY,
    policy,
    ...(policy === 'expire' && { ttlMs: TTL_MS }),
    ...(policy === 'conflate' && { key: (_: string, request: unknown) => (request as { key: number }).key }),
  };
}

function sinkOf(mailbox: MailboxDeclaration | undefined, waiting: 'park' | 'event_loop' = 'event_loop'): ActorDefinition<SinkSpec, undefined> {
  return defineActor<SinkSpec, undefined>({
    protocol: sinkProtocol,
    counters: ['begun'],
    waiting,
    ...(mailbox === undefined ? {} : { mailbox }),
    start() {
      const numbers: number[] = [];
      let gate = Promise.withResolvers<void>();
      gate.resolve();
      const pass = (number: number): Promise<void> => {
        numbers.push(number);
        return gate.promise;
      };
      return {
        handlers: {
          put: ({ number }) => pass(number),
          padded: ({ number }) => pass(number),
          async ask({ number }) {
            await pass(number);
            return { number };
          },
          gate({ open }) {
            if (open) gate.resolve();
            else gate = Promise.withResolvers();
            return {};
          },
          taken: () => ({ numbers }),
          urgent: ({ number }) => void numbers.push(number),
        },
      };
    },
  });
}

/** Its data wait in its lanes. */
export const inLanes = sinkOf(undefined);
export const refuse = sinkOf(mailboxOf('refuse'));
export const wait = sinkOf(mailboxOf('wait'));
export const dropNewest = sinkOf(mailboxOf('drop_newest'));
export const dropOldest = sinkOf(mailboxOf('drop_oldest'));
export const conflate = sinkOf(mailboxOf('conflate'));
export const expire = sinkOf(mailboxOf('expire'));
export const parkedDropOldest = sinkOf(mailboxOf('drop_oldest'), 'park');

const sinks = { refuse, wait, drop_newest: dropNewest, drop_oldest: dropOldest, conflate, expire } as const;

export const feederProtocol = defineProtocol('feeder', {
  /** Makes a sink on this thread. */
  make: { request: { properties: { policy: { enum: ['refuse', 'wait', 'drop_newest', 'drop_oldest', 'conflate', 'expire'] } } }, reply: { properties: { address: { type: 'uint32' } } } },
  /** Tells it numbers from `first` on. @returns each result */
  tell: { request: { properties: { first: { type: 'uint32' }, count: { type: 'uint32' } } }, reply: { properties: { results: { elements: { type: 'int32' } } } } },
  gate: { request: { properties: { open: { type: 'boolean' } } }, reply: { properties: {} } },
  level: { request: { properties: {} }, reply: { properties: { level: { type: 'int32' } } } },
  taken: { request: { properties: {} }, reply: { properties: { numbers: { elements: { type: 'uint32' } } } } },
  /** Sends it a number, then cancels the scope of the send. @returns its code */
  sendInScope: { request: { properties: { number: { type: 'uint32' } } }, reply: { properties: { code: { type: 'string' } } } },
  /** Asks it. @returns the code that it ended with, and whether it may have been handled */
  ask: { request: { properties: { number: { type: 'uint32' } } }, reply: { properties: { code: { type: 'string' }, may: { type: 'boolean' } } } },
});

export type Feeder = ActorRef<typeof feederProtocol.spec>;

/** Sends to a sink on its own thread. */
export const feeder = defineActor<typeof feederProtocol.spec, undefined>({
  protocol: feederProtocol,
  start(context) {
    let sink: Sink | undefined;
    const ask = { deadlineMs: 10_000 };
    const codeOf = (error: unknown): SpillwayError => error as SpillwayError;
    return {
      handlers: {
        make({ policy }) {
          sink = context.spawn(sinks[policy], undefined);
          return { address: sink.address };
        },
        tell: ({ first, count }) => ({ results: Array.from({ length: count }, (_, index) => sink!.tell('put', { number: first + index, key: (first + index) % KEYS })) }),
        gate: ({ open }) => sink!.ask('gate', { open }, ask),
        level: () => ({ level: sink!.level! }),
        taken: () => sink!.ask('taken', {}, ask),
        async sendInScope({ number }) {
          const scope = context.scope();
          const sent = sink!.send('put', { number, key: 0 }, { ...ask, scope, signal: new AbortController().signal });
          scope.cancel();
          return { code: await sent.then(() => 'sent', (error: unknown) => codeOf(error).code) };
        },
        ask: ({ number }) =>
          sink!.ask('ask', { number, key: 0 }, ask).then(
            () => ({ code: 'answered', may: true }),
            (error: unknown) => ({ code: codeOf(error).code, may: codeOf(error).details['mayHaveBeenHandled'] === true }),
          ),
      },
    };
  },
});
