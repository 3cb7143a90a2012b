/** A name belongs to one actor at a time, whoever asks for it at the same moment; and is free again when that one has ended. */
import { SpillwayError, defineActor, defineProtocol, type ActorRef } from '../../../../kernel/index.ts';
import type { Scenario } from '../stage.ts';

const protocol = defineProtocol('claimant', {
  claim: { request: { properties: { name: { type: 'string' } } }, reply: { properties: { isMine: { type: 'boolean' } } } },
  whoIs: { request: { properties: { name: { type: 'string' } } }, reply: { properties: { address: { type: 'uint32' } } } },
});

const claimant = defineActor<typeof protocol.spec, undefined>({
  protocol,
  start: (context) => ({
    handlers: {
      async claim({ name }) {
        try {
          await context.register(name);
          return { isMine: true };
        } catch (error) {
          if (error instanceof SpillwayError && error.code === 'name_taken') return { isMine: false };
          throw error;
        }
      },
      async whoIs({ name }) {
        return { address: (await context.resolve(name, protocol)).address };
      },
    },
  }),
});

export const names: Scenario = {
  name: 'names',
  promise: 'A registered name is one actor, everywhere, until that actor has ended.',
  async play(stage) {
    const actors: ActorRef<typeof protocol.spec>[] = [];
    const home = await stage.spawnThread('home', claimant, undefined);
    for (let number = 0; number < 4; number++) actors.push(await stage.spawn(`claimant-${number}`, claimant, undefined, { restart: 'temporary' }));
    const owners = await stage.system.run(Promise.all(actors.map((each) => each.ask('claim', { name: 'the-one' }, { deadlineMs: 10_000 }))));
    const owner = actors[owners.findIndex(({ isMine }) => isMine)];
    const count = owners.filter(({ isMine }) => isMine).length;
    stage.require(count === 1, `${count} actors have the same name.`);
    if (owner === undefined) return;
    const found = await stage.system.run(Promise.all(actors.map((each) => each.ask('whoIs', { name: 'the-one' }, { deadlineMs: 10_000 }))));
    stage.require(found.every(({ address }) => address === owner.address), `the name leads to ${found.map(({ address }) => address).join()}; its owner is ${owner.address}.`);
    if (stage.chance(0.5)) await stage.system.stop(owner);
    else stage.kill(owner);
    await stage.quiet();
    if (stage.system.inspect().threads.some(({ actors: list }) => list.some(({ name }) => name === owner.name))) return;
    if (!stage.lives(home)) return;
    const again = await stage.system.run(home.ask('claim', { name: 'the-one' }, { deadlineMs: 10_000 }));
    stage.require(again.isMine, `the name of an actor that has ended was not free.`);
  },
};
