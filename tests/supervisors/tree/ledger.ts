/**
 * What must be so when much happens at once: it hears each thing that happens to a child, in the order in which
 * it happens, and says what the rules make of it. It does not say when siblings are stopped and started beside
 * each other, only that none is started too early, out of order, twice, or without a cause; what has failed
 * how often; who ends because of it; and, at rest, who is up.
 */
import type { AnyChildSpec } from '../../../supervisors/child-spec.ts';
import { DEFAULT_CHILD } from '../../../supervisors/child-spec.ts';
import type { CrashReport } from '../../../supervisors/crash-report.ts';
import { comesBack, countFailure, endsParent, forget, groupOf, hasGroup, isForgotten, isSup, newKid, nextDelayMs, supOf, type Kid, type Sup } from './book.ts';
import type { Watcher } from './forest.ts';
import type { Reason } from './leaf.ts';
import type { ManualTime } from './manual-time.ts';
import { pathOf } from './shape.ts';

export interface LedgerOptions {
  readonly root: Sup;
  readonly time: ManualTime;
  readonly luck: number;
  violated(what: string): void;
}

export type Call = 'terminate' | 'remove' | 'restart' | 'delete' | 'start';

/** A call that has not returned. */
interface Pending {
  readonly order: number;
  /** The life of the supervisor that was asked; a later one knows nothing of it. */
  readonly sup: Sup | undefined;
}

export class Ledger implements Watcher {
  rootHasEnded = false;
  readonly #options: LedgerOptions;
  readonly #kids = new Map<string, Kid>();
  /** Calls and failures, each with its number in the order in which they came. */
  #order = 0;
  /** Calls under way by the child's name; both that stop a child are kept as one. */
  readonly #calls: Record<Exclude<Call, 'remove'>, Map<string, Pending[]>> = { terminate: new Map(), start: new Map(), restart: new Map(), delete: new Map() };
  /** The last failure in a life of a supervisor that restarts siblings together. */
  readonly #failures = new Map<Sup, number>();

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** @returns notes how the call has ended */
  call(call: Call, name: string): (isDone: boolean) => void {
    const isStop = call === 'terminate' || call === 'remove';
    const calls = this.#calls[isStop ? 'terminate' : call];
    const order = ++this.#order;
    calls.set(name, [...(calls.get(name) ?? []), { order, sup: this.#supOf(name) }]);
    const kid = this.#known(name);
    // What is terminated after a sibling has failed does not come back with that one.
    if (isStop && kid?.state === 'restarting' && !kid.hasPlace) this.#left(kid);
    if (call === 'remove' && kid !== undefined) {
      kid.isDeleted = true;
      if (kid.state === 'stopped' && !kid.hasPlace) this.#forget(kid);
    }
    return (isDone) => {
      calls.set(name, calls.get(name)!.filter((other) => other.order !== order));
      if (call === 'delete' && isDone && kid !== undefined) this.#forget(kid);
    };
  }

  start(name: string, spec: AnyChildSpec): void {
    const { nowMs } = this.#options.time;
    const sup = this.#supOf(name);
    // The first children start from left to right, and no change is made before all of them have.
    const isFirst = sup !== undefined && sup.isStarting && sup.specs[sup.begun]?.id === spec.id;
    if (isFirst) sup.begun++;
    const isCalled = !isFirst && (this.#isUnderWay('start', name) || this.#isUnderWay('restart', name));
    const known = this.#known(name);
    // In a former life of its supervisor.
    if (known !== undefined && known.parent !== sup) this.#kids.delete(name);
    // A call to start that finds its child has waited for one to delete it.
    if (known?.state === 'stopped' && this.#isUnderWay('delete', name) && this.#isUnderWay('start', name)) this.#forget(known);
    const kid = this.#known(name) ?? this.#add(name, spec, isCalled);
    const { parent } = kid;
    this.#expect(!kid.isAlive, () => `${name} was started while it lived`);
    this.#expect(!parent.isStopping, () => `${name} was started while its supervisor stopped`);
    const isRestart = kid.state === 'restarting';
    if (isRestart) {
      const isOnTime = hasGroup(parent) || kid.isHeld ? nowMs >= kid.dueMs : nowMs === kid.dueMs;
      this.#expect(isOnTime, () => `${name} was restarted at ${nowMs}, and was to be at ${kid.dueMs}`);
    } else this.#expect(kid.state === 'stopped' && (isCalled || parent.isStarting), () => `${name} was started without a cause (${kid.state})`);
    kid.origin = isRestart ? 'restart' : isCalled ? 'call' : 'first';
    if (kid.origin === 'first' || (kid.origin === 'restart' && hasGroup(parent))) this.#expectStartOrder(kid);
    Object.assign(kid, { state: 'starting', isAlive: true, hasPlace: true, startedMs: nowMs, isToldToStop: false, isHeld: false, isCondemned: this.#isForeseen(kid), isLeaving: false, isLate: false, isUp: false });
    kid.lives++;
    if (isSup(kid)) {
      kid.sup = supOf(kid);
      kid.sup.isStarting = true;
    }
  }

  started(name: string, how: 'ready' | 'ignored' | 'failed' | 'late'): void {
    const kid = this.#kid(name);
    if (how === 'late') {
      kid.isUp = true;
      return;
    }
    kid.isAlive = how === 'ready';
    if (how !== 'failed') kid.isNew = false;
    if (kid.sup !== undefined) kid.sup.isStarting = false;
    if (how === 'ready') {
      kid.state = 'running';
      kid.readyMs = this.#options.time.nowMs;
    } else if (how === 'ignored') kid.state = 'stopped';
    // A restart that has failed is told of by a report.
    else if (kid.origin !== 'restart') this.#startFailed(kid);
  }

  exit(name: string, reason: Reason): void {
    const kid = this.#kid(name);
    const { nowMs } = this.#options.time;
    kid.isAlive = false;
    kid.sup = undefined;
    if (kid.state === 'starting') kid.readyMs = nowMs;
    kid.isNew = false;
    if (kid.parent.isStopping) kid.state = 'stopped';
    else if (kid.isCondemned) this.#absorb(kid);
    else if (comesBack(kid, reason)) this.#fail(kid, nowMs - kid.readyMs);
    else {
      kid.state = 'stopped';
      if (endsParent(kid)) this.#endByItself(kid.parent, '');
    }
  }

  stop(name: string, how: 'stop' | 'kill'): void {
    const kid = this.#kid(name);
    const { parent, spec } = kid;
    const isCalled = this.#isUnderWay('terminate', name);
    const isMeant = spec.brutalKill === true && (isCalled || parent.isStopping);
    const isAtDeadline = how === 'kill' && kid.state === 'starting' && this.#options.time.nowMs === kid.startedMs + (spec.startMs ?? DEFAULT_CHILD.startMs);
    const isLate = isAtDeadline && !isMeant;
    if (kid.isLate) return;
    if (isLate) {
      kid.isLate = true;
      return;
    }
    const isSibling = hasGroup(parent) && parent.kids.some((other) => other !== kid && isWaiting(other));
    this.#expect(isCalled || parent.isStopping || kid.isCondemned || kid.isHeld || kid.isLeaving || isSibling, () => `${name} was stopped without a cause`);
    if (!kid.isHeld) this.#expect((how === 'kill') === (spec.brutalKill === true), () => `${name} was to be ended ${spec.brutalKill === true ? 'at once' : 'in order'}`);
    if (!isCalled && !isAtDeadline && !kid.isHeld && !kid.isLeaving && parent.template === undefined) {
      const right = parent.kids.slice(parent.kids.indexOf(kid) + 1).find((other) => other.isAlive && !other.isHeld);
      this.#expect(right === undefined, () => `${name} was stopped before ${right!.name}, on its right`);
    }
    kid.isToldToStop = true;
    kid.isLeaving ||= isCalled || parent.isStopping;
    if (kid.sup !== undefined) kid.sup.isStopping = true;
  }

  stopped(name: string, ended: boolean): void {
    const kid = this.#kid(name);
    kid.isAlive = !ended;
    if (ended && kid.isHeld) kid.dueMs = Math.max(kid.dueMs, this.#options.time.nowMs);
    kid.isHeld = !ended;
    if (kid.isLate && !kid.isToldToStop) return;
    kid.isCondemned = false;
    // A supervisor does not start without each of its first children.
    if (ended && kid.state === 'starting' && kid.origin === 'first' && !kid.isUp) kid.parent.isStopping = true;
    if (!kid.isLeaving) kid.state = 'restarting';
    if (ended) kid.sup = undefined;
  }

  remove(name: string): void {
    const kid = this.#kid(name);
    const { parent } = kid;
    const isCalled = this.#isUnderWay('terminate', name);
    const isFailed = kid.isLate && kid.origin !== 'restart';
    this.#expect(!kid.isAlive, () => `the place of ${name} was given up while it lived`);
    if (isFailed) this.#startFailed(kid);
    this.#expect(kid.state === 'stopped' || isCalled || kid.isLeaving || parent.isStopping || kid.spec.restart === 'temporary', () => `the place of ${name} was given up without a cause (${kid.state})`);
    kid.hasPlace = false;
    this.#left(kid);
    if (isForgotten(kid) || kid.isDeleted || kid.isNew) this.#forget(kid);
  }

  report({ child, decision, whileStarting, restartsInPeriod }: CrashReport): void {
    const kid = this.#known(child);
    if (kid === undefined || decision === 'left') return;
    if (whileStarting && kid.state === 'starting') {
      if (kid.isCondemned) this.#absorb(kid);
      else this.#fail(kid, 0);
    }
    const { nowMs } = this.#options.time;
    const failures = kid.parent.failuresMs.filter((atMs) => nowMs - atMs <= kid.parent.flags.periodMs).length;
    this.#expect(restartsInPeriod === failures, () => `after ${child} had failed its supervisor counted ${restartsInPeriod} failures, and was to count ${failures}`);
    this.#expect((decision === 'gave_up') === (kid.parent.endCode === 'restart_intensity'), () => `after ${child} had failed ${kid.parent.failuresMs.length} times its supervisor ${decision}`);
  }

  end(path: string, code: string): void {
    const sup = path === '' ? this.#options.root : this.#known(path)?.sup;
    if (sup === undefined || (sup.isStopping && sup.endCode === undefined)) return;
    this.#expect(sup.endCode === code, () => `supervisor '${path}' ended with '${code}', and was to with '${sup.endCode}'`);
    const kid = sup.kids.find(({ hasPlace }) => hasPlace);
    this.#expect(kid === undefined, () => `supervisor '${path}' ended before ${kid!.name}`);
    sup.endCode = undefined;
    if (path === '') this.rootHasEnded = true;
  }

  /** Nothing goes on any more: whatever was to happen must have happened. */
  rest(): void {
    this.#rest(this.#options.root);
  }

  #rest(sup: Sup): void {
    this.#expect(sup.endCode === undefined, () => `supervisor '${sup.path}' was to end with '${sup.endCode}'`);
    for (const kid of sup.kids) {
      this.#expect(kid.state === 'running' || kid.state === 'stopped', () => `${kid.name} is ${kid.state} for good`);
      this.#expect(kid.isAlive === (kid.state === 'running'), () => `${kid.name} is ${kid.state} and ${kid.isAlive ? 'lives' : 'is dead'}`);
      this.#expect(!kid.isCondemned, () => `${kid.name} was to be restarted with its siblings`);
      // The model, which goes on from here, knows nothing of these: what is left of a former life must not be taken for the next one's.
      Object.assign(kid, { isDeleted: false, isLeaving: false, isToldToStop: false, isLate: false, isUp: false });
      if (kid.sup !== undefined) {
        this.#expect(!kid.sup.isStopping, () => `supervisor ${kid.name} stops for good`);
        this.#rest(kid.sup);
      }
    }
  }

  // ---- the rules ----------------------------------------------------------------------------------

  #fail(kid: Kid, livedMs: number): void {
    const { parent } = kid;
    const { nowMs } = this.#options.time;
    if (countFailure(parent, nowMs)) {
      kid.state = 'stopped';
      this.#endByItself(parent, 'restart_intensity');
      return;
    }
    kid.state = 'restarting';
    kid.restarts++;
    kid.dueMs = nowMs + nextDelayMs(kid, livedMs, this.#options.luck);
    if (!hasGroup(parent)) return;
    this.#failures.set(parent, ++this.#order);
    for (const member of groupOf(kid)) {
      // They are started together, and none before its own delay is over.
      member.dueMs = isWaiting(member) ? Math.max(member.dueMs, kid.dueMs) : kid.dueMs;
      if (member.isAlive && !member.isToldToStop) member.isCondemned = true;
      // What had ended comes back with it.
      if (member.state === 'stopped') member.state = 'restarting';
    }
  }

  /**
   * Whether a child that begins a life, though not because of a restart, is to be stopped at once with those beside
   * it. Changes of the children and restarts of a group take turns as they come: what was asked for before a
   * sibling has failed comes before the others are stopped, and what was asked for after that, after it.
   */
  #isForeseen(kid: Kid): boolean {
    const { name, parent, origin } = kid;
    const failure = this.#failures.get(parent);
    if (origin === 'restart' || failure === undefined) return false;
    if (origin === 'call' && Math.min(...this.#ordersOf('start', name), ...this.#ordersOf('restart', name)) > failure) return false;
    return parent.flags.strategy === 'one_for_all' || parent.kids.slice(0, parent.kids.indexOf(kid)).some((other) => isWaiting(other));
  }

  /** It was about to be stopped with a sibling that has failed, so this is no failure of its own. */
  #absorb(kid: Kid): void {
    kid.isCondemned = false;
    kid.state = kid.spec.restart === 'temporary' ? 'stopped' : 'restarting';
  }

  #endByItself(sup: Sup, code: string): void {
    sup.isStopping = true;
    sup.endCode = code;
  }

  /** Those to its right need not be restarted any more if it was the one that had failed. */
  #left(kid: Kid): void {
    const { parent } = kid;
    Object.assign(kid, { state: 'stopped', isCondemned: false, isLeaving: false, isHeld: false, sup: undefined });
    if (parent.flags.strategy !== 'rest_for_one') return;
    const first = parent.kids.findIndex(({ state }) => state === 'restarting');
    for (const other of first < 0 ? parent.kids : parent.kids.slice(0, first)) other.isCondemned = false;
  }

  #startFailed(kid: Kid): void {
    kid.state = 'stopped';
    if (kid.origin === 'first') kid.parent.isStopping = true;
  }

  /** Each child that is started is up, or has ended, before the next one is; and what is on its right is not up. */
  #expectStartOrder(kid: Kid): void {
    const { kids } = kid.parent;
    const index = kids.indexOf(kid);
    // A start on request that took too long has failed, also while what is left of it cannot be ended.
    const hasFailed = (other: Kid): boolean => other.isLate && other.isHeld && other.origin === 'call';
    const left = kids.slice(0, index).find((other) => other.state === 'starting' && other.isAlive && !other.isToldToStop && !hasFailed(other));
    const right = kids.slice(index + 1).find((other) => other.isAlive && !other.isHeld && other.origin !== 'call');
    const isAlone = !hasGroup(kid.parent);
    this.#expect(isAlone || left === undefined, () => `${kid.name} was started before ${left!.name} was up`);
    this.#expect(right === undefined, () => `${kid.name} was started while ${right!.name}, on its right, was up`);
  }

  // ---- the children -------------------------------------------------------------------------------

  #add(name: string, spec: AnyChildSpec, isCalled: boolean): Kid {
    const parent = this.#supOf(name);
    if (parent === undefined) throw new Error(`${name} was started in a supervisor that does not live`);
    this.#expect(isCalled || parent.isStarting, () => `${name} was made without a cause`);
    const kid = newKid(spec, parent);
    parent.kids.push(kid);
    this.#kids.set(name, kid);
    return kid;
  }

  #supOf(name: string): Sup | undefined {
    const path = pathOf(name);
    return path === '' ? this.#options.root : this.#known(path)?.sup;
  }

  /** Looked up once only: of the hundreds that there are few are heard of. */
  #known(name: string): Kid | undefined {
    let kid = this.#kids.get(name);
    if (kid !== undefined) return kid;
    kid = this.#supOf(name)?.kids.find((other) => other.name === name);
    if (kid !== undefined) this.#kids.set(name, kid);
    return kid;
  }

  #forget(kid: Kid): void {
    forget(kid);
    if (this.#kids.get(kid.name) === kid) this.#kids.delete(kid.name);
  }

  #kid(name: string): Kid {
    const kid = this.#known(name);
    if (kid === undefined) throw new Error(`nothing is known of ${name}`);
    return kid;
  }

  #ordersOf(call: Exclude<Call, 'remove'>, name: string): readonly number[] {
    const sup = this.#supOf(name);
    return (this.#calls[call].get(name) ?? []).filter((other) => other.sup === sup).map(({ order }) => order);
  }

  #isUnderWay(call: Exclude<Call, 'remove'>, name: string): boolean {
    return this.#ordersOf(call, name).length > 0;
  }

  #expect(isSo: boolean, what: () => string): void {
    if (!isSo) this.#options.violated(what());
  }
}

/** Whether it waits for its restart, or has just failed in it. */
function isWaiting({ state, isAlive }: Kid): boolean {
  return state === 'restarting' || (state === 'starting' && !isAlive);
}
