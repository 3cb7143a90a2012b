/** What the model knows of a tree: its supervisors, each in its present life, and their children. */
import { DEFAULT_CHILD, DEFAULT_FLAGS, FOREVER_MS, type AnyChildSpec, type SupervisorChildSpec, type SupervisorFlags } from '../../../supervisors/child-spec.ts';

/** One life of a supervisor. */
export interface Sup {
  readonly path: string;
  /** Undefined of the root. */
  readonly kid: Kid | undefined;
  readonly flags: SupervisorFlags;
  /** With simple_one_for_one. */
  readonly template: AnyChildSpec | undefined;
  /** What it starts with. */
  readonly specs: readonly AnyChildSpec[];
  /** How many of these have begun their first start. */
  begun: number;
  /** From left to right. */
  kids: Kid[];
  /** When the failures were that count against its intensity. */
  failuresMs: number[];
  /** It starts its first children. */
  isStarting: boolean;
  /** It ends, and nothing may be started any more. */
  isStopping: boolean;
  /** How it has to end by itself, once it must. */
  endCode: string | undefined;
}

/** A child of one life of its supervisor. */
export interface Kid {
  readonly spec: AnyChildSpec;
  readonly name: string;
  readonly parent: Sup;
  state: 'starting' | 'running' | 'restarting' | 'stopped';
  /** Whether it has a life, in whichever state. */
  isAlive: boolean;
  hasPlace: boolean;
  /** Of its present life, if it is a supervisor. */
  sup: Sup | undefined;
  lives: number;
  /** Failures in a row, for the back-off. */
  backoffs: number;
  restarts: number;
  readyMs: number;
  /** When it may be started again. */
  dueMs: number;
  startedMs: number;
  /** A sibling has failed, and it is to be stopped and started with that one. */
  isCondemned: boolean;
  isToldToStop: boolean;
  /** A stop has found that it cannot be ended at present. */
  isHeld: boolean;
  /** It is stopped for good. */
  isLeaving: boolean;
  /** Its spec goes with it, whatever it says. */
  isDeleted: boolean;
  /** It has not been up yet; what does not start at the first time is not kept. */
  isNew: boolean;
  /** Its start was found to take too long. */
  isLate: boolean;
  /** It became ready although it was told to stop while it started. */
  isUp: boolean;
  /** Why its present life began. */
  origin: 'first' | 'call' | 'restart';
}

export function newSup(path: string, kid: Kid | undefined, flags: SupervisorFlags, specs: readonly AnyChildSpec[]): Sup {
  const isDynamic = flags.strategy === 'simple_one_for_one';
  return { path, kid, flags, template: isDynamic ? specs[0] : undefined, specs: isDynamic ? [] : specs, begun: 0, kids: [], failuresMs: [], isStarting: false, isStopping: false, endCode: undefined };
}

export function newKid(spec: AnyChildSpec, parent: Sup): Kid {
  const name = parent.path === '' ? spec.id : `${parent.path}/${spec.id}`;
  return {
    spec,
    name,
    parent,
    state: 'stopped',
    isAlive: false,
    hasPlace: false,
    sup: undefined,
    lives: 0,
    backoffs: 0,
    restarts: 0,
    readyMs: 0,
    dueMs: 0,
    startedMs: 0,
    isCondemned: false,
    isToldToStop: false,
    isHeld: false,
    isLeaving: false,
    isDeleted: false,
    isNew: true,
    isLate: false,
    isUp: false,
    origin: 'first',
  };
}

/** Begins a life of a supervisor that is a child. */
export function supOf(kid: Kid): Sup {
  const { flags, children = [] } = kid.spec as SupervisorChildSpec;
  return newSup(kid.name, kid, { ...DEFAULT_FLAGS, ...flags }, children);
}

export function isSup(kid: Kid): boolean {
  return kid.spec.type === 'supervisor';
}

/** Whether a child is started again after it has ended so. */
export function comesBack({ spec }: Kid, reason: string): boolean {
  const { restart = 'permanent' } = spec;
  return restart === 'permanent' || (restart === 'transient' && reason === 'crashed');
}

/** Whether nothing is left of a child once it has ended. */
export function isForgotten({ spec, parent }: Kid): boolean {
  return spec.restart === 'temporary' || parent.template !== undefined;
}

export function forget(kid: Kid): void {
  kid.parent.kids = kid.parent.kids.filter((other) => other !== kid);
}

export function stopDeadlineMs({ spec }: Kid): number {
  return spec.shutdownMs ?? (spec.type === 'supervisor' ? FOREVER_MS : DEFAULT_CHILD.shutdownMs);
}

/** Counts a failure. @returns whether it is one too many */
export function countFailure(sup: Sup, nowMs: number): boolean {
  sup.failuresMs = [...sup.failuresMs.filter((atMs) => nowMs - atMs <= sup.flags.periodMs), nowMs];
  return sup.failuresMs.length > sup.flags.intensity;
}

/** The delay before the next restart, and one more failure in a row. @param luck what the random source says, always */
export function nextDelayMs(kid: Kid, livedMs: number, luck: number): number {
  const { minMs, maxMs, jitter, resetMs = (minMs + maxMs) / 2 } = { ...kid.parent.flags.backoff, ...kid.spec.backoff };
  if (livedMs >= resetMs) kid.backoffs = 0;
  let delayMs = minMs;
  for (let count = 0; count < kid.backoffs && delayMs < maxMs && delayMs > 0; count++) delayMs *= 2;
  kid.backoffs++;
  return Math.min(maxMs, delayMs) * (1 + jitter * (2 * luck - 1));
}

/** Those that are stopped and started with a child that has failed, itself included. */
export function groupOf(kid: Kid): Kid[] {
  const { parent } = kid;
  if (parent.flags.strategy === 'one_for_all') return parent.kids;
  if (parent.flags.strategy === 'rest_for_one') return parent.kids.slice(parent.kids.indexOf(kid));
  return [kid];
}

export function hasGroup({ flags }: Sup): boolean {
  return flags.strategy === 'one_for_all' || flags.strategy === 'rest_for_one';
}

/** Whether the end of a significant child, by itself, ends its supervisor. */
export function endsParent(kid: Kid): boolean {
  const { flags, kids } = kid.parent;
  if (kid.spec.significant !== true || flags.autoShutdown === 'never') return false;
  return flags.autoShutdown === 'any_significant' || !kids.some((other) => other !== kid && other.spec.significant === true && other.state !== 'stopped');
}
