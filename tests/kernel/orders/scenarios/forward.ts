/** An ask that is handed on, even several times, is answered once, by whoever had it last; or ends as any ask. */
import { defineActor, defineProtocol, type ActorRef } from '../../../../kernel/index.ts';
import { pause, type Scenario } from '../stage.ts';
import { AskBook, asked } from './asks.ts';

const protocol = defineProtocol('relay', {
  pass: { request: { properties: { id: { type: 'uint32' }, hops: { elements: { type: 'uint32' } }, to: { type: 'uint32' } } }, reply: { properties: { id: { type: 'uint32' } } } },
});
type Relay = ActorRef<typeof protocol.spec>;

const relay = defineActor<typeof protocol.spec, undefined>({
  protocol,
  start: (context) => ({
    handlers: {
      async pass({ id, hops, to }, message) {
        const late = context.random.int(3);
        if (late > 0) await pause(context, late - 1);
        const [next, ...rest] = hops;
        const way = context.random.int(4) === 0 ? 'late' : 'answer';
        const result = next === undefined ? message.forward(context.ref(to, asked.protocol), 'act', { id, way }) : message.forward(context.ref(next, protocol), 'pass', { id, hops: rest, to });
        // Of an ask that was handed on this is ignored; an asker who gets it has the wrong answer.
        return { id: result < 0 ? id : 0 };
      },
    },
  }),
});

export const forward: Scenario = {
  name: 'forward',
  promise: 'An ask that is handed on is answered by whoever had it last, once.',
  async play(stage) {
    const book = new AskBook(stage);
    const relays: Relay[] = [];
    for (let number = 0; number < 3; number++) relays.push(await stage.spawn(`relay-${number}`, relay, undefined));
    const target = await stage.spawn('target', asked, book);
    for (let round = 0; round < 10; round++) {
      const hops = Array.from({ length: stage.random.int(3) }, () => stage.pick(relays).address);
      // Refused by a relay that could not hand it on, it is answered by that relay without having been handled.
      book.ask(async (id) => {
        const reply = await stage.pick(relays).ask('pass', { id, hops, to: target.address }, { deadlineMs: 1 + stage.random.int(200) });
        if (reply.id === id && !book.begun.has(id)) book.begin(id);
        return reply;
      });
      await stage.wander();
      if (stage.chance(0.1)) stage.kill(stage.pick([...relays, target]));
    }
    await stage.quiet();
    book.judge();
  },
};
