/**
 * The system that is drilled: its own, so that nothing else is touched. A ledger on one thread, the subject
 * wherever it is placed, a load that goes on, and a lookout. What a run has in common with the others is
 * here; what is broken in it is the drill's.
 */
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { LANES, SpillwayError, siblingModule, systemClock, threadOf, type ActorRef, type DeadLetter, type Lane } from '../../kernel/index.ts';
import type { BackoffFlags, ChildSpec, Placement } from '../child-spec.ts';
import { createSystem, type System, type SystemOptions } from '../system.ts';
import type { LaneTally } from './attempts.ts';
import { drillCheck, type DrillCheck, type DrillRun, type DrillRecord, type DrillTimeline } from './drill.ts';
import { lawBreaches, unexplained } from './law.ts';
import { Load, type LoadOptions } from './load.ts';
import { Lookout } from './lookout.ts';
import { ledgerProtocol, subjectProtocol, type LedgerSpec, type SubjectSpec } from './messages.ts';

export const SUBJECT = 'subject';
const LEDGER = 'ledger';

export const STAGE_BACKOFF: BackoffFlags = { minMs: 10, maxMs: 10, jitter: 0 };
export const STAGE_INTENSITY = { restarts: 3, periodMs: 5_000 } as const;

export interface StageOptions {
  /** What the subject's spec has beside its id, its start and its placement. */
  readonly spec?: Omit<Partial<ChildSpec>, 'id' | 'start' | 'placement'>;
  /** Another subject, which understands the same messages. */
  readonly start?: { readonly module: string; readonly export: string };
  readonly system?: Partial<SystemOptions>;
  readonly load?: LoadOptions;
}

export interface Expected {
  readonly restartsExpected: number;
  /** Messages that carried the fault to the subject and came to no good end. Default 1. */
  readonly faultMessages?: number;
}

/** What a stage is furnished with. */
interface Furniture {
  readonly subject: ActorRef<SubjectSpec>;
  readonly ledger: ActorRef<LedgerSpec>;
  readonly letters: readonly DeadLetter[];
}

/** Placements whose thread shows the life of the subject and of nobody else. */
const OWN_THREAD: ReadonlySet<Placement> = new Set(['thread', 'process']);
const ASK_MS = 20_000;
/**
 * Handlers of a process between two writes to its socket. What they sent ends with a process that is killed, though the
 * messages were handled and are counted so.
 */
const UNSENT_HANDLERS = 32;
const CLOSE_MS = 5_000;
/** Acknowledgements of each lane before anything is broken. */
const STEADY = 10;
/** Looks follow each other at once for so long, since the shortest restart takes less than a timer can tell. */
const KEEN_MS = 5;
const LOOK_MS = 1;
const SETTLE_MS = 1_000;
/** Reasons of dead letters that are a matter of room. */
const SHED_REASONS: ReadonlySet<string> = new Set(['lane_full', 'dropped_newest', 'dropped_oldest', 'conflated', 'flushed']);
const LANE_OF_MESSAGE: Readonly<Record<string, Lane>> = { urgent: 'control', work: 'data', post: 'data', line: 'telemetry' };

export class Stage {
  readonly system: System;
  readonly subject: ActorRef<SubjectSpec>;
  readonly load: Load;
  readonly lookout: Lookout;
  readonly #run: DrillRun;
  readonly #ledger: ActorRef<LedgerSpec>;
  readonly #letters: readonly DeadLetter[];
  /** Of the subject; others live there too when it is placed in a pool or inline. */
  readonly #thread: number;
  readonly #checks: DrillCheck[] = [];

  /** Use `Stage.open`. */
  constructor(run: DrillRun, system: System, { subject, ledger, letters }: Furniture, load: LoadOptions) {
    this.#run = run;
    this.system = system;
    this.subject = subject;
    this.#ledger = ledger;
    this.#letters = letters;
    this.#thread = threadOf(subject.address);
    this.load = new Load(subject, run.random.fork('load'), load);
    this.lookout = new Lookout(system, OWN_THREAD.has(run.placement) ? system.thread(SUBJECT) : undefined);
    this.load.on((event) => this.lookout.note(event));
  }

  /** Opens a system, does what is to be done in it, and closes it, also when that fails. */
  static async with<T>(run: DrillRun, options: StageOptions, act: (stage: Stage) => Promise<T>): Promise<T> {
    const system = await createSystem({
      // What fails here is meant to.
      logLevel: 'silent',
      pool: { threads: 1 },
      supervisor: { intensity: STAGE_INTENSITY.restarts, periodMs: STAGE_INTENSITY.periodMs, backoff: STAGE_BACKOFF },
      ...options.system,
    });
    let stage: Stage | undefined;
    try {
      stage = await Stage.#furnish(run, system, options);
      return await act(stage);
    } finally {
      const stopped = stage?.load.stop();
      // What does not end in time is found among the leaks. With the system all asks end, and the clients with them.
      await system.close(CLOSE_MS).catch(() => {});
      await stopped;
    }
  }

  static async #furnish(run: DrillRun, system: System, { spec, start, load = {} }: StageOptions): Promise<Stage> {
    const ledger = await system.spawn({ id: LEDGER, start: { module: siblingModule('ledger', import.meta.url), export: 'ledger' } }, ledgerProtocol);
    const { module, export: name } = start ?? { module: siblingModule('subject', import.meta.url), export: 'subject' };
    const subject = await system.spawn(
      { shutdownMs: 1_000, ...spec, id: SUBJECT, placement: run.placement, start: { module, export: name, args: { ledger: ledger.address } } },
      subjectProtocol,
    );
    const letters: DeadLetter[] = [];
    await system.onDeadLetter((letter) => void letters.push(letter));
    return new Stage(run, system, { subject, ledger, letters }, load);
  }

  /** Lets the load begin, and waits until everything works and a little longer, by the seed. */
  async begin(): Promise<void> {
    this.load.start();
    const { control, data } = this.load.attempts;
    await this.until('the load is steady', () => control.of('acknowledged') >= STEADY && data.of('acknowledged') >= STEADY);
    await pause(this.#run.random.fork('moment').next() * 20);
  }

  /** Waits until something is so, looking all the while. @throws SpillwayError `drill_aborted` */
  async until(what: string, holds: () => boolean, looks: () => void = () => {}): Promise<void> {
    const beganMs = systemClock.monotonicMs();
    while (!holds()) {
      if (this.#run.signal.aborted) throw new SpillwayError('drill_aborted', `The abort rule fired before ${what}.`);
      looks();
      if (systemClock.monotonicMs() - beganMs < KEEN_MS) await nextTurn();
      else await pause(LOOK_MS);
    }
  }

  /** Waits for the next life's first acknowledgement. */
  restarted(): Promise<void> {
    return this.until('the subject was ready again', () => this.lookout.hasRestarted, () => this.lookout.look());
  }

  /** Notes what was found of something that the drill expects. */
  readonly check = (name: string, passed: boolean, found: string | number): void => {
    this.#checks.push(drillCheck(name, passed, found));
  };

  /** A promise that must not hold the run up for longer than the abort rule permits. */
  #orAbort<T>(what: string, promise: Promise<T>): Promise<T> {
    const { signal } = this.#run;
    return new Promise((resolve, reject) => {
      const abort = (): void => reject(new SpillwayError('drill_aborted', `The abort rule fired before ${what}.`));
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
      promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
    });
  }

  /** Ends the load, waits until all is quiet and counts. @param faultMs when it was injected, as far as the subject could not say */
  async finish(faultMs: number, expected: Expected): Promise<DrillRecord> {
    const { system } = this;
    await this.#orAbort('everything that was asked had ended', this.load.stop());
    await this.#orAbort('the ledger had everything', this.subject.ask('settle', {}, { deadlineMs: ASK_MS }));
    await this.until('the system was ready and quiet', () => system.readiness().ready && this.#isQuiet(), () => this.lookout.look());
    const saidMs: number[] = [];
    const tallies: [Lane, LaneTally][] = [];
    for (const [index, lane] of LANES.entries()) {
      const { counts, faultMs } = await this.#orAbort('the ledger was read', this.#ledger.ask('read', { lane: index }, { deadlineMs: ASK_MS }));
      saidMs.push(faultMs);
      tallies.push([lane, this.load.attempts[lane].tally(counts, this.#droppedOn(lane), lane === 'telemetry')]);
    }
    const lanes = Object.fromEntries(tallies) as Record<Lane, LaneTally>;
    const { restarts = 0 } = (await system.children()).find(({ id }) => id === SUBJECT) ?? {};
    const decidedMs = (await system.crashReports()).find(({ child }) => child === SUBJECT)?.restartsMs.at(-1);
    if (decidedMs !== undefined) this.lookout.noteDecided(decidedMs);
    const timeline: DrillTimeline = this.#run.withFault ? this.lookout.timeline(Math.max(faultMs, ...saidMs)) : {};
    return { timeline, lanes, restarts, checks: [...this.#checks, ...(await this.#commonChecks(lanes, restarts, expected))] };
  }

  async #commonChecks(lanes: Readonly<Record<Lane, LaneTally>>, restarts: number, { restartsExpected, faultMessages = 1 }: Expected): Promise<DrillCheck[]> {
    const over = (key: keyof LaneTally): number => LANES.reduce((sum, lane) => sum + lanes[lane][key], 0);
    const { incarnation } = this.system.thread(LEDGER);
    const missing = LANES.reduce((sum, lane) => sum + this.load.attempts[lane].missing(lanes[lane]), this.#run.withFault ? faultMessages : 0);
    // A thread that is ended from without may have answered a message and not yet counted it as handled.
    const inHand = this.#run.placement === 'thread' || this.#run.placement === 'process' ? restarts : 0;
    const breaches = await this.#breaches(missing, over('recovered') + inHand);
    return [
      drillCheck('no acknowledged message is lost', over('lost') === 0, over('lost')),
      drillCheck('nothing is handled that was said not to be', over('unexpected') === 0, over('unexpected')),
      drillCheck('nothing is handled twice', over('duplicated') === 0, over('duplicated')),
      drillCheck('no control message is refused or shed', lanes.control.refused + lanes.control.shed === 0, lanes.control.refused + lanes.control.shed),
      drillCheck('the accounting law is exact', breaches.length === 0, breaches.join('; ')),
      drillCheck('restarted as often as the fault demands', restarts === restartsExpected, `${restarts}, not ${restartsExpected}`),
      drillCheck('the neighbour is not touched', incarnation === 1, `it is in its life ${incarnation}`),
    ];
  }

  /** Counts are shown a moment late, those of a process a little more; what never adds up is a breach. */
  async #breaches(missing: number, latitude: number): Promise<string[]> {
    for (let waitedMs = 0; ; waitedMs += LOOK_MS) {
      const inspection = this.system.inspect();
      const breaches = [...lawBreaches(inspection), ...unexplained(inspection, this.#thread, missing, latitude, this.#run.placement === 'process' ? UNSENT_HANDLERS : 0)];
      if (breaches.length === 0 || waitedMs >= SETTLE_MS) return breaches;
      await pause(LOOK_MS);
    }
  }

  #isQuiet(): boolean {
    return this.system.inspect().threads.every(({ id, name, lanes, actors }) => {
      if (id !== this.#thread && name !== LEDGER) return true;
      return LANES.every((lane) => lanes[lane].levelBytes === 0) && actors.every(({ level }) => level === 0);
    });
  }

  #droppedOn(lane: Lane): number {
    return this.#letters.filter(({ protocol, message, reason }) => protocol === subjectProtocol.name && LANE_OF_MESSAGE[message] === lane && SHED_REASONS.has(reason)).length;
  }
}
