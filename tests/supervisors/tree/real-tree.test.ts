// The tree of real threads, processes and light actors under random faults, against the same model. Without
// time in it: the back-off is none, and an intensity holds for as long as the test.
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SpillwayError, seededRandom, type ActorRef, type Random } from '../../../kernel/index.ts';
import { DEFAULT_FLAGS, type AnyChildSpec, type ChildSpec, type Placement, type Restart, type Strategy, type SupervisorFlags, type SupervisorChildSpec } from '../../../supervisors/child-spec.ts';
import { createSystem, type System } from '../../../supervisors/index.ts';
import { until } from '../../kernel/condition.ts';
import { liverProtocol } from '../actors/liver.ts';
import { newSup, type Kid, type Sup } from './book.ts';
import { Model } from './model.ts';
import { pathOf } from './shape.ts';

/** More with `TREE_FAULTS=2000 TREE_SEED=7`. */
const FAULTS = Number(process.env['TREE_FAULTS'] ?? 100);
const SEED = Number(process.env['TREE_SEED'] ?? 1);

const LONG_MS = 3_600_000;
const ask = { deadlineMs: 20_000 };
const module = new URL('../actors/liver.ts', import.meta.url).href;
/** What an ask may end with whose actor is ended meanwhile. */
const ENDS = new Set(['actor_restarted', 'actor_stopped', 'actor_unknown', 'ask_deadline', 'thread_ended']);

const flags = (strategy: Strategy, intensity: number, more: Partial<SupervisorFlags> = {}): SupervisorFlags => ({ ...DEFAULT_FLAGS, strategy, intensity, periodMs: LONG_MS, backoff: { minMs: 0, maxMs: 0, jitter: 0 }, ...more });
const leaf = (id: string, placement: Placement, restart: Restart = 'permanent', more: Partial<ChildSpec> = {}): ChildSpec => ({ id, placement, restart, ...more, start: { module, export: 'liver', args: { startMs: 0, stopMs: 0 } } });
const branch = (id: string, of: SupervisorFlags, children: AnyChildSpec[], restart: Restart = 'permanent'): SupervisorChildSpec => ({ id, type: 'supervisor', restart, flags: of, children });

/** Twenty leaves. Those of `tired` and of `last` end their supervisor now and then. */
const ROOT_FLAGS = flags('one_for_one', 1_000_000);
const CHILDREN: AnyChildSpec[] = [
  leaf('alone', 'thread'),
  leaf('beside', 'process', 'transient'),
  branch('rest', flags('rest_for_one', 1_000_000), [leaf('a', 'inline'), leaf('b', 'thread'), leaf('c', 'pool', 'temporary'), branch('below', flags('one_for_one', 1_000_000), [leaf('d', 'inline'), leaf('e', 'pool')]), leaf('f', 'inline', 'transient')]),
  branch('all', flags('one_for_all', 1_000_000), [leaf('g', 'pool'), leaf('h', 'inline', 'transient'), leaf('i', 'thread'), leaf('j', 'inline', 'permanent', { brutalKill: true })]),
  branch('tired', flags('one_for_one', 2), [leaf('k', 'inline'), leaf('l', 'inline'), leaf('m', 'pool')]),
  branch('last', flags('rest_for_one', 1_000_000, { autoShutdown: 'any_significant' }), [leaf('n', 'inline'), leaf('o', 'inline', 'transient', { significant: true }), leaf('p', 'pool')]),
  branch('kinds', flags('simple_one_for_one', 1_000_000), [leaf('kind', 'inline')]),
];
const LEAVES = ['alone', 'beside', 'rest/a', 'rest/b', 'rest/c', 'rest/below/d', 'rest/below/e', 'rest/f', 'all/g', 'all/h', 'all/i', 'all/j', 'tired/k', 'tired/l', 'tired/m', 'last/n', 'last/o', 'last/p', 'kinds/d0', 'kinds/d1'];

class RealTree {
  asks = 0;
  answered = 0;
  failed = 0;
  readonly strange: string[] = [];
  readonly system: System;
  readonly book: Sup = newSup('', undefined, ROOT_FLAGS, CHILDREN);
  readonly #random: Random;

  constructor(system: System, random: Random) {
    this.system = system;
    this.#random = random;
    this.#model().startRoot(this.book);
  }

  /** One fault, or a call, at a child that is up; what is down is brought up. */
  async next(): Promise<void> {
    const target = this.#any(LEAVES);
    const down = this.#down(target);
    if (down !== undefined) {
      await this.#bringUp(down);
      return;
    }
    const kid = this.#find(target)!;
    const supervisor = this.system.supervisor(kid.parent.path);
    const model = this.#model();
    const actor = await this.#ask(target);
    const choice = this.#random.int(10);
    if (choice < 5) {
      this.#sent(actor.ask('crash', { message: 'told to' }, ask));
      model.exit(kid, 'crashed');
    } else if (choice < 7) {
      this.#sent(actor.ask('leave', { reason: 'normal' }, ask));
      model.exit(kid, 'stopped');
    } else if (choice < 8) {
      // Only where it takes nobody along.
      if (hasOwnThread(kid)) this.#sent(actor.ask('exit', {}, ask));
      else expect(await supervisor.killChild(kid.spec.id)).toBe(true);
      model.exit(kid, 'crashed');
    } else if (choice < 9) {
      expect(String(await supervisor.terminateChild(kid.spec.id))).toBe(model.terminate(kid));
    } else {
      expect(String(await supervisor.removeChild(kid.spec.id))).toBe(model.remove(kid));
    }
    expect(model.rootHasEnded).toBe(false);
  }

  /** Everybody is where the model has them. */
  async settled(): Promise<void> {
    let found = '';
    const expected = written(this.book);
    await until(async () => (found = await this.#found(this.book)) === expected, 'the tree is as the model says').catch((error: unknown) => {
      expect(found).toBe(expected);
      throw error;
    });
  }

  async #bringUp(name: string): Promise<void> {
    const kid = this.#find(name);
    const sup = this.#supAt(pathOf(name))!;
    const supervisor = this.system.supervisor(pathOf(name));
    if (kid !== undefined) {
      expect(this.#model().restart(kid)).toBe('ok');
      await supervisor.restartChild(kid.spec.id);
      return;
    }
    const id = name.slice(name.lastIndexOf('/') + 1);
    const spec = sup.template === undefined ? sup.specs.find((one) => one.id === id) ?? CHILDREN.find((one) => one.id === id)! : { ...sup.template, id };
    expect(this.#model().startChild(sup, spec)).toBe('ok');
    await supervisor.startChild(sup.template === undefined ? spec : { id });
  }

  /** The first on the way to a leaf that is not up. */
  #down(name: string): string | undefined {
    const ids = name.split('/');
    return ids.map((_, index) => ids.slice(0, index + 1).join('/')).find((path) => this.#find(path)?.state !== 'running');
  }

  async #ask(name: string): Promise<ActorRef<typeof liverProtocol.spec>> {
    const actor = await this.system.resolve(name, liverProtocol);
    this.#sent(actor.ask('whoAreYou', {}, ask));
    return actor;
  }

  #sent(answer: Promise<unknown>): void {
    this.asks++;
    answer.then(
      () => this.answered++,
      (error: unknown) => {
        this.failed++;
        if (!(error instanceof SpillwayError && ENDS.has(error.code))) this.strange.push(String(error));
      },
    );
  }

  async #found(sup: Sup): Promise<string> {
    const children = await this.system.supervisor(sup.path).whichChildren().catch(() => []);
    const lines = children.map(({ name, state, restarts }) => `${name} ${state} ${restarts}\n`);
    for (const { sup: below } of sup.kids) if (below !== undefined) lines.push(await this.#found(below));
    return lines.join('');
  }

  #find(name: string): Kid | undefined {
    return this.#supAt(pathOf(name))?.kids.find((kid) => kid.name === name);
  }

  #supAt(path: string): Sup | undefined {
    return path === '' ? this.book : this.#find(path)?.sup;
  }

  #any(names: readonly string[]): string {
    return names[this.#random.int(names.length)]!;
  }

  #model(): Model {
    return new Model({ root: this.book, nowMs: 0, starts: new Map(), luck: 0.5 });
  }
}

function hasOwnThread({ spec }: Kid): boolean {
  return spec.type !== 'supervisor' && (spec.placement === 'thread' || spec.placement === 'process');
}

function written(sup: Sup): string {
  return sup.kids.map(({ name, state, restarts }) => `${name} ${state} ${restarts}\n`).join('') + sup.kids.map((kid) => (kid.sup === undefined ? '' : written(kid.sup))).join('');
}

/** Ids of the threads of this process, and of the processes below it. */
function alive(): { threads: number; processes: string } {
  const threads = readdirSync('/proc/self/task');
  const processes = threads.map((thread) => {
    try {
      return readFileSync(`/proc/self/task/${thread}/children`, 'utf8');
    } catch {
      // The thread has ended meanwhile.
      return '';
    }
  });
  return { threads: threads.length, processes: processes.join('').trim() };
}

test(`a tree of real threads, processes and light actors is as the model says after each of ${FAULTS} faults, and leaves nothing behind`, async () => {
  // What the runtime starts once and keeps, it starts here.
  await (await createSystem({ logLevel: 'error' })).close();
  const before = alive();
  const system = await createSystem({ logLevel: 'error', supervisor: ROOT_FLAGS, children: CHILDREN, pool: { threads: 2 }, maxThreads: 64 });
  const tree = new RealTree(system, seededRandom(SEED));
  await tree.settled();
  for (let fault = 0; fault < FAULTS; fault++) {
    await tree.next();
    await tree.settled();
  }
  expect(alive().threads).toBeGreaterThan(before.threads);
  await until(() => tree.answered + tree.failed === tree.asks, 'all asks have ended');
  expect(tree.strange).toEqual([]);
  expect(tree.answered).toBeGreaterThan(0);
  await system.close();
  await until(() => alive().threads <= before.threads, 'no thread is left');
  await until(() => alive().processes === before.processes, 'no process is left');
});
