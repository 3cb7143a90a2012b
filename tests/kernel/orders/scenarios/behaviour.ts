/** Stash and become: what was put aside comes back in its order, before what waits; the next message finds the new behaviour. */
import { defineActor, defineProtocol } from '../../../../kernel/index.ts';
import { dawdle, type Scenario } from '../stage.ts';

const protocol = defineProtocol('door', {
  close: { request: { properties: {} } },
  open: { request: { properties: {} } },
  knock: { request: { properties: { sender: { type: 'uint32' }, number: { type: 'uint32' } } } },
  ask: { request: { properties: { number: { type: 'uint32' } } }, reply: { properties: { number: { type: 'uint32' } } } },
});
const knockerProtocol = defineProtocol('knocker', { go: { request: { properties: { door: { type: 'uint32' }, count: { type: 'uint32' } } } } });

interface Log {
  /** In the order of arrival: of first handling, that is. */
  readonly arrived: string[];
  readonly handled: string[];
  readonly violations: string[];
}

const STASH_CAPACITY = 1_000;

const door = defineActor<typeof protocol.spec, Log>({
  protocol,
  stashCapacity: STASH_CAPACITY,
  start(context, log) {
    let isOpen = true;
    const seen = new Set<string>();
    const arrive = (key: string): void => {
      if (seen.has(key)) return;
      seen.add(key);
      log.arrived.push(key);
    };
    const expect = (state: boolean): void => {
      if (isOpen !== state) log.violations.push(`a handler of the behaviour '${state ? 'open' : 'closed'}' ran in the other one.`);
    };
    const open = {
      async close() {
        expect(true);
        isOpen = false;
        context.become(closed as never);
        await dawdle(context);
      },
      open: () => expect(true),
      knock({ sender, number }: { sender: number; number: number }) {
        expect(true);
        arrive(`${sender}:${number}`);
        log.handled.push(`${sender}:${number}`);
        return dawdle(context);
      },
      async ask({ number }: { number: number }) {
        expect(true);
        arrive(`ask:${number}`);
        log.handled.push(`ask:${number}`);
        await dawdle(context);
        return { number };
      },
    };
    const putAside = (key: string): void => {
      expect(false);
      arrive(key);
      context.stash();
    };
    const closed = {
      close: () => expect(false),
      async open() {
        expect(false);
        isOpen = true;
        context.become(open as never);
        context.unstashAll();
        await dawdle(context);
      },
      knock: ({ sender, number }: { sender: number; number: number }) => putAside(`${sender}:${number}`),
      ask: ({ number }: { number: number }) => putAside(`ask:${number}`) as never,
    };
    return { handlers: open };
  },
});

const knocker = defineActor<typeof knockerProtocol.spec, { sender: number }>({
  protocol: knockerProtocol,
  start(context, { sender }) {
    let number = 0;
    return {
      handlers: {
        async go({ door: address, count }) {
          const ref = context.ref(address, protocol);
          for (let left = count; left > 0; left--) {
            if (ref.tell('knock', { sender, number }) >= 0) number++;
            await dawdle(context);
          }
        },
      },
    };
  },
});

export const behaviour: Scenario = {
  name: 'behaviour',
  promise: 'What was stashed is handled in its order and before what came later; a changed behaviour holds from the next message on.',
  async play(stage) {
    const log: Log = { arrived: [], handled: [], violations: stage.violations };
    const target = await stage.spawn('door', door, log);
    const knockers = [await stage.spawn('knocker-1', knocker, { sender: 1 }), await stage.spawn('knocker-2', knocker, { sender: 2 })];
    let asked = 0;
    let answered = 0;
    for (let round = 0; round < 10; round++) {
      stage.pick(knockers).tell('go', { door: target.address, count: 1 + stage.random.int(6) });
      const number = ++asked;
      void (async () => {
        try {
          const reply = await target.ask('ask', { number }, { deadlineMs: 100_000 });
          answered++;
          stage.require(reply.number === number, `ask ${number} was answered with ${reply.number}.`);
        } catch (error) {
          stage.violate(`ask ${number} failed: ${String(error)}`);
        }
      })();
      await stage.wander();
      target.tell(stage.pick(['open', 'close'] as const), {});
      await stage.wander();
    }
    await stage.system.advance(1_000);
    target.tell('open', {});
    await stage.quiet();
    stage.require(log.handled.join() === log.arrived.join(), `arrived ${log.arrived.join(' ')}, handled ${log.handled.join(' ')}.`);
    stage.require(answered === asked, `${answered} of ${asked} asks were answered.`);
  },
};
