/** A tree and its model side by side: each fault happens to both, and whatever differs is a divergence. */
import { SpillwayError } from '../../../kernel/index.ts';
import { DEFAULT_FLAGS, FOREVER_MS } from '../../../supervisors/child-spec.ts';
import type { CrashReport } from '../../../supervisors/crash-report.ts';
import { newSup, type Kid, type Sup } from './book.ts';
import type { Fault, Step } from './faults.ts';
import { Forest, type Watcher } from './forest.ts';
import { Ledger, type Call } from './ledger.ts';
import { ManualTime } from './manual-time.ts';
import { Model } from './model.ts';
import type { SeededBug } from './seeded-bugs.ts';
import { pathOf, type Shape } from './shape.ts';

/** What the random source of the back-off says, always: three quarters. */
const LUCK = 0.75;
/** After so many faults all children are compared, and not only those to which something happened. */
const ALL_AFTER = 64;
/** As many events of a fault are shown. */
const MOST_LINES = 60;
/** What a call may be refused with while other things go on. */
const REFUSALS = new Set(['child_unknown', 'child_running', 'child_exists', 'supervisor_dynamic', 'restart_intensity', 'system_closed', 'start_deadline', 'actor_start_failed']);

export class Trial {
  readonly shape: Shape;
  readonly divergences: string[] = [];
  /** Children that were started. */
  starts = 0;
  /** Supervisors that have ended by themselves. */
  escalations = 0;
  /** Trees that have ended as a whole. */
  trees = 0;
  readonly #time = new ManualTime();
  readonly #bug: SeededBug | undefined;
  #forest!: Forest;
  #book!: Sup;
  /** Calls that have not returned. */
  #calls = 0;
  #faults = 0;
  /** Paths of the supervisors with whose children something has happened since they were compared. */
  readonly #touched = new Set<string>();

  private constructor(shape: Shape, bug: SeededBug | undefined) {
    this.shape = shape;
    this.#bug = bug;
  }

  static async begin(shape: Shape, bug?: SeededBug): Promise<Trial> {
    const trial = new Trial(shape, bug);
    await trial.#plant();
    return trial;
  }

  /** @returns whether the tree still is as the model says */
  async apply(fault: Fault): Promise<boolean> {
    this.#time.nowMs += fault.waitMs;
    const { starts, holds } = this.#forest.scripts;
    for (const [name, outcomes] of Object.entries(fault.starts)) starts.set(name, [...outcomes]);
    let hasEnded: boolean;
    if (fault.kind === 'burst') {
      for (const [name, count] of Object.entries(fault.holds)) holds.set(name, count);
      hasEnded = await this.#burst(fault.steps);
    } else hasEnded = await this.#single(this.#possible(fault));
    starts.clear();
    holds.clear();
    if (hasEnded) await this.#replant();
    else this.#compareTouched();
    return this.divergences.length === 0;
  }

  /** Ends the tree. Nothing may be left of it. */
  async finish(): Promise<void> {
    this.#compare(this.#book, true);
    const model = this.#model();
    model.shutdownRoot(this.#book);
    const still = await this.#run(model, async () => String((await this.#forest.root.shutdown(FOREVER_MS)).length));
    this.#same('children that had not ended', still, '0');
    this.#expectNoOrphans();
  }

  // ---- one thing at a time ------------------------------------------------------------------------

  async #single(step: Step | undefined): Promise<boolean> {
    if (step === undefined) return false;
    const model = this.#model();
    const kid = this.#find(step.target);
    if (step.kind === 'exit') {
      model.exit(kid!, step.reason);
      await this.#run(model, () => {
        this.#forest.leaf(step.target)?.exit(step.reason);
        return Promise.resolve('');
      });
    } else if (step.kind === 'call') {
      const expected = this.#expected(model, step.call, step.target, kid);
      const found = await this.#run(model, () => this.#call(step.call, step.target));
      this.#same(`${step.call} of ${step.target}`, found, expected);
    }
    return model.rootHasEnded;
  }

  /** What is done in place of a step that nothing could be done with: what is down is brought up again, or the tree would wither. */
  #possible(step: Exclude<Step, { kind: 'bounce' }>): Step | undefined {
    const ids = step.target.split('/');
    for (let count = 1; count <= ids.length; count++) {
      const target = ids.slice(0, count).join('/');
      const kid = this.#find(target);
      const isTarget = count === ids.length;
      if (isTarget && step.kind === 'call') return step;
      if (kid === undefined) return { kind: 'call', call: 'start', target };
      if (kid.state === 'stopped') return { kind: 'call', call: 'restart', target };
    }
    return step;
  }

  #expected(model: Model, call: Call, target: string, kid: Kid | undefined): string {
    const sup = this.#supAt(pathOf(target))!;
    const result =
      call === 'start' ? model.startChild(sup, this.shape.specs.get(target)!) : kid !== undefined ? model[call](kid) : sup.template !== undefined && call !== 'terminate' && call !== 'remove' ? 'supervisor_dynamic' : 'child_unknown';
    return result === 'ignored' ? 'ok' : result;
  }

  /** Runs it on the tree until all is at rest, and compares what happened with what the model has said. */
  async #run(model: Model, act: () => Promise<string>): Promise<string> {
    const trace = new Trace(this.#time, (name) => this.#isDynamic(name));
    this.#forest.watcher = trace;
    let result = 'has not returned';
    void act().then((text) => (result = text), (error: unknown) => (result = codeOf(error)));
    await this.#settle();
    this.#forest.watcher = undefined;
    this.#count(trace);
    if (!isSame(trace.ordered, model.trace)) this.#diverge(difference('what happened', trace.ordered, model.trace));
    else if (!isSame(trace.unordered.toSorted(), model.unordered.toSorted())) this.#diverge(difference('what happened to children of one kind', trace.unordered.toSorted(), model.unordered.toSorted()));
    return result;
  }

  // ---- much at once -------------------------------------------------------------------------------

  async #burst(steps: readonly { readonly atMs: number; readonly step: Step }[]): Promise<boolean> {
    const ledger = new Ledger({ root: this.#book, time: this.#time, luck: LUCK, violated: (what) => this.#diverge(what) });
    const trace = new Trace(this.#time, () => false);
    this.#forest.watcher = both(trace, ledger);
    for (const { atMs, step } of steps) this.#time.after(atMs, () => this.#do(step, ledger));
    await this.#settle();
    this.#forest.watcher = undefined;
    this.#count(trace);
    if (this.#calls > 0) this.#diverge(`${this.#calls} calls have not returned`);
    if (!ledger.rootHasEnded) ledger.rest();
    if (this.divergences.length > 0) this.#diverge(`after ${trace.ordered.slice(0, MOST_LINES).join(' | ')}`);
    return ledger.rootHasEnded;
  }

  #do(step: Step, ledger: Ledger): void {
    const { target } = step;
    if (step.kind === 'exit') this.#forest.leaf(target)?.exit(step.reason);
    else if (step.kind === 'call') void this.#noted(ledger, step.call, target);
    else {
      void this.#noted(ledger, 'terminate', target).then(() => this.#noted(ledger, 'restart', target));
      void this.#noted(ledger, 'terminate', target);
    }
  }

  async #noted(ledger: Ledger, call: Call, target: string): Promise<void> {
    if (this.#forest.supervisor(pathOf(target)) === undefined) return;
    this.#calls++;
    const done = ledger.call(call, target);
    try {
      await this.#call(call, target);
      done(true);
    } catch (error) {
      done(false);
      if (!REFUSALS.has(codeOf(error))) this.#diverge(`${call} of ${target} was refused with ${codeOf(error)}`);
    }
    this.#calls--;
  }

  // ---- the tree -----------------------------------------------------------------------------------

  async #plant(): Promise<void> {
    const { setup } = this.shape;
    const time = this.#time;
    this.trees++;
    this.#book = newSup('', undefined, { ...DEFAULT_FLAGS, ...setup.flags }, setup.children);
    this.#forest = new Forest({ time, setup, luck: LUCK, bug: this.#bug, violated: (what) => this.#diverge(what) });
    const model = this.#model();
    model.startRoot(this.#book);
    await this.#run(model, async () => {
      await this.#forest.root.start();
      return '';
    });
  }

  /** The root has given up: a new tree takes its place. */
  async #replant(): Promise<void> {
    this.#expectNoOrphans();
    await this.#plant();
  }

  async #call(call: Call, target: string): Promise<string> {
    const supervisor = this.#forest.supervisor(pathOf(target));
    if (supervisor === undefined) return 'no supervisor';
    const id = target.slice(target.lastIndexOf('/') + 1);
    if (call === 'terminate') return String(await supervisor.terminateChild(id));
    if (call === 'remove') return String(await supervisor.removeChild(id));
    if (call === 'delete') await supervisor.deleteChild(id);
    else if (call === 'restart') await supervisor.restartChild(id);
    else await supervisor.startChild(this.#isDynamic(target) ? { id } : this.shape.specs.get(target));
    return 'ok';
  }

  #model(): Model {
    return new Model({ root: this.#book, nowMs: this.#time.nowMs, starts: this.#forest.scripts.starts, luck: LUCK });
  }

  async #settle(): Promise<void> {
    if (!(await this.#time.settle())) this.#diverge('it does not come to rest');
  }

  /** Those where something has happened; now and then, all. */
  #compareTouched(): void {
    const isTurnOfAll = ++this.#faults % ALL_AFTER === 0;
    if (isTurnOfAll) this.#compare(this.#book, true);
    else for (const path of this.#touched) {
      const sup = this.#supAt(path);
      if (sup !== undefined) this.#compare(sup, false);
    }
    this.#touched.clear();
  }

  /** Who is up, in which order, in which life, after how many restarts. */
  #compare(sup: Sup, isDeep: boolean): void {
    const found = this.#forest.children(sup.path) ?? [];
    const isSame = found.length === sup.kids.length && sup.kids.every(({ spec, state, restarts, isAlive, name }, index) => {
      const child = found[index]!;
      return child.id === spec.id && child.state === state && child.restarts === restarts && isAlive === (state === 'running') && this.#forest.isAlive(name) === isAlive;
    });
    if (!isSame) {
      this.#diverge(difference(`the children of '${sup.path}'`, found.map(({ id, state, restarts }) => `${id} ${state} ${restarts}`), sup.kids.map(({ spec, state, restarts }) => `${spec.id} ${state} ${restarts}`)));
    }
    if (isDeep) for (const kid of sup.kids) if (kid.sup !== undefined) this.#compare(kid.sup, true);
  }

  #expectNoOrphans(): void {
    const { places } = this.#forest;
    if (places.length > 0) this.#diverge(`orphans: ${places.join(', ')}`);
    if (this.#time.pending > 0) this.#diverge(`${this.#time.pending} timers are left`);
  }

  #find(name: string): Kid | undefined {
    return this.#supAt(pathOf(name))?.kids.find((kid) => kid.name === name);
  }

  #supAt(path: string): Sup | undefined {
    return path === '' ? this.#book : this.#find(path)?.sup;
  }

  #isDynamic(name: string): boolean {
    return /(^|\/)d\d$/.test(name);
  }

  #count({ starts, ends, touched }: Trace): void {
    for (const name of touched) this.#touched.add(pathOf(name));
    this.starts += starts;
    this.escalations += ends;
  }

  #same(what: string, found: string, expected: string): void {
    if (found !== expected) this.#diverge(`${what}: ${found}, and was to be ${expected}`);
  }

  #diverge(what: string): void {
    this.divergences.push(what);
  }
}

/** Writes down what happens, in the model's words. */
class Trace implements Watcher {
  readonly ordered: string[] = [];
  readonly unordered: string[] = [];
  starts = 0;
  ends = 0;
  readonly touched = new Set<string>();
  readonly #time: ManualTime;
  readonly #isDynamic: (name: string) => boolean;

  constructor(time: ManualTime, isDynamic: (name: string) => boolean) {
    this.#time = time;
    this.#isDynamic = isDynamic;
  }

  start(name: string): void {
    this.starts++;
    this.#note('start', name);
  }

  started(name: string, how: string): void {
    this.#note(how, name);
  }

  exit(name: string): void {
    this.#note('exit', name);
  }

  stop(name: string, how: string): void {
    this.#note(how, name);
  }

  stopped(name: string, ended: boolean): void {
    this.#note(ended ? 'ended' : 'held', name);
  }

  remove(name: string): void {
    this.#note('remove', name);
  }

  report({ decision, restartsInPeriod, child }: CrashReport): void {
    if (decision !== 'left') this.#note(`counted ${restartsInPeriod} of`, child);
  }

  end(path: string, code: string): void {
    this.ends++;
    this.ordered.push(`${this.#time.nowMs} end ${code} ${path}`);
  }

  #note(what: string, name: string): void {
    this.touched.add(name);
    (this.#isDynamic(name) ? this.unordered : this.ordered).push(`${this.#time.nowMs} ${what} ${name}`);
  }
}

function both(first: Watcher, second: Watcher): Watcher {
  const all = [first, second];
  return {
    start: (name, spec) => all.forEach((watcher) => watcher.start(name, spec)),
    started: (name, how) => all.forEach((watcher) => watcher.started(name, how)),
    exit: (name, reason) => all.forEach((watcher) => watcher.exit(name, reason)),
    stop: (name, how) => all.forEach((watcher) => watcher.stop(name, how)),
    stopped: (name, ended) => all.forEach((watcher) => watcher.stopped(name, ended)),
    remove: (name) => all.forEach((watcher) => watcher.remove(name)),
    report: (report) => all.forEach((watcher) => watcher.report(report)),
    end: (path, code) => all.forEach((watcher) => watcher.end(path, code)),
  };
}

function isSame(found: readonly string[], expected: readonly string[]): boolean {
  return found.length === expected.length && found.every((line, index) => line === expected[index]);
}

function codeOf(error: unknown): string {
  return error instanceof SpillwayError ? error.code : String(error);
}

function difference(what: string, found: readonly string[], expected: readonly string[]): string {
  const first = found.findIndex((line, index) => line !== expected[index]);
  const index = first < 0 ? Math.min(found.length, expected.length) : first;
  const part = (lines: readonly string[]): string => `[${lines.slice(Math.max(0, index - 3), index + 3).join(' | ')}]`;
  return `${what} differs at ${index}: ${part(found)}, and was to be ${part(expected)}`;
}

