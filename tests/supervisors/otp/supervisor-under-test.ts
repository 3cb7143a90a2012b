// One system for the cases of a file, and supervisors below its root that each case has to itself.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ActorRef } from '../../../kernel/index.ts';
import { createSystem, type AnyChildSpec, type ChildSpec, type ChildState, type SupervisorChildSpec, type SupervisorFlags, type SupervisorHandle, type SystemOptions, type System } from '../../../supervisors/index.ts';
import { until } from '../../kernel/condition.ts';
import { workerProtocol, type WorkerArgs } from './actors/worker.ts';

export type Worker = ActorRef<typeof workerProtocol.spec>;
export type WorkerOptions = Omit<Partial<ChildSpec>, 'start'> & { readonly args?: WorkerArgs };
type Flags = Partial<SupervisorFlags>;

export const ask = { deadlineMs: 20_000 };
/** Longer than any test takes. */
export const NEVER_MS = 600_000;
const AT_ONCE = { minMs: 1, maxMs: 1, jitter: 0 } as const;
const WORKER_MODULE = new URL('./actors/worker.ts', import.meta.url).href;
/** What most cases of OTP give: more than two restarts within an hour are too many. */
const OTP_FLAGS: Flags = { intensity: 2, periodMs: 3_600_000, backoff: AT_ONCE };

/** A worker's spec. On the thread of the tree and permanent, unless told otherwise. */
export function workerSpec(id: string, { args, ...spec }: WorkerOptions = {}): ChildSpec {
  const stops = spec.brutalKill === true ? {} : { shutdownMs: 1_000 };
  return { placement: 'inline', ...stops, ...spec, id, start: { module: WORKER_MODULE, export: 'worker', ...(args === undefined ? {} : { args }) } };
}

/** A file whose presence holds somebody up. */
export class Gate {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  shut(): this {
    writeFileSync(this.path, '');
    return this;
  }

  open(): void {
    rmSync(this.path, { force: true });
  }
}

export class Suite {
  readonly system: System;
  readonly #folder = mkdtempSync(join(tmpdir(), 'spillway-otp-'));
  #names = 0;

  private constructor(system: System) {
    this.system = system;
  }

  static async create(options: SystemOptions = {}): Promise<Suite> {
    // What the children of each case fail of is for the case to see.
    const logLevel = 'error';
    return new Suite(await createSystem({ logLevel, supervisor: { intensity: 1_000, backoff: AT_ONCE }, ...options }));
  }

  path(): string {
    return join(this.#folder, String(++this.#names));
  }

  gate(): Gate {
    return new Gate(this.path());
  }

  /** Starts a supervisor with the flags of most of OTP's cases and those given. It is transient, so that it only comes back if it fails. */
  async start(flags: Flags = {}, children: readonly AnyChildSpec[] = [], spec: Partial<SupervisorChildSpec> = {}): Promise<SupervisorUnderTest> {
    const id = `sup-${++this.#names}`;
    await this.system.supervisor().startChild({ restart: 'transient', ...spec, id, type: 'supervisor', flags: { ...OTP_FLAGS, ...flags }, children });
    return new SupervisorUnderTest(this, '', id);
  }

  async close(): Promise<void> {
    await this.system.close();
    rmSync(this.#folder, { recursive: true });
  }
}

export class SupervisorUnderTest {
  readonly suite: Suite;
  readonly path: string;
  readonly #parent: string;
  readonly #id: string;

  /** @param parent path of the supervisor above */
  constructor(suite: Suite, parent: string, id: string) {
    this.suite = suite;
    this.#parent = parent;
    this.#id = id;
    this.path = parent === '' ? id : `${parent}/${id}`;
  }

  get handle(): SupervisorHandle {
    return this.suite.system.supervisor(this.path);
  }

  /** The supervisor of that id below this one. */
  below(id: string): SupervisorUnderTest {
    return new SupervisorUnderTest(this.suite, this.path, id);
  }

  async startWorkers(...specs: readonly ChildSpec[]): Promise<Worker[]> {
    const workers: Worker[] = [];
    for (const spec of specs) workers.push(await this.handle.spawn(spec, workerProtocol));
    return workers;
  }

  worker(id: string): Promise<Worker> {
    return this.suite.system.resolve(`${this.path}/${id}`, workerProtocol);
  }

  /** As OTP's suite lists them: specs, active, supervisors, workers. */
  async counts(): Promise<number[]> {
    const { specs, active, supervisors, workers } = await this.handle.countChildren();
    return [specs, active, supervisors, workers];
  }

  /** From left to right. */
  async states(): Promise<[id: string, state: ChildState][]> {
    return (await this.handle.whichChildren()).map(({ id, state }) => [id, state]);
  }

  async stateOf(id: string): Promise<ChildState | undefined> {
    return (await this.states()).find(([child]) => child === id)?.[1];
  }

  /** Waits until the child runs after so many restarts. */
  async untilRestarted(id: string, restarts = 1): Promise<void> {
    await until(async () => (await this.handle.whichChildren()).some((child) => child.id === id && child.state === 'running' && child.restarts === restarts), `${id} was restarted`);
  }

  async untilState(id: string, state: ChildState | undefined): Promise<void> {
    await until(async () => (await this.stateOf(id)) === state, `${id} is ${state}`);
  }

  async incarnationOf(id: string): Promise<number> {
    return (await (await this.worker(id)).ask('life', {}, ask)).incarnation;
  }

  /** What its parent knows of it. */
  async status() {
    return (await this.suite.system.supervisor(this.#parent).whichChildren()).find(({ id }) => id === this.#id);
  }

  isAlive = async (): Promise<boolean> => (await this.status())?.state === 'running';

  /** Waits until it has ended by itself, in order: had it failed, its parent would have started it again. */
  async untilEnded(): Promise<void> {
    await until(async () => (await this.status())?.state === 'stopped', 'the supervisor has ended');
    expect(await this.status()).toMatchObject({ restarts: 0 });
  }

  /** Ends it. @returns whether it ended in time */
  end(): Promise<boolean> {
    return this.suite.system.supervisor(this.#parent).terminateChild(this.#id);
  }
}

export function linesOf(journal: string): string[] {
  return existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').filter(Boolean) : [];
}

export function codeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'fulfilled',
    (error: unknown) => (error as { code?: string }).code ?? String(error),
  );
}
