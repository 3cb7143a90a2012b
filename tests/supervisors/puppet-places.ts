// A supervisor alone, with puppets in place of its children and a clock whose hands the test turns.
import { expect } from 'vitest';
import { ManualClock } from '../../kernel/time/manual-clock.ts';
import type { Started } from '../../kernel/index.ts';
import type { ChildExit, ChildPlace } from '../../supervisors/child-place.ts';
import type { AnyChildSpec, CrashReport, SupervisorFlags } from '../../supervisors/index.ts';
import { checkSetup } from '../../supervisors/spec-check.ts';
import { Supervisor } from '../../supervisors/supervisor.ts';
import { workerSpec, type WorkerOptions } from './otp/supervisor-under-test.ts';

const STARTED: Started = { isIgnored: false, info: undefined };
const silent = (): void => {};

export class PuppetPlace implements ChildPlace {
  readonly address = undefined;
  /** What the next starts come to; when there is no more, they succeed. */
  readonly starts: (Started | Error | Promise<Started>)[] = [];
  lives = 0;
  isAlive = false;
  isRemoved = false;
  /** What ending it comes to. */
  onStop: () => boolean | Promise<boolean> = () => true;
  onKill: () => boolean = () => true;
  #onExit: ((exit: ChildExit) => void) | undefined;

  async start(onExit: (exit: ChildExit) => void): Promise<Started> {
    expect(this.isAlive, 'it has one life at a time').toBe(false);
    this.lives++;
    const outcome = await (this.starts.shift() ?? STARTED);
    if (outcome instanceof Error) throw outcome;
    this.isAlive = true;
    this.#onExit = onExit;
    return outcome;
  }

  async stop(): Promise<boolean> {
    const hasEnded = await this.onStop();
    if (hasEnded) this.isAlive = false;
    return hasEnded;
  }

  kill(): Promise<boolean> {
    const hasEnded = this.onKill();
    if (hasEnded) this.isAlive = false;
    return Promise.resolve(hasEnded);
  }

  remove(): void {
    this.isRemoved = true;
  }

  /** Its life ends by itself. */
  exit(reason: ChildExit['reason'] = 'crashed'): void {
    this.isAlive = false;
    this.#onExit?.({ reason, whileStarting: false, code: '', message: reason === 'crashed' ? 'it failed' : '', stack: '' });
  }
}

export class PuppetSupervisor {
  readonly clock = new ManualClock({ startMs: 1_000 });
  readonly supervisor: Supervisor;
  readonly reports: CrashReport[] = [];
  readonly places = new Map<string, PuppetPlace>();
  end: ChildExit | undefined;
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();

  constructor(flags: Partial<SupervisorFlags>, children: readonly AnyChildSpec[], random = (): number => 0.5) {
    this.supervisor = new Supervisor({
      path: 'sup',
      setup: checkSetup({ flags, children }),
      placeOf: ({ id }) => {
        const place = this.places.get(id) ?? new PuppetPlace();
        this.places.set(id, place);
        return place;
      },
      clock: this.clock,
      random,
      log: { debug: silent, info: silent, warn: silent, error: silent },
      after: (delayMs, run) => {
        const timer = { atMs: this.clock.monotonicMs() + delayMs, run };
        this.#timers.add(timer);
        return { cancel: () => void this.#timers.delete(timer) };
      },
      report: (report) => this.reports.push(report),
      onEnd: (exit) => (this.end = exit),
    });
  }

  static async start(flags: Partial<SupervisorFlags>, ids: readonly string[], options: WorkerOptions = {}, random?: () => number): Promise<PuppetSupervisor> {
    const puppets = new PuppetSupervisor(flags, ids.map((id) => workerSpec(id, options)), random);
    await puppets.supervisor.start();
    return puppets;
  }

  place(id: string): PuppetPlace {
    return this.places.get(id)!;
  }

  stateOf(id: string): string | undefined {
    return this.supervisor.whichChildren().find((child) => child.id === id)?.state;
  }

  /** Lets all that is ready run. */
  settle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets pass what is left until all that is timed has fallen due, and runs it in no order. */
  async advanceAll(): Promise<void> {
    const due = [...this.#timers];
    this.#timers.clear();
    this.clock.advance(Math.max(0, ...due.map(({ atMs }) => atMs - this.clock.monotonicMs())));
    for (const { run } of due) run();
    await this.settle();
  }

  /** Lets so much time pass, with all that falls due in it. */
  async advance(ms: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + ms;
    await this.settle();
    for (;;) {
      const due = [...this.#timers].filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers.delete(due);
      this.clock.advance(Math.max(0, due.atMs - this.clock.monotonicMs()));
      due.run();
      await this.settle();
    }
    this.clock.advance(endMs - this.clock.monotonicMs());
  }
}
