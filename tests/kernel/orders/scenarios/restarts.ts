/** What was still in its lane when an actor failed is taken by its next life; nothing is handled twice, and the order stays. */
import { defineActor, defineProtocol } from '../../../../kernel/index.ts';
import { dawdle, type Scenario } from '../stage.ts';

const protocol = defineProtocol('survivor', {
  note: { request: { properties: { number: { type: 'uint32' }, way: { enum: ['handle', 'crash', 'crashLate'] } } } },
});

interface Record {
  readonly begun: number[];
  lives: number;
}

const survivor = defineActor<typeof protocol.spec, Record>({
  protocol,
  async start(context, record) {
    record.lives++;
    await dawdle(context);
    return {
      handlers: {
        async note({ number, way }) {
          record.begun.push(number);
          if (way === 'crash') throw new Error('told to crash');
          await dawdle(context);
          if (way === 'crashLate') throw new Error('told to crash late');
        },
      },
    };
  },
});

export const restarts: Scenario = {
  name: 'restarts',
  promise: 'A message that was taken by an actor that then failed is not delivered again; one that was still in its lane is taken by its next life.',
  options: (random) => ({ restartMs: random.int(6) }),
  async play(stage) {
    const record: Record = { begun: [], lives: 0 };
    const actor = await stage.spawnThread('survivor', survivor, record);
    let number = 0;
    let kills = 0;
    for (let round = 0; round < 20; round++) {
      for (let count = stage.random.int(4); count > 0; count--) {
        const way = stage.chance(0.1) ? stage.pick(['crash', 'crashLate'] as const) : 'handle';
        if (actor.tell('note', { number, way }) >= 0) number++;
      }
      await stage.wander();
      if (stage.chance(0.1) && stage.kill(actor)) kills++;
    }
    await stage.quiet();
    for (let index = 1; index < record.begun.length; index++) {
      stage.require(record.begun[index]! > record.begun[index - 1]!, `message ${record.begun[index]} came after ${record.begun[index - 1]}.`);
    }
    // A message is out of its lane before its handler begins, in the same step: none is lost by a kill between steps.
    stage.require(record.begun.length === number, `${record.begun.length} of ${number} messages were begun, with ${kills} kills and ${record.lives} lives.`);
  },
};
