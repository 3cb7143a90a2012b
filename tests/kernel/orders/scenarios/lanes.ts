/** Control is handled before data, looked at anew before every message. */
import { defineActor, defineProtocol, threadOf, type Addressed } from '../../../../kernel/index.ts';
import { dawdle, type Scenario, type Stage } from '../stage.ts';

const protocol = defineProtocol('busy', { work: { request: { properties: {} } }, urgent: { lane: 'control', request: { properties: {} } } });
const neighbourProtocol = defineProtocol('neighbour', { go: { request: { properties: { to: { type: 'uint32' }, count: { type: 'uint32' } } } } });

interface Watchful {
  readonly stage: Stage;
  self: Addressed | undefined;
  /** Control messages from its own thread that it has not handled. */
  urgentHere: number;
}

const busy = defineActor<typeof protocol.spec, Watchful>({
  protocol,
  start: (context, watchful) => ({
    handlers: {
      async work() {
        const { stage, self, urgentHere } = watchful;
        const waiting = self === undefined ? 0 : stage.system.waitingBytes(self, 'control');
        stage.require(waiting === 0, `a data message is handled while ${waiting} bytes wait in control lanes.`);
        stage.require(urgentHere === 0, `a data message is handled while ${urgentHere} control messages of its own thread wait.`);
        await dawdle(context);
      },
      async urgent(_, { from }) {
        if (threadOf(from) === threadOf(context.self)) watchful.urgentHere--;
        await dawdle(context);
      },
    },
  }),
});

const neighbour = defineActor<typeof neighbourProtocol.spec, Watchful | undefined>({
  protocol: neighbourProtocol,
  start: (context, watchful) => ({
    handlers: {
      async go({ to, count }) {
        const ref = context.ref(to, protocol);
        for (let left = count; left > 0; left--) {
          if (context.random.int(2) === 0) ref.tell('work', {});
          else if (ref.tell('urgent', {}) >= 0 && watchful !== undefined) watchful.urgentHere++;
          await dawdle(context);
        }
      },
    },
  }),
});

export const lanes: Scenario = {
  name: 'lanes',
  promise: 'Control messages are taken before data, data before telemetry, looked at anew before every message.',
  async play(stage) {
    const watchful: Watchful = { stage, self: undefined, urgentHere: 0 };
    const target = await stage.spawnThread('busy', busy, watchful);
    watchful.self = target;
    const near = await stage.system.spawn('near', neighbour, watchful, { thread: target });
    const far = await stage.spawnThread('far', neighbour, undefined);
    for (let round = 0; round < 10; round++) {
      if (stage.chance(0.5)) stage.pick([near, far]).tell('go', { to: target.address, count: 1 + stage.random.int(6) });
      else target.tell(stage.chance(0.5) ? 'work' : 'urgent', {});
      await stage.wander();
    }
  },
};
