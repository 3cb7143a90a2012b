/** Whatever the lanes and threads do, each ask ends; where no record comes twice, none is handled twice. */
import { defineActor, defineProtocol } from '../../../../kernel/index.ts';
import { FAULTS, randomFaults } from '../../../../kernel/testkit/index.ts';
import { dawdle, type Scenario } from '../stage.ts';

const protocol = defineProtocol('victim', {
  act: { request: { properties: { id: { type: 'uint32' } } }, reply: { properties: { id: { type: 'uint32' } } } },
  actUrgently: { lane: 'control', request: { properties: { id: { type: 'uint32' } } }, reply: { properties: { id: { type: 'uint32' } } } },
});

const victim = defineActor<typeof protocol.spec, Map<number, number>>({
  protocol,
  start(context, begun) {
    const act = async ({ id }: { id: number }): Promise<{ id: number }> => {
      begun.set(id, (begun.get(id) ?? 0) + 1);
      await dawdle(context);
      return { id };
    };
    return { handlers: { act, actUrgently: act } };
  },
});

const THREADS = ['victim-1', 'victim-2'];

export const faulty: Scenario = {
  name: 'faulty',
  promise: 'An ask ends whatever is dropped, late, twice, full, stalled or killed on its way.',
  options: (random) => ({ faults: randomFaults(random, { count: 1 + random.int(6), steps: 200, threads: THREADS, kinds: FAULTS }) }),
  async play(stage) {
    const begun = new Map<number, number>();
    const victims = [];
    for (const name of THREADS) {
      // A fault may meet it while it starts.
      victims.push(await stage.system.spawn(name, victim, begun, { mailbox: { dataBytes: 1_024 } }));
    }
    let ended = 0;
    let asked = 0;
    for (let round = 0; round < 20; round++) {
      const id = ++asked;
      const settled = (): void => void ended++;
      stage
        .pick(victims)
        .ask(stage.chance(0.2) ? 'actUrgently' : 'act', { id }, { deadlineMs: 1_000 })
        .then((reply) => stage.require(reply.id === id, `ask ${id} was given the answer to ${reply.id}.`), () => {})
        .then(settled, settled);
      await stage.wander();
    }
    await stage.quiet();
    stage.require(ended === asked, `${ended} of ${asked} asks have ended.`);
  },
};
