/** An actor that a router sends to: it counts, waits, ends, and says who it is; and one that spawns several and routes to them. */
import { defineActor, defineProtocol, type ActorContext, type ActorRef } from '../../../../kernel/index.ts';
import { createRouter } from '../../../../kernel/index.ts';

export const routeeProtocol = defineProtocol('routee', {
  note: { request: { properties: { key: { type: 'string' } } } },
  who: { request: { properties: { key: { type: 'string' } } }, reply: { properties: { name: { type: 'string' } } } },
  /** Answers once `release` was told. */
  hold: { request: { properties: {} }, reply: { properties: { name: { type: 'string' } } } },
  release: { lane: 'control', request: { properties: {} } },
  join: { lane: 'control', request: { properties: { group: { type: 'string' } } }, reply: { properties: {} } },
  end: { lane: 'control', request: { properties: {} } },
  noted: { lane: 'control', request: { properties: {} }, reply: { properties: { keys: { elements: { type: 'string' } }, held: { type: 'uint32' } } } },
});

export type Routee = ActorRef<typeof routeeProtocol.spec>;

export const routee = defineActor<typeof routeeProtocol.spec, undefined>({
  protocol: routeeProtocol,
  mailbox: { capacity: 4 },
  start(context) {
    const keys: string[] = [];
    const held: (() => void)[] = [];
    return {
      handlers: {
        note({ key }) {
          keys.push(key);
        },
        who: () => ({ name: context.name }),
        hold: () => new Promise((resolve) => held.push(() => resolve({ name: context.name }))),
        release() {
          for (const run of held.splice(0)) run();
        },
        async join({ group }) {
          await (await context.group(group, routeeProtocol)).join();
          return {};
        },
        end: () => context.stopSelf(),
        noted: () => ({ keys, held: held.length }),
      },
    };
  },
});

export const dispatchProtocol = defineProtocol('dispatch', {
  /** Runs a scenario by its name and answers with what it found. */
  run: { request: { properties: { scenario: { type: 'string' } } }, reply: {} },
});

const ask = { deadlineMs: 5_000 };

async function until(context: ActorContext, condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise<void>((resolve) => void context.after(1, resolve));
}

/** Keeps a routee busy, and fills its mailbox with so many messages; by default with all that it takes. */
async function fill(context: ActorContext, ref: Routee, count = Infinity): Promise<void> {
  void ref.ask('hold', {}, ask);
  await until(context, async () => (await ref.ask('noted', {}, ask)).held === 1);
  for (let told = 0; told < count && ref.tell('note', { key: 'filler' }) === 0; ) told++;
}

const notes = async (ref: Routee): Promise<string[]> => (await ref.ask('noted', {}, ask)).keys.filter((key) => key !== 'filler');

const SCENARIOS: Record<string, (context: ActorContext, refs: readonly Routee[]) => Promise<unknown>> = {
  async takesTurns(_context, refs) {
    const router = createRouter(refs, 'round_robin');
    const names = [];
    for (let turn = 0; turn < 7; turn++) names.push((await router.ask('who', { key: '' }, ask)).name);
    return names;
  },
  async triesNext(context, refs) {
    await fill(context, refs[0]!);
    const router = createRouter(refs, 'round_robin');
    const strict = createRouter(refs, 'round_robin', { triesNext: false });
    const results = [router.tell('note', { key: 'a' }), strict.tell('note', { key: 'b' })];
    const answered = (await createRouter(refs, 'round_robin').ask('who', { key: '' }, ask)).name;
    const refused = await createRouter(refs, 'round_robin', { triesNext: false }).ask('who', { key: '' }, ask).catch((error: { code: string }) => error.code);
    refs[0]!.tell('release', {});
    return { results, answered, refused, notes: await Promise.all(refs.map(notes)) };
  },
  async waits(context, refs) {
    await fill(context, refs[0]!);
    const sent = createRouter(refs, 'round_robin').send('note', { key: 'waited' }, ask);
    refs[0]!.tell('release', {});
    await sent;
    await until(context, async () => (await notes(refs[0]!)).length > 0);
    return Promise.all(refs.map(notes));
  },
  async leastLoaded(context, refs) {
    const router = createRouter(refs, 'least_loaded');
    for (const ref of [refs[0]!, refs[2]!]) await fill(context, ref, 1);
    const names = [];
    for (let turn = 0; turn < 4; turn++) names.push((await router.ask('who', { key: '' }, ask)).name);
    for (const ref of refs) ref.tell('release', {});
    return names;
  },
  async hash(context, refs) {
    const router = createRouter(refs, { hashBy: ({ name, request }) => (name === 'who' || name === 'note' ? request.key : '') }, { context });
    const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`);
    const owners = async (): Promise<string[]> => {
      const names: string[] = [];
      for (const key of keys) names.push((await router.ask('who', { key }, ask)).name);
      return names;
    };
    const before = await owners();
    const again = await owners();
    const [gone] = refs;
    gone!.tell('end', {});
    await until(context, () => router.routees.length === 2);
    return { before, again, after: await owners() };
  },
  async hashRefuses(context, refs) {
    const router = createRouter(refs, { hashBy: () => 'one key' });
    const { name } = await router.ask('who', { key: '' }, ask);
    const owner = refs.find((ref) => ref.name === name)!;
    await fill(context, owner);
    const result = router.tell('note', { key: 'mine' });
    const code = await router.ask('who', { key: '' }, ask).catch((error: { code: string }) => error.code);
    owner.tell('release', {});
    return { result, code, notes: (await Promise.all(refs.map(notes))).flat() };
  },
  async broadcasts(_context, refs) {
    const router = createRouter(refs, 'broadcast');
    const result = router.tell('note', { key: 'for all' });
    await router.send('note', { key: 'for all again' }, ask);
    for (const ref of refs) await ref.ask('who', { key: '' }, ask);
    const notesOfAll = await Promise.all(refs.map(notes));
    // Two never answer; the third's answer is taken.
    void refs[0]!.ask('hold', {}, ask);
    void refs[1]!.ask('hold', {}, ask);
    const { name } = await router.ask('who', { key: '' }, ask);
    for (const ref of refs) ref.tell('release', {});
    return { result, notes: notesOfAll, first: name };
  },
  async empties(context, refs) {
    const watching = createRouter(refs, 'round_robin', { context });
    const plain = createRouter(refs, 'round_robin');
    for (const ref of refs) ref.tell('end', {});
    await until(context, () => watching.routees.length === 0);
    const closed = plain.tell('note', { key: '' });
    return {
      closed,
      left: plain.routees.length,
      result: watching.tell('note', { key: '' }),
      ask: await watching.ask('who', { key: '' }, ask).catch((error: { code: string }) => error.code),
      send: await watching.send('note', { key: '' }, ask).catch((error: { code: string }) => error.code),
    };
  },
  async group(context, refs) {
    for (const ref of refs.slice(0, 2)) await ref.ask('join', { group: 'routees' }, ask);
    const router = createRouter(await context.group('routees', routeeProtocol), 'round_robin');
    await until(context, () => router.routees.length === 2);
    await refs[2]!.ask('join', { group: 'routees' }, ask);
    await until(context, () => router.routees.length === 3);
    const names = new Set<string>();
    for (let turn = 0; turn < 3; turn++) names.add((await router.ask('who', { key: '' }, ask)).name);
    refs[1]!.tell('end', {});
    await until(context, () => router.routees.length === 2);
    return { names: [...names].sort(), result: router.tell('note', { key: '' }) };
  },
};

export const dispatch = defineActor<typeof dispatchProtocol.spec, undefined>({
  protocol: dispatchProtocol,
  start: (context) => ({
    handlers: {
      async run({ scenario }) {
        const refs = ['r0', 'r1', 'r2'].map((name) => context.spawn(routee, undefined, { name }));
        try {
          return await SCENARIOS[scenario]!(context, refs);
        } finally {
          for (const ref of refs) await context.stop(ref.address);
        }
      },
    },
  }),
});
