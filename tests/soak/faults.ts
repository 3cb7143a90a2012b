/** What goes wrong in the soak: which fault meets whom is drawn by seed, one after the other, and each is waited for until its actor is back. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../../kernel/index.ts';
import type { ChildSpec, System } from '../../supervisors/index.ts';
import { mortalProtocol, type EndHow } from './actors/mortal.ts';
import type { Mortal } from './load.ts';
import { MORTAL } from './restarts.ts';

export interface Target {
  readonly actor: Mortal;
  readonly spec: ChildSpec;
}

/** One kind of fault: whom it may meet, and what it does. */
interface FaultKind {
  readonly meets: (spec: ChildSpec) => boolean;
  /** Whether it ends a life of the actor. */
  readonly ends: boolean;
  readonly strike: (target: Target, faults: Faults) => Promise<void> | void;
}

const ASK_MS = 10_000;
/** How long an actor may take to be back, on a machine that has much else to do. */
const BACK_MS = 60_000;
/** Far more than a lane holds. */
const FLOOD = 5_000;
const GUEST_ASKS = 20;

const hasThread = ({ placement = 'thread' }: ChildSpec): boolean => placement === 'thread' || placement === 'process';
const everybody = (): boolean => true;

const end = (how: EndHow, meets: (spec: ChildSpec) => boolean): FaultKind => ({ meets, ends: true, strike: ({ actor }) => tellEnd(actor, how) });

const KINDS: Readonly<Record<string, FaultKind>> = {
  throw: end('throw', everybody),
  reject: end('reject', hasThread),
  exception: end('exception', hasThread),
  exit: end('exit', hasThread),
  loop: end('loop', (spec) => spec.hungAfterMs !== undefined),
  sigkill: {
    meets: ({ placement }) => placement === 'process',
    ends: true,
    async strike({ actor }) {
      const { pid } = await actor.ask('life', {}, { deadlineMs: ASK_MS });
      if (pid === process.pid) throw new Error(`${actor.name} is placed in a process and lives in this one`);
      process.kill(pid, 'SIGKILL');
    },
  },
  flood: {
    meets: everybody,
    ends: false,
    strike({ actor }, { onNote }) {
      for (let number = 0; number < FLOOD; number++) if (actor.tell('note', { number }) >= 0) onNote(actor.name);
    },
  },
  telemetryFlood: {
    meets: everybody,
    ends: false,
    strike({ actor }) {
      for (let number = 0; number < FLOOD; number++) actor.tell('trivia', { text: 'nobody needs to know' });
    },
  },
  guest: {
    meets: ({ placement }) => placement !== 'inline',
    ends: false,
    strike: ({ spec }, faults) => faults.host(spec),
  },
};

export class Faults {
  /** How often each kind has struck. */
  readonly tally: Record<string, number> = {};
  /** Lives ended, by the name of the actor. */
  readonly ended = new Map<string, number>();
  readonly violations: string[] = [];
  readonly recoveriesMs: number[] = [];
  readonly #system: System;
  readonly #targets: readonly Target[];
  readonly #random: Random;
  /** Called with each note of a flood that was taken. */
  readonly onNote: (name: string) => void;
  #guests = 0;

  constructor(system: System, targets: readonly Target[], random: Random, onNote: (name: string) => void) {
    this.#system = system;
    this.#targets = targets;
    this.#random = random;
    this.onNote = onNote;
  }

  /** The next fault, until its actor is back. */
  async strike(): Promise<void> {
    const kinds = Object.keys(KINDS);
    const kind = kinds[this.#random.int(kinds.length)]!;
    const { meets, ends, strike } = KINDS[kind]!;
    const met = this.#targets.filter(({ spec }) => meets(spec));
    if (met.length === 0) return;
    const target = met[this.#random.int(met.length)]!;
    const { actor } = target;
    this.tally[kind] = (this.tally[kind] ?? 0) + 1;
    try {
      const before = ends ? await lifeOf(actor) : undefined;
      const beginMs = performance.now();
      if (ends) this.ended.set(actor.name, (this.ended.get(actor.name) ?? 0) + 1);
      await strike(target, this);
      if (before === undefined) return;
      await this.#back(actor, before);
      this.recoveriesMs.push(performance.now() - beginMs);
    } catch (error) {
      this.violations.push(`${kind} at ${actor.name}: ${(error as Error).message}`);
    }
  }

  /** A child that comes, works and goes, of the same placement. */
  async host({ placement }: ChildSpec): Promise<void> {
    const id = `guest-${++this.#guests}`;
    const guest = await this.#system.spawn({ id, start: MORTAL, ...(placement === undefined ? {} : { placement }) }, mortalProtocol);
    for (let time = 0; time < GUEST_ASKS; time++) await guest.ask('echo', { text: id }, { deadlineMs: ASK_MS });
    if (!(await this.#system.terminate(id))) throw new Error(`${id} did not end in time`);
  }

  async #back(actor: Mortal, before: number): Promise<void> {
    const endMs = performance.now() + BACK_MS;
    for (;;) {
      const now = await lifeOf(actor).catch(() => before);
      if (now > before) return;
      if (performance.now() > endMs) throw new Error(`is not back after ${BACK_MS} ms`);
      await pause(1);
    }
  }
}

/** On the control lane, so that a flood does not stand in the way. */
async function lifeOf(actor: Mortal): Promise<number> {
  const { incarnation } = await actor.ask('urgent', {}, { deadlineMs: ASK_MS });
  return incarnation;
}

function tellEnd(actor: Mortal, how: EndHow): void {
  const result = actor.tell('end', { how });
  if (result < 0) throw new Error(`control was not taken, with the result ${result}`);
}
