/** At quiet everyone who follows a group knows the same members: those that have joined, not left and not ended. */
import { defineActor, defineProtocol, type ActorRef, type Group } from '../../../../kernel/index.ts';
import type { Scenario } from '../stage.ts';

const protocol = defineProtocol('member', {
  join: { request: { properties: {} } },
  leave: { request: { properties: {} } },
  publish: { request: { properties: { number: { type: 'uint32' } } } },
  news: { request: { properties: { from: { type: 'uint32' }, number: { type: 'uint32' } } } },
  members: { request: { properties: {} }, reply: { properties: { addresses: { elements: { type: 'uint32' } } } } },
});
type Member = ActorRef<typeof protocol.spec>;

interface Truth {
  readonly joined: Set<number>;
  readonly news: Map<number, string[]>;
}

const member = defineActor<typeof protocol.spec, Truth>({
  protocol,
  async start(context, truth) {
    const group: Group<typeof protocol.spec> = await context.group('all', protocol);
    truth.news.set(context.self, []);
    return {
      handlers: {
        async join() {
          await group.join();
          truth.joined.add(context.self);
        },
        async leave() {
          await group.leave();
          truth.joined.delete(context.self);
        },
        publish: ({ number }) => void group.publish('news', { from: context.self, number }),
        news: ({ from, number }) => void truth.news.get(context.self)!.push(`${from}:${number}`),
        members: () => ({ addresses: group.members.map(({ address }) => address) }),
      },
    };
  },
});

export const groups: Scenario = {
  name: 'groups',
  promise: 'Who is in a group is known everywhere a moment after it changes, and an actor that ends leaves by itself.',
  async play(stage) {
    const truth: Truth = { joined: new Set(), news: new Map() };
    const members: Member[] = [];
    for (let number = 0; number < 5; number++) members.push(await stage.spawn(`member-${number}`, member, truth, number === 0 ? {} : { restart: 'temporary' }));
    const ended = new Set<Member>();
    for (let round = 0; round < 12; round++) {
      const one = stage.pick(members);
      if (ended.has(one)) continue;
      one.tell(stage.pick(['join', 'join', 'leave'] as const), {});
      await stage.wander(8);
      if (stage.chance(0.1) && one !== members[0]) {
        // With a thread's own actor go all that were spawned beside it.
        await stage.system.stop(one);
        for (const each of members) if (each === one || !stage.lives(each)) ended.add(each);
      }
      await stage.wander(8);
    }
    await stage.quiet();
    const living = members.filter((each) => !ended.has(each));
    for (const each of members) if (ended.has(each)) truth.joined.delete(each.address);
    const expected = [...truth.joined].toSorted((a, b) => a - b).join();
    for (const each of living) {
      const { addresses } = await stage.system.run(each.ask('members', {}, { deadlineMs: 1_000 }));
      stage.require(addresses.toSorted((a, b) => a - b).join() === expected, `${each.name} knows the members ${addresses.join()}; there are ${expected}.`);
    }
    // The first message to a thread that it has no link to is refused, while the link is made.
    living[0]?.tell('publish', { number: 0 });
    await stage.quiet();
    for (const news of truth.news.values()) news.length = 0;
    living[0]?.tell('publish', { number: 1 });
    await stage.quiet();
    for (const address of truth.joined) stage.require(truth.news.get(address)?.length === 1, `the member ${address} has ${truth.news.get(address)?.length} copies of one message.`);
  },
};
