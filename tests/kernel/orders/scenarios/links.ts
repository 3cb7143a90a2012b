/** Linked actors fail together, and the proper stop of one concerns no other. */
import { defineActor, defineProtocol, type ActorRef } from '../../../../kernel/index.ts';
import type { Scenario } from '../stage.ts';

const protocol = defineProtocol('linked', {
  link: { request: { properties: { to: { type: 'uint32' } } } },
  fail: { request: { properties: {} } },
  end: { request: { properties: {} } },
});

interface Fate {
  state: 'lives' | 'crashed' | 'stopped';
}

const linked = defineActor<typeof protocol.spec, Fate>({
  protocol,
  start: (context, fate) => ({
    handlers: {
      link: ({ to }) => void context.link(to),
      fail() {
        throw new Error('told to fail');
      },
      end: () => context.stopSelf(),
    },
    stop(reason) {
      fate.state = reason === 'crashed' ? 'crashed' : 'stopped';
    },
  }),
});

export const links: Scenario = {
  name: 'links',
  promise: 'Whichever of two linked actors fails, the other fails too; a proper stop concerns nobody.',
  async play(stage) {
    const homes = [await stage.spawnThread('home-1', linked, { state: 'lives' }), await stage.spawnThread('home-2', linked, { state: 'lives' })];
    const fates = new Map<ActorRef<typeof protocol.spec>, Fate>();
    const actors: ActorRef<typeof protocol.spec>[] = [];
    for (let number = 0; number < 4; number++) {
      const fate: Fate = { state: 'lives' };
      const isThread = number === 3 && stage.chance(0.5);
      const ref = isThread
        ? await stage.spawnThread('own', linked, fate, { restart: 'temporary' })
        : await stage.system.spawn(`linked-${number}`, linked, fate, { thread: stage.pick(homes) });
      fates.set(ref, fate);
      actors.push(ref);
    }
    // A chain, so that one failure goes through all of them.
    for (let number = 1; number < actors.length; number++) {
      const [from, to] = stage.chance(0.5) ? [actors[number - 1]!, actors[number]!] : [actors[number]!, actors[number - 1]!];
      from.tell('link', { to: to.address });
      await stage.wander(4);
    }
    await stage.quiet();
    const isFailure = stage.chance(0.5);
    const first = stage.pick(actors);
    first.tell(isFailure ? 'fail' : 'end', {});
    await stage.quiet();
    for (const [ref, { state }] of fates) {
      if (isFailure) stage.require(state === 'crashed', `${ref.name} is in a chain of links with ${first.name}, which failed, and ${state}.`);
      else stage.require(ref === first ? state === 'stopped' : state === 'lives', `${ref.name} is linked with ${first.name}, which was stopped, and ${state}.`);
    }
  },
};
