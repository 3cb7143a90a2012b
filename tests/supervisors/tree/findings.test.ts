// What the runs against the model have found, each as the shortest sequence that shows it.
import { expect, test } from 'vitest';
import { DEFAULT_FLAGS, type AnyChildSpec, type ChildSpec, type SupervisorFlags } from '../../../supervisors/child-spec.ts';
import { Forest, type Watcher } from './forest.ts';
import { ManualTime } from './manual-time.ts';

/** Back-off without luck in it. */
const backoff = { minMs: 0, maxMs: 0, jitter: 0 };

class Grove {
  readonly time = new ManualTime();
  readonly forest: Forest;
  readonly violations: string[] = [];

  private constructor(flags: Partial<SupervisorFlags>, children: readonly AnyChildSpec[]) {
    const setup = { flags: { ...DEFAULT_FLAGS, backoff, ...flags }, children };
    this.forest = new Forest({ time: this.time, setup, luck: 0.5, bug: undefined, violated: (what) => this.violations.push(what) });
  }

  static async of(flags: Partial<SupervisorFlags>, ...children: AnyChildSpec[]): Promise<Grove> {
    const grove = new Grove(flags, children);
    void grove.forest.root.start();
    await grove.time.settle();
    return grove;
  }

  crash(...names: string[]): void {
    for (const name of names) this.forest.leaf(name)!.exit('crashed');
  }

  at(delayMs: number, run: () => unknown): void {
    this.time.after(delayMs, () => void run());
  }

  states(path = ''): string[] {
    return this.forest.children(path)!.map(({ id, state, restarts }) => `${id} ${state} ${restarts}`);
  }

  hold(name: string, stops: number): void {
    this.forest.scripts.holds.set(name, stops);
  }
}

function leaf(id: string, more: Partial<ChildSpec> = {}, startMs = 0, stopMs = 0): AnyChildSpec {
  return { id, ...more, start: { module: 'leaf', export: 'leaf', args: { startMs, stopMs } } };
}

function watching(note: (what: 'start' | 'stop' | 'exit', name: string) => void): Watcher {
  return {
    start: (name) => note('start', name),
    exit: (name) => note('exit', name),
    stop: (name) => note('stop', name),
    started() {},
    stopped() {},
    remove() {},
    report() {},
    end() {},
  };
}

test('siblings that fail at the same moment are one failure where they are restarted together', async () => {
  const grove = await Grove.of({ strategy: 'one_for_all', intensity: 1 }, leaf('a'), leaf('b'), leaf('c'));
  grove.crash('b', 'c', 'a');
  await grove.time.settle();
  expect(grove.states()).toEqual(['a running 0', 'b running 1', 'c running 0']);
});

test('a transient child that leaves while its siblings are stopped for a restart comes back with them', async () => {
  const grove = await Grove.of({ strategy: 'one_for_all' }, leaf('a', { restart: 'transient' }), leaf('b'), leaf('c', {}, 0, 10));
  grove.crash('b');
  grove.at(5, () => grove.forest.leaf('a')!.exit('stopped'));
  await grove.time.settle();
  expect(grove.states()).toEqual(['a running 0', 'b running 1', 'c running 0']);
});

test('what is terminated after a sibling has failed does not come back with it', async () => {
  const grove = await Grove.of({ strategy: 'one_for_all' }, leaf('a'), leaf('b'), leaf('c', {}, 0, 10));
  grove.crash('b');
  grove.at(5, () => grove.forest.root.terminateChild('a'));
  await grove.time.settle();
  expect(grove.states()).toEqual(['a stopped 0', 'b running 1', 'c running 0']);
});

test('those beside a failed child go on if it is terminated before their turn to stop has come', async () => {
  const grove = await Grove.of({ strategy: 'rest_for_one' }, leaf('a'), leaf('b'), leaf('c', {}, 0, 10));
  const lives: boolean[] = [];
  grove.crash('a');
  grove.at(5, () => grove.forest.root.terminateChild('a'));
  grove.at(6, () => lives.push(grove.forest.isAlive('b')));
  grove.at(11, () => lives.push(grove.forest.isAlive('b')));
  await grove.time.settle();
  expect(lives).toEqual([true, true]);
  expect(grove.states()).toEqual(['a stopped 1', 'b running 0', 'c running 0']);
});

test('a delay that a terminated child no longer waits for does not shorten that of its next failure', async () => {
  const grove = await Grove.of({ backoff: { minMs: 100, maxMs: 100, jitter: 0 } }, leaf('a'));
  const { root } = grove.forest;
  const isAlive: boolean[] = [];
  grove.crash('a');
  grove.at(50, async () => {
    await root.terminateChild('a');
    await root.restartChild('a');
    grove.crash('a');
    grove.at(99, () => isAlive.push(grove.forest.isAlive('a')));
  });
  await grove.time.settle();
  expect(isAlive).toEqual([false]);
  expect(grove.states()).toEqual(['a running 2']);
});

test('a supervisor that gives up has not ended before a child that cannot be ended yet', async () => {
  const grove = await Grove.of(
    { intensity: 1_000 },
    { id: 's', type: 'supervisor', flags: { intensity: 0, backoff }, children: [leaf('a'), leaf('b', { shutdownMs: 10 })] },
  );
  grove.hold('s/b', 5);
  grove.crash('s/a');
  await grove.time.settle();
  expect(grove.violations).toEqual([]);
  expect(grove.states('s')).toEqual(['a running 0', 'b running 0']);
  expect(grove.time.nowMs).toBeGreaterThanOrEqual(50);
});

test('a child whose late start cannot be ended keeps its place although its supervisor gives up', async () => {
  const grove = await Grove.of(
    { intensity: 1_000 },
    { id: 's', type: 'supervisor', flags: { intensity: 1, backoff }, children: [leaf('a', { startMs: 20, shutdownMs: 10 })] },
  );
  grove.forest.scripts.starts.set('s/a', [{ how: 'hang', afterMs: 0 }]);
  grove.hold('s/a', 4);
  grove.crash('s/a');
  await grove.time.settle();
  expect(grove.violations).toEqual([]);
  expect(grove.states()).toEqual(['s running 1']);
});

test('a child that ends the moment it is ready has not lived, however long its start took', async () => {
  const grove = await Grove.of({ intensity: 1_000, backoff: { minMs: 10, maxMs: 1_000, jitter: 0, resetMs: 50 } }, leaf('a'));
  grove.forest.scripts.starts.set('a', [60, 60, 60].map((afterMs) => ({ how: 'exit', afterMs })));
  const beganMs = grove.time.nowMs;
  grove.crash('a');
  await grove.time.settle();
  // Delays of 10, 20, 40 and 80 ms, and three starts of 60 ms.
  expect(grove.time.nowMs - beganMs).toBe(150 + 180);
});

test('a child that is started on request comes after the first children, also while those still start', async () => {
  const time = new ManualTime();
  const setup = { flags: { ...DEFAULT_FLAGS, backoff }, children: [leaf('a', {}, 10), leaf('b', {}, 10)] };
  const forest = new Forest({ time, setup, luck: 0.5, bug: undefined, violated: () => {} });
  const started = forest.root.start();
  const added = forest.root.startChild(leaf('c'));
  const refused = forest.root.startChild(leaf('b')).catch(({ code }: { code: string }) => code);
  await time.settle();
  await Promise.all([started, added]);
  expect(await refused).toBe('child_exists');
  expect(forest.children('')!.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
});

test('the second of two terminations leaves the life alone that has begun after the first', async () => {
  const grove = await Grove.of({}, leaf('a', {}, 0, 10));
  const { root } = grove.forest;
  void root.terminateChild('a').then(() => root.restartChild('a'));
  void root.terminateChild('a');
  await grove.time.settle();
  expect(grove.violations).toEqual([]);
  expect(grove.states()).toEqual(['a running 0']);
});

test('a failure does not shorten the delay of an earlier one with which it is restarted', async () => {
  const grove = await Grove.of({ strategy: 'one_for_all' }, leaf('a', { backoff: { minMs: 100, maxMs: 100, jitter: 0 } }));
  const beganMs = grove.time.nowMs;
  const isAlive: boolean[] = [];
  grove.crash('a');
  grove.at(10, () => grove.forest.root.startChild(leaf('b')));
  grove.at(20, () => grove.crash('b'));
  grove.at(99, () => isAlive.push(grove.forest.isAlive('a'), grove.forest.isAlive('b')));
  await grove.time.settle();
  expect(isAlive).toEqual([false, false]);
  expect(grove.time.nowMs - beganMs).toBe(100);
  expect(grove.states()).toEqual(['a running 1', 'b running 1']);
});

test('what is started after a failure is not stopped for it, also if an earlier failure waits for its restart', async () => {
  const grove = await Grove.of({ strategy: 'one_for_all' }, leaf('a', { backoff: { minMs: 100, maxMs: 100, jitter: 0 } }));
  const { root } = grove.forest;
  const events: string[] = [];
  grove.forest.watcher = watching((what, name) => events.push(`${what} ${name}`));
  grove.crash('a');
  grove.at(10, () => root.startChild(leaf('b')));
  grove.at(20, () => grove.crash('b'));
  grove.at(50, () => root.startChild(leaf('c')));
  await grove.time.settle();
  expect(events).toEqual(['exit a', 'start b', 'exit b', 'start c', 'start a', 'start b']);
});

test('what was to be started before a sibling has failed is stopped and started with it', async () => {
  const grove = await Grove.of({ strategy: 'one_for_all' }, leaf('a'));
  const { root } = grove.forest;
  const events: string[] = [];
  grove.forest.watcher = watching((what, name) => events.push(`${what} ${name}`));
  void root.startChild(leaf('b', {}, 10));
  void root.startChild(leaf('c'));
  grove.at(5, () => {
    grove.crash('a');
    void root.startChild(leaf('d'));
  });
  await grove.time.settle();
  expect(events).toEqual(['start b', 'exit a', 'start c', 'stop c', 'stop b', 'start d', 'start a', 'start b', 'start c']);
});
