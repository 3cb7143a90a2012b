/**
 * OTP's rules for what a supervision tree does about one thing that happens while it is at rest, as plain
 * calls one after the other: `supervisor` of Erlang's stdlib as its manual describes it, with a delay before
 * each restart. It says what happens, in which order and when. Time is a number that grows.
 */
import type { LeafArgs, Outcome, Reason } from './leaf.ts';
import { comesBack, countFailure, endsParent, forget, groupOf, hasGroup, isForgotten, isSup, newKid, nextDelayMs, stopDeadlineMs, supOf, type Kid, type Sup } from './book.ts';
import { DEFAULT_CHILD, FOREVER_MS, type AnyChildSpec } from '../../../supervisors/child-spec.ts';

export interface ModelOptions {
  readonly root: Sup;
  readonly nowMs: number;
  readonly starts: ReadonlyMap<string, readonly Outcome[]>;
  readonly luck: number;
}

/** How a start has ended. */
type StartResult = 'ok' | 'ignored' | 'actor_start_failed' | 'start_deadline';

export class Model {
  nowMs: number;
  /** What has to happen, in order. */
  readonly trace: string[] = [];
  /** That of the children of one kind, among which there is no order. */
  readonly unordered: string[] = [];
  rootHasEnded = false;
  readonly #starts: Map<string, Outcome[]>;
  readonly #luck: number;

  constructor({ nowMs, starts, luck }: ModelOptions) {
    this.nowMs = nowMs;
    this.#starts = new Map([...starts].map(([name, outcomes]) => [name, [...outcomes]]));
    this.#luck = luck;
  }

  // ---- what may happen ----------------------------------------------------------------------------

  /** A child that is up ends by itself. */
  exit(kid: Kid, reason: Reason): void {
    this.#note('exit', kid);
    kid.isAlive = false;
    if (comesBack(kid, reason)) {
      this.#fail(kid, this.nowMs - kid.readyMs);
      return;
    }
    this.#settle(kid);
    if (endsParent(kid)) this.#endByItself(kid.parent, '');
  }

  /** The whole root starts. */
  startRoot(root: Sup): void {
    this.#startKids(root);
  }

  terminate(kid: Kid): string {
    if (kid.state === 'stopped') return 'true';
    this.#stop(kid, stopDeadlineMs(kid));
    this.#settle(kid);
    return 'true';
  }

  remove(kid: Kid): string {
    const result = this.terminate(kid);
    forget(kid);
    return result;
  }

  restart(kid: Kid): string {
    if (kid.parent.template !== undefined) return 'supervisor_dynamic';
    if (kid.state !== 'stopped') return 'child_running';
    const result = this.#start(kid);
    if (result !== 'ok') this.#settle(kid);
    return result;
  }

  delete(kid: Kid): string {
    if (kid.parent.template !== undefined) return 'supervisor_dynamic';
    if (kid.state !== 'stopped') return 'child_running';
    forget(kid);
    return 'ok';
  }

  startChild(sup: Sup, spec: AnyChildSpec): string {
    if (sup.kids.some((kid) => kid.spec.id === spec.id)) return 'child_exists';
    return this.#startNew(sup, spec);
  }

  shutdownRoot(root: Sup): void {
    this.#stopKids(root, FOREVER_MS);
  }

  // ---- the rules ----------------------------------------------------------------------------------

  #startNew(sup: Sup, spec: AnyChildSpec): StartResult {
    const kid = newKid(sup.template === undefined ? spec : { ...sup.template, id: spec.id }, sup);
    sup.kids.push(kid);
    const result = this.#start(kid);
    if (result !== 'ok') this.#settle(kid);
    if (result !== 'ok' && result !== 'ignored') forget(kid);
    return result;
  }

  #start(kid: Kid): StartResult {
    kid.hasPlace = true;
    kid.lives++;
    kid.startedMs = this.nowMs;
    this.#note('start', kid);
    const result = isSup(kid) ? this.#startSup(kid) : this.#startLeaf(kid);
    kid.isAlive = result === 'ok';
    kid.state = result === 'ok' ? 'running' : 'stopped';
    kid.readyMs = this.nowMs;
    if (result === 'ok' || result === 'ignored') kid.isNew = false;
    return result;
  }

  #startSup(kid: Kid): StartResult {
    kid.sup = supOf(kid);
    const isUp = this.#startKids(kid.sup);
    this.#note(isUp ? 'ready' : 'failed', kid);
    return isUp ? 'ok' : 'actor_start_failed';
  }

  #startKids(sup: Sup): boolean {
    for (const spec of sup.specs) {
      const result = this.#startNew(sup, spec);
      if (result === 'ok' || result === 'ignored') continue;
      this.#stopKids(sup, FOREVER_MS);
      return false;
    }
    return true;
  }

  #startLeaf(kid: Kid): StartResult {
    const { startMs } = (kid.spec as { start: { args: LeafArgs } }).start.args;
    const { how, afterMs } = this.#starts.get(kid.name)?.shift() ?? { how: 'slow', afterMs: startMs };
    const deadlineMs = kid.spec.startMs ?? DEFAULT_CHILD.startMs;
    if (how === 'hang' || afterMs > deadlineMs) {
      this.nowMs += deadlineMs;
      this.#note('kill', kid);
      this.#note('ended', kid);
      return 'start_deadline';
    }
    this.nowMs += afterMs;
    this.#note(how === 'fail' ? 'failed' : how === 'ignore' ? 'ignored' : 'ready', kid);
    return how === 'fail' ? 'actor_start_failed' : how === 'ignore' ? 'ignored' : 'ok';
  }

  /** A child has to be restarted, or could not be. */
  #fail(kid: Kid, livedMs: number): void {
    const { parent } = kid;
    const failedMs = this.nowMs;
    const isTooMany = countFailure(parent, failedMs);
    this.#note(`counted ${parent.failuresMs.length} of`, kid);
    if (isTooMany) {
      this.#settle(kid);
      this.#endByItself(parent, 'restart_intensity');
      return;
    }
    kid.state = 'restarting';
    kid.restarts++;
    const dueMs = failedMs + nextDelayMs(kid, livedMs, this.#luck);
    const group = [...groupOf(kid)];
    if (hasGroup(parent)) this.#stopGroup(group);
    this.nowMs = Math.max(this.nowMs, dueMs);
    for (const member of group) {
      if (!parent.kids.includes(member)) continue;
      const result = this.#start(member);
      if (result === 'ok') continue;
      if (result === 'ignored') this.#settle(member);
      else {
        this.#fail(member, 0);
        return;
      }
    }
  }

  /** From right to left. The temporary ones do not come back; those that had ended or were terminated do. */
  #stopGroup(group: readonly Kid[]): void {
    for (const member of group.toReversed()) {
      if (member.state === 'running') {
        this.#stop(member, stopDeadlineMs(member));
        if (member.spec.restart === 'temporary') {
          this.#settle(member);
          continue;
        }
      }
      member.state = 'restarting';
    }
  }

  /** Too many failures, or the end of significant children: all its children stop, then it, with the reason `shutdown`. */
  #endByItself(sup: Sup, code: string): void {
    this.#stopKids(sup, FOREVER_MS);
    this.trace.push(`${this.nowMs} end ${code} ${sup.path}`);
    if (sup.kid === undefined) this.rootHasEnded = true;
    else this.exit(sup.kid, 'shutdown');
  }

  /** From right to left; those of one kind all at once. */
  #stopKids(sup: Sup, deadlineMs: number): void {
    const beganMs = this.nowMs;
    let lastMs = beganMs;
    for (const kid of sup.kids.toReversed()) {
      if (sup.template !== undefined) this.nowMs = beganMs;
      const leftMs = Math.max(1, beganMs + deadlineMs - this.nowMs);
      if (kid.state === 'running') this.#stop(kid, Math.min(leftMs, stopDeadlineMs(kid)));
      if (kid.state !== 'stopped') this.#settle(kid);
      lastMs = Math.max(lastMs, this.nowMs);
    }
    this.nowMs = lastMs;
  }

  /** Ends a life in order, or at once where the spec says so. */
  #stop(kid: Kid, deadlineMs: number): void {
    const isKilled = kid.spec.brutalKill === true;
    this.#note(isKilled ? 'kill' : 'stop', kid);
    if (kid.sup !== undefined) this.#stopKids(kid.sup, isKilled ? 1 : deadlineMs);
    else if (!isKilled) this.nowMs += Math.min(deadlineMs, (kid.spec as { start: { args: LeafArgs } }).start.args.stopMs);
    kid.isAlive = false;
    this.#note('ended', kid);
  }

  /** The child has no life any more, nor a place. */
  #settle(kid: Kid): void {
    kid.state = 'stopped';
    kid.isAlive = false;
    kid.sup = undefined;
    if (kid.hasPlace) this.#note('remove', kid);
    kid.hasPlace = false;
    if (isForgotten(kid)) forget(kid);
  }

  #note(what: string, { name, parent }: Kid): void {
    (parent.template === undefined ? this.trace : this.unordered).push(`${this.nowMs} ${what} ${name}`);
  }
}
