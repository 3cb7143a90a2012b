/** Whoever watches an actor is told once of its end, and of its end only: not of a restart, and not once it has taken the watch off. */
import { defineActor, defineProtocol, type Terminated, type Timer } from '../../../../kernel/index.ts';
import type { Scenario, Stage } from '../stage.ts';

const targetProtocol = defineProtocol('target', { end: { request: { properties: { way: { enum: ['stop', 'crash'] } } } } });
const watcherProtocol = defineProtocol('watcher', {
  watch: { request: { properties: { target: { type: 'uint32' } } } },
  unwatch: { lane: 'control', request: { properties: {} } },
});

interface Watch {
  readonly target: number;
  readonly told: Terminated[];
  isOff: boolean;
  readonly timer: Timer;
}

const target = defineActor<typeof targetProtocol.spec, undefined>({
  protocol: targetProtocol,
  start: (context) => ({
    handlers: {
      end({ way }) {
        if (way === 'crash') throw new Error('told to crash');
        context.stopSelf();
      },
    },
  }),
});

interface WatcherArgs {
  readonly stage: Stage;
  readonly watches: Watch[];
}

const watcher = defineActor<typeof watcherProtocol.spec, WatcherArgs>({
  protocol: watcherProtocol,
  start: (context, { stage, watches }) => ({
    handlers: {
      watch({ target: address }) {
        const timer = context.watch(address, (end) => {
          watch.told.push(end);
          stage.require(!watch.isOff, `a watcher of ${address} was told although it has taken the watch off.`);
          stage.require(end.address === address, `a watcher of ${address} was told of ${end.address}.`);
        });
        const watch: Watch = { target: address, told: [], isOff: false, timer };
        watches.push(watch);
      },
      unwatch() {
        const watch = watches[context.random.int(Math.max(1, watches.length))];
        if (watch === undefined || watch.told.length > 0) return;
        watch.isOff = true;
        watch.timer.cancel();
      },
    },
  }),
});

export const watch: Scenario = {
  name: 'watch',
  promise: 'A watcher is told exactly once when an actor has ended for good; a restart is no end.',
  async play(stage) {
    const watches: Watch[] = [];
    const watchers = [await stage.spawnThread('watcher-1', watcher, { stage, watches })];
    watchers.push(await stage.system.spawn('watcher-2', watcher, { stage, watches }, { thread: watchers[0]! }));
    const permanent = await stage.spawnThread('permanent', target, undefined);
    const temporary = await stage.spawnThread('temporary', target, undefined, { restart: 'temporary' });
    const children = [
      await stage.system.spawn('child', target, undefined, { thread: permanent }),
      await stage.system.spawn('restarted', target, undefined, { thread: temporary, onFailure: () => 'restart' }),
      await stage.system.spawn('beside', target, undefined, { thread: watchers[0]! }),
    ];
    const targets = [permanent, temporary, ...children];
    for (let round = 0; round < 10; round++) {
      stage.pick(watchers).tell('watch', { target: stage.pick(targets).address });
      await stage.wander(6);
      if (stage.chance(0.2)) stage.pick(watchers).tell('unwatch', {});
      if (stage.chance(0.2)) stage.pick(targets).tell('end', { way: stage.pick(['stop', 'crash'] as const) });
      if (stage.chance(0.1)) stage.kill(stage.pick([permanent, temporary]));
      await stage.wander(6);
    }
    await stage.quiet();
    for (const { target: address, told, isOff } of watches) {
      const isLeft = targets.some((ref) => ref.address === address && ref === permanent);
      if (isLeft) stage.require(told.length === 0, `a watcher of the permanent actor was told of its end before it had ended: ${JSON.stringify(told)}.`);
      else stage.require(told.length <= 1, `a watcher of ${address} was told ${told.length} times.`);
      if (isOff) stage.require(told.length === 0, `a watcher that has taken its watch off was told.`);
    }
    // Now all end, each in its way.
    for (const ref of targets) if (stage.lives(ref)) await stage.system.stop(ref);
    await stage.quiet();
    for (const { target: address, told, isOff } of watches) {
      if (!isOff) stage.require(told.length === 1, `a watcher of ${targets.find((ref) => ref.address === address)?.name} was told ${told.length} times at the end.`);
    }
  },
};
