/** Actors that tell and ask each other at random, across threads and on one, and fail, stop and cancel among it all: for the books of a whole system. */
import { SpillwayError, defineActor, defineProtocol, seededRandom, type ActorContext, type ActorRef, type Handlers, type MessageContext, type Random } from '../../../kernel/index.ts';

const note = { properties: { how: { enum: ['quick', 'slow', 'fail', 'stash', 'onward', 'stop'] }, key: { type: 'uint32' } } } as const;

export const meshProtocol = defineProtocol('mesh', {
  note: { request: note },
  urgent: { lane: 'control', request: note },
  ask: { request: note, reply: { properties: {} } },
  /** Sends so many messages to the others, in turns with their answers. */
  run: { lane: 'control', request: { properties: { seed: { type: 'int32' }, messages: { type: 'uint32' }, names: { elements: { type: 'string' } } } }, reply: { properties: {} } },
  child: { lane: 'control', request: { properties: { index: { type: 'uint32' } } }, reply: { properties: { address: { type: 'uint32' } } } },
  /** Ends its thread by a defect. */
  crash: { lane: 'control', request: { properties: {} } },
});

type MeshSpec = typeof meshProtocol.spec;
export type Mesh = ActorRef<MeshSpec>;

const HOWS = note.properties.how.enum;
const CHILDREN = 3;
const POLICIES = ['drop_newest', 'drop_oldest', 'refuse'] as const;

function handlersOf(context: ActorContext, random: Random, child?: (index: number) => Mesh): Handlers<MeshSpec> {
  async function take({ how, key }: { how: (typeof HOWS)[number]; key: number }, message: MessageContext): Promise<Record<string, never>> {
    if (how === 'fail') throw new SpillwayError('told_to_fail', 'told to fail');
    if (how === 'onward' && child !== undefined) message.forward(child(key), 'ask', { how: 'slow', key });
    if (how === 'slow') await new Promise<void>((resolve) => context.after(random.next() * 2, resolve));
    if (how === 'stop' && child === undefined && random.int(4) === 0) context.stopSelf();
    return {};
  }
  return {
    note: (request, message) => {
      if (request.how !== 'stash' || random.int(2) === 0) return take(request, message) as unknown as void;
      context.stash();
      context.after(1, () => void context.unstashAll());
    },
    urgent: (request, message) => take(request, message) as unknown as void,
    ask: (request, message) => take(request, message),
    async run({ seed, messages, names }) {
      await sendMany(context, seededRandom(seed), messages, await Promise.all(names.map((name) => context.resolve(name, meshProtocol))));
      return {};
    },
    child: ({ index }) => ({ address: child!(index).address }),
    crash() {
      throw new Error('told to crash');
    },
  };
}

async function sendMany(context: ActorContext, random: Random, messages: number, others: readonly Mesh[]): Promise<void> {
  const open = new Set<Promise<unknown>>();
  const children = new Map<string, Mesh>();
  for (let sent = 0; sent < messages; sent++) {
    const parent = others[random.int(others.length)]!;
    const index = random.int(CHILDREN);
    const key = `${parent.name} ${index}`;
    // An address of before may be that of a child which has ended since.
    if (!children.has(key) || random.int(50) === 0) {
      const { address } = await parent.ask('child', { index }, { deadlineMs: 10_000 });
      children.set(key, context.ref(address, meshProtocol));
    }
    const target = random.int(2) === 0 ? parent : children.get(key)!;
    const request = { how: HOWS[random.int(HOWS.length)]!, key: random.int(CHILDREN) };
    const scope = random.int(5) === 0 ? context.scope() : undefined;
    const options = scope === undefined ? {} : { scope };
    if (random.int(3) > 0) target.tell(random.int(8) === 0 ? 'urgent' : 'note', request, options);
    else {
      const ask = target.ask('ask', request, { deadlineMs: random.int(4) === 0 ? 2 : 10_000, ...options }).catch(() => {});
      open.add(ask);
      void ask.then(() => open.delete(ask));
      if (open.size > 20) await Promise.race(open);
    }
    if (scope !== undefined && random.int(2) === 0) scope.cancel();
  }
  await Promise.all(open);
}

/** A child for each policy, made anew when it has ended. */
export const mesh = defineActor<MeshSpec, undefined>({
  protocol: meshProtocol,
  mailbox: { capacity: 64, policy: 'drop_oldest' },
  stashCapacity: 64,
  start(context) {
    const random = seededRandom(context.self);
    const children: Mesh[] = [];
    const spawn = (index: number): void => {
      children[index] = context.spawn(meshChildren[index]!, undefined);
      context.watch(children[index], () => spawn(index));
    };
    for (let index = 0; index < CHILDREN; index++) spawn(index);
    return { handlers: handlersOf(context, random, (index) => children[index]!) };
  },
});

const meshChildren = POLICIES.map((policy) =>
  defineActor<MeshSpec, undefined>({
    protocol: meshProtocol,
    mailbox: { capacity: 16, policy },
    stashCapacity: 16,
    start: (context) => ({ handlers: handlersOf(context, seededRandom(context.self)) }),
  }),
);
