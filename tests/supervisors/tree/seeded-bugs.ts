/** Bugs that are put into the engine on purpose: the check has to find each of them. */
import { Backoff } from '../../../supervisors/backoff.ts';
import type { ChildExit, ChildPlace } from '../../../supervisors/child-place.ts';
import type { AnyChildSpec, SupervisorFlags } from '../../../supervisors/child-spec.ts';
import { Children } from '../../../supervisors/children.ts';
import { GroupRestart } from '../../../supervisors/group-restart.ts';
import { RestartIntensity } from '../../../supervisors/restart-intensity.ts';
import type { CheckedSetup } from '../../../supervisors/spec-check.ts';
import { Supervisor } from '../../../supervisors/supervisor.ts';

export interface SeededBug {
  readonly name: string;
  /** What the engine is given in place of flags and specs. */
  setup?(setup: CheckedSetup): CheckedSetup;
  /** In place of a delay that the engine asks for. */
  delayMs?(delayMs: number): number;
  /** What stands between the engine and a child. */
  place?(place: ChildPlace): ChildPlace;
  /** Whether a supervisor does not tell of such an end of its own. */
  isDeafTo?(exit: ChildExit): boolean;
  /** Changes the engine's classes. @returns puts them right again */
  patch?(): () => void;
}

export const SEEDED_BUGS: readonly SeededBug[] = [
  { name: 'rest_for_one restarts all', setup: withFlags(({ strategy }) => (strategy === 'rest_for_one' ? { strategy: 'one_for_all' } : {})) },
  { name: 'one_for_all restarts the later ones only', setup: withFlags(({ strategy }) => (strategy === 'one_for_all' ? { strategy: 'rest_for_one' } : {})) },
  { name: 'rest_for_one restarts the failed child alone', setup: withFlags(({ strategy }) => (strategy === 'rest_for_one' ? { strategy: 'one_for_one' } : {})) },
  { name: 'one restart more than the intensity', setup: withFlags(({ intensity }) => ({ intensity: intensity + 1 })) },
  { name: 'one restart less than the intensity', setup: withFlags(({ intensity }) => ({ intensity: Math.max(0, intensity - 1) })) },
  { name: 'the period does not slide', patch: () => replaced(RestartIntensity.prototype, 'permits', (permits) => function (this: RestartIntensity, nowMs: number) { return permits.call(this, nowMs - (nowMs % 5_000)); }) },
  { name: 'a failure exactly one period ago does not count', setup: withFlags(({ periodMs }) => ({ periodMs: periodMs - 0.5 })) },
  { name: 'transient is taken for permanent', setup: withChildren((spec) => (spec.restart === 'transient' && spec.significant !== true ? { restart: 'permanent' } : {})) },
  { name: 'a temporary child is restarted', setup: withChildren((spec) => (spec.restart === 'temporary' ? { restart: 'transient' } : {})) },
  { name: 'significant is ignored', setup: withFlags(() => ({ autoShutdown: 'never' })) },
  { name: 'the first significant child ends the supervisor instead of the last', setup: withFlags(({ autoShutdown }) => (autoShutdown === 'all_significant' ? { autoShutdown: 'any_significant' } : {})) },
  { name: 'brutalKill is ignored', setup: withChildren((spec) => (spec.brutalKill === true ? { brutalKill: false } : {})) },
  { name: 'the back-off is not waited for', patch: () => replaced(Backoff.prototype, 'nextDelayMs', () => () => 0) },
  { name: 'the back-off does not begin anew after a long life', patch: () => replaced(Backoff.prototype, 'nextDelayMs', (next) => function (this: Backoff) { return next.call(this, 0); }) },
  { name: 'timers come a millisecond early', delayMs: (delayMs) => Math.max(0, delayMs - 1) },
  { name: 'children are stopped from left to right', patch: () => replaced(Supervisor.prototype, 'shutdown', (shutdown) => function (this: Supervisor, deadlineMs: number) { return reversed(() => shutdown.call(this, deadlineMs)); }) },
  { name: 'a supervisor does not tell that it has given up', isDeafTo: ({ code }) => code === 'restart_intensity' },
  { name: 'a supervisor does not tell that it has shut itself down', isDeafTo: ({ code }) => code === '' },
  { name: 'a place is not given up', place: (place) => passing(place, { remove: () => {} }) },
  { name: 'a stop is not waited for', place: (place) => passing(place, { stop: (deadlineMs) => (void place.stop(deadlineMs), Promise.resolve(true)) }) },
  { name: 'a stop is tried without its deadline', place: (place) => passing(place, { stop: () => place.stop(2 ** 31 - 1) }) },
  { name: 'an end is not heard', place: (place) => passing(place, { start: (onExit) => place.start((exit) => (exit.reason === 'stopped' ? undefined : onExit(exit))) }) },
  { name: 'siblings that fail together are counted each', patch: () => replaced(GroupRestart.prototype, 'isAboutToStop', () => () => false) },
  { name: 'changes of the children and restarts of a group do not take turns', patch: () => replaced(GroupRestart.prototype, 'inTurn', () => async (change) => change()) },
  { name: 'a child is restarted after it was terminated', patch: () => replaced(Supervisor.prototype, 'terminateChild', (terminate) => async function (this: Supervisor, id: string) { const ended = await terminate.call(this, id); await this.restartChild(id).catch(() => {}); return ended; }) },
  { name: 'a deleted child stays', patch: () => replaced(Children.prototype, 'delete', () => () => {}) },
];

function withFlags(change: (flags: SupervisorFlags) => Partial<SupervisorFlags>): (setup: CheckedSetup) => CheckedSetup {
  return (setup) => ({ ...setup, flags: { ...setup.flags, ...change(setup.flags) } });
}

function withChildren(change: (spec: AnyChildSpec) => Partial<AnyChildSpec>): (setup: CheckedSetup) => CheckedSetup {
  return (setup) => ({ ...setup, children: setup.children.map((spec) => ({ ...spec, ...change(spec) }) as AnyChildSpec) });
}

function passing(place: ChildPlace, changed: Partial<ChildPlace>): ChildPlace {
  return {
    address: undefined,
    start: (onExit) => place.start(onExit),
    stop: (deadlineMs) => place.stop(deadlineMs),
    kill: () => place.kill(),
    remove: (exit) => place.remove(exit),
    ...changed,
  };
}

/** @returns puts the method back */
function replaced<Owner extends object, Key extends keyof Owner>(owner: Owner, key: Key, make: (former: Owner[Key]) => Owner[Key]): () => void {
  const former = owner[key];
  owner[key] = make(former);
  return () => {
    owner[key] = former;
  };
}

/** A walk over the children goes the other way round while `run` is called, up to its first wait. */
function reversed<Result>(run: () => Result): Result {
  const restore = replaced(Children.prototype, Symbol.iterator, (former) => function (this: Children) { return [...{ [Symbol.iterator]: () => former.call(this) }].toReversed()[Symbol.iterator](); });
  try {
    return run();
  } finally {
    restore();
  }
}
