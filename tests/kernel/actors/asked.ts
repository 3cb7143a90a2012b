/**
 * Actors that do with an ask what they are told to, also the worst, and write down in shared memory that
 * they have begun it; and those who ask them, at random but by seed, and write down what came of it.
 *
 * The memory travels as environment data of the threads, because a life that was ended in the middle of a
 * handler must have left its mark.
 */
import { getEnvironmentData } from 'node:worker_threads';
import { SpillwayError, defineActor, defineProtocol, seededRandom, type ActorContext, type Address, type MessageContext } from '../../../kernel/index.ts';
import { AskRecord, drive, type Targets } from '../ask-driver.ts';
import { CHILDREN, askedProtocol, type Act, type Asked } from '../asked-protocol.ts';

interface Order {
  readonly id: number;
  readonly act: Act;
  readonly onward: Act;
  readonly ms: number;
}

export const RECORD_KEY = 'tests/kernel/asks';
const record = (): AskRecord => new AskRecord(getEnvironmentData(RECORD_KEY) as SharedArrayBuffer);
const pause = (context: ActorContext, ms: number): Promise<void> => new Promise((resolve) => context.after(ms, resolve));

/** The children of an actor, each made anew when it has ended; those with even numbers are restarted when they fail. */
function spawnChildren(context: ActorContext): (index: number) => Asked {
  const children: Asked[] = [];
  const spawn = (index: number): Asked => {
    const child = context.spawn(askedChild, undefined, { onFailure: () => (index % 2 === 0 ? 'restart' : 'stop') });
    context.watch(child, () => spawn(index));
    return (children[index] = child);
  };
  for (let index = 0; index < CHILDREN; index++) spawn(index);
  return (index) => children[index]!;
}

function handlersOf(context: ActorContext, child: ((index: number) => Asked) | undefined) {
  const stashed = new Set<number>();
  const begun = record();
  async function act({ id, act: told, onward, ms }: Order, message: MessageContext): Promise<{ id: number }> {
    if (told !== 'stash' || !stashed.has(id)) begun.began(id);
    switch (told) {
      case 'late':
        await pause(context, ms);
        break;
      case 'fail':
        throw new SpillwayError('told_to_fail', 'told to fail');
      case 'crash':
        throw new Error('told to crash');
      case 'crashLate':
        await pause(context, ms);
        throw new Error('told to crash late');
      case 'never':
        return new Promise(() => {});
      case 'block':
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms / 20);
        break;
      case 'stop':
        context.stopSelf();
        break;
      case 'exit':
        return process.exit(3);
      case 'wrong':
        return { id: 'none' as unknown as number };
      case 'forward':
        if (child !== undefined) message.forward(child(id % CHILDREN), 'act', { id, act: onward, onward: 'answer', ms });
        break;
      case 'stash':
        if (stashed.delete(id)) break;
        context.stash();
        stashed.add(id);
        context.after(ms, () => void context.unstashAll());
        break;
      default:
    }
    return { id };
  }
  return {
    // Not async themselves, so that a message without a wait in it ends at once, as most do.
    act: (order: Order, message: MessageContext) => (order.act === 'answer' ? (begun.began(order.id), { id: order.id }) : act(order, message)),
    actUrgently: (order: Order, message: MessageContext) => act(order.act === 'stash' ? { ...order, act: 'answer' } : order, message),
    crash() {
      throw new Error('told to crash urgently');
    },
    stopChild({ index }: { index: number }) {
      if (child !== undefined) void context.stop(child(index));
    },
    child: ({ index }: { index: number }) => ({ address: child?.(index).address ?? context.self }),
  };
}

const askedChild = defineActor<typeof askedProtocol.spec, undefined>({
  protocol: askedProtocol,
  mailbox: { capacity: 16 },
  stashCapacity: 4,
  start: (context) => ({ handlers: handlersOf(context, undefined) }),
});

/** Its data wait in its lanes. */
export const asked = defineActor<typeof askedProtocol.spec, undefined>({
  protocol: askedProtocol,
  stashCapacity: 4,
  start: (context) => ({ handlers: handlersOf(context, undefined) }),
});

/** The same on a thread that parks. */
export const parkedAsked = defineActor({ ...asked, waiting: 'park' });

/** Its data wait in a mailbox, and it has children. */
export const askedParent = defineActor<typeof askedProtocol.spec, undefined>({
  protocol: askedProtocol,
  mailbox: { capacity: 32 },
  stashCapacity: 4,
  start: (context) => ({ handlers: handlersOf(context, spawnChildren(context)) }),
});

export const askerProtocol = defineProtocol('asker', {
  /** Asks `count` times, with the numbers from `firstId` on. */
  ask: {
    request: { properties: { seed: { type: 'int32' }, firstId: { type: 'uint32' }, count: { type: 'uint32' }, names: { elements: { type: 'string' } } } },
    reply: { properties: { hanging: { type: 'uint32' } } },
  },
});

export const asker = defineActor<typeof askerProtocol.spec, undefined>({
  protocol: askerProtocol,
  start: (context) => ({
    handlers: {
      async ask({ seed, firstId, count, names }) {
        const local = spawnChildren(context);
        const own = await Promise.all(names.map((name) => context.resolve(name, askedProtocol)));
        const random = seededRandom(seed);
        const addresses = new Map<string, Address>();
        const targets: Targets = {
          own,
          local,
          // An address of before stays in use, so that some asks go to those who have ended.
          remoteChild(parent, index) {
            const key = `${parent.address}:${index}`;
            parent.ask('child', { index }, { deadlineMs: 200 }).then(
              ({ address }) => void addresses.set(key, address),
              () => {},
            );
            return context.ref(addresses.get(key) ?? parent.address, askedProtocol);
          },
          scope: () => context.scope(),
        };
        const hanging = await drive({ targets, random, firstId, count, record: record(), after: (ms, run) => void context.after(ms, run) });
        return { hanging };
      },
    },
  }),
});

/** The same on a thread that parks. */
export const parkedAsker = defineActor({ ...asker, waiting: 'park' });
