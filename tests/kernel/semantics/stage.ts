/**
 * A system for the tests of the semantics: two threads, north and south, on which puppets are spawned, and
 * pairs of a sender and a subject, on one thread or on two. The same promise is kept in either place.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { ActorRef, Address, SpillwayError } from '../../../kernel/index.ts';
import { createSystem, type ChildSpec, type System } from '../../../supervisors/index.ts';
import { puppetProtocol, type PuppetArgs, type PuppetSpec } from '../actors/puppet-protocol.ts';
import { PAGE, type CallOptions, type Commands, type Outcome, type PuppetOptions } from '../actors/puppet-commands.ts';
import { until } from '../condition.ts';

const module = new URL('../actors/puppet.ts', import.meta.url).href;
/** Far longer than anything takes. */
const LONG = { deadlineMs: 20_000 } as const;

/** Tests leave handlers that never end; no more than this is waited for each. */
const SHUTDOWN_MS = 500;

/** Where the subject of a promise lives, seen from who sends to it. */
export const PLACEMENTS = ['spawned on the same thread', 'spawned on another thread', 'the own actor of another thread'] as const;
export type Placement = (typeof PLACEMENTS)[number];
/** Where one may be spawned with a mailbox and a parent of its own. */
export const SPAWNED: readonly Placement[] = PLACEMENTS.slice(0, 2);

/** The strings of one puppet. */
export class Puppet {
  readonly ref: ActorRef<PuppetSpec>;
  /** The thread's own actor, where it lives. */
  readonly thread: string;

  constructor(ref: ActorRef<PuppetSpec>, thread: string) {
    this.ref = ref;
    this.thread = thread;
  }

  get address(): Address {
    return this.ref.address;
  }

  /** Has the puppet do something, as a control message. */
  async do<Name extends keyof Commands>(command: Name, ...args: Parameters<Commands[Name]>): Promise<Awaited<ReturnType<Commands[Name]>>> {
    const { result } = await this.ref.ask('do', { command, args }, LONG);
    return result as Awaited<ReturnType<Commands[Name]>>;
  }

  ask(to: Puppet | Address, name: string, request: unknown, options?: CallOptions): Promise<Outcome> {
    return this.do('ask', addressOf(to), name, request, options);
  }

  tell(to: Puppet | Address, name: string, request: unknown, options?: CallOptions): Promise<number> {
    return this.do('tell', addressOf(to), name, request, options);
  }

  /** Resolves once so many messages wait for it, beside what still lies in lanes. */
  holds(messages: number): Promise<void> {
    return this.#until(async () => (await this.do('levelOf', this.address)) === messages, `${messages} messages wait for it`);
  }

  /** Tells notes with these numbers in one turn. @returns what each tell returned */
  note(to: Puppet | Address, ...numbers: readonly number[]): Promise<number[]> {
    return this.do('tellAll', addressOf(to), numbers.map((number) => ['note', { number }]));
  }

  /** All that it has recorded. */
  async log(): Promise<string[]> {
    const log: string[] = [];
    for (;;) {
      const page = await this.do('log', log.length);
      log.push(...page);
      if (page.length < PAGE) return log;
    }
  }

  /** What it has recorded, once that is so much. */
  async logged(entries: number): Promise<string[]> {
    await this.#until(async () => (await this.do('count')) >= entries, `it has recorded ${entries}`);
    return this.log();
  }

  /** Resolves once it has recorded this. */
  hasLogged(entry: string): Promise<void> {
    return this.#until(() => this.do('has', entry), `it has recorded ${entry}`);
  }

  /** Resolves once it lives for so many times. */
  hasLives(lives: number): Promise<void> {
    return this.#until(async () => (await this.do('life')) === lives, `it lives for the ${lives}th time`);
  }

  /** What is asked while it is started again is asked again. */
  #until(condition: () => Promise<boolean>, what: string): Promise<void> {
    const patient = async (): Promise<boolean> => {
      try {
        return await condition();
      } catch (error) {
        if ((error as SpillwayError).code === 'actor_restarted') return false;
        throw error;
      }
    };
    return until(patient, `${this.ref.name}: ${what}`);
  }
}

export function addressOf(target: Puppet | Address): Address {
  return typeof target === 'number' ? target : target.address;
}

export class Stage {
  system!: System;
  north!: Puppet;
  south!: Puppet;
  readonly #folder = mkdtempSync(join(tmpdir(), 'spillway-semantics-'));
  readonly #held: string[] = [];
  #count = 0;

  async open(): Promise<void> {
    this.system = await createSystem({ logLevel: 'error', supervisor: { intensity: 1_000, backoff: { minMs: 1, maxMs: 5, jitter: 0 } } });
    [this.north, this.south] = await Promise.all([this.thread(), this.thread()]);
  }

  async close(): Promise<void> {
    await this.system.close();
    rmSync(this.#folder, { recursive: true });
  }

  /** A thread with a puppet of its own. */
  async thread(spec: Omit<Partial<ChildSpec>, 'start'> & { readonly export?: string; readonly args?: PuppetArgs } = {}): Promise<Puppet> {
    const { export: name = 'puppet', args, ...rest } = spec;
    const id = `thread-${++this.#count}`;
    return new Puppet(await this.system.spawn({ shutdownMs: SHUTDOWN_MS, ...rest, id, start: { module, export: name, args } }, puppetProtocol), id);
  }

  /** A puppet that `parent` spawns. */
  async spawn(parent: Puppet, options?: PuppetOptions): Promise<Puppet> {
    const address = await parent.do('spawn', `puppet-${++this.#count}`, options);
    return new Puppet(this.system.ref(address, puppetProtocol), parent.thread);
  }

  /** A sender on the north thread, and a subject to which it is linked. */
  async pair(placement: Placement, options?: PuppetOptions): Promise<{ sender: Puppet; subject: Puppet }> {
    const sender = await this.spawn(this.north);
    const subject = await this.#subject(placement, options);
    await this.link(sender, subject);
    return { sender, subject };
  }

  #subject(placement: Placement, options?: PuppetOptions): Promise<Puppet> {
    if (placement === 'the own actor of another thread') return this.thread({ mailbox: { dataBytes: 16_384 } });
    return this.spawn(placement === 'spawned on the same thread' ? this.north : this.south, options);
  }

  /** Makes sure that there is a link between the threads of the two. */
  async link(from: Puppet, to: Puppet): Promise<void> {
    const { code, message } = await from.ask(to, 'urgentEcho', { text: '' });
    if (code !== undefined) throw new Error(message);
  }

  /**
   * Holds the whole thread of a puppet, unless it is the north one, which is the one that sends: there, what
   * is told in one turn waits by itself. Resolves once it is held. @returns lets it go on
   */
  async hold(puppet: Puppet): Promise<() => void> {
    if (puppet.thread === this.north.thread) return () => {};
    const gate = this.gate();
    this.#held.push(gate);
    puppet.ref.tell('block', { gate });
    await until(() => existsSync(`${gate}.begun`), `${puppet.ref.name} is held`);
    return () => writeFileSync(gate, '');
  }

  /** Lets all threads go on that a test has left held. */
  letGo(): void {
    for (const gate of this.#held.splice(0)) writeFileSync(gate, '');
  }

  /** Name of a file that is not there yet. */
  gate(): string {
    return join(this.#folder, `gate-${++this.#count}`);
  }

  openGate(gate: string): void {
    writeFileSync(gate, '');
  }

  /** Tells notes from 0 on until there is no room any more, in the lane or in the mailbox. @returns how many, and how the next was refused */
  async fill(sender: Puppet, subject: Puppet): Promise<{ told: number; result: number }> {
    const staysInLane = subject.address === (await this.system.resolve(subject.thread, puppetProtocol)).address;
    let told = 0;
    let result = 0;
    await until(async () => {
      // What has left its lane meanwhile has made room there, or has filled the mailbox.
      const isAtRest = staysInLane || (await sender.do('levelOf', subject.address)) === (await subject.do('levelOf', subject.address));
      const more = await sender.do('flood', subject.address, 'note', 100_000, told);
      told += more.told;
      result = more.result;
      return isAtRest && more.told === 0;
    }, `${subject.ref.name} is full`);
    return { told, result };
  }

  /** Has the puppet begin `hold` with this key, asked by `sender`. @returns the ask's outcome to come */
  async begin(sender: Puppet, subject: Puppet, key: string, options?: CallOptions): Promise<{ outcome: Promise<Outcome> }> {
    const outcome = sender.ask(subject, 'hold', { key }, options);
    // A test may leave it to the end of the system.
    outcome.catch(() => {});
    await subject.hasLogged(`hold ${key}`);
    return { outcome };
  }
}

/** A stage for all tests of a file. */
export function useStage(): Stage {
  const stage = new Stage();
  beforeAll(() => stage.open());
  afterEach(() => stage.letGo());
  afterAll(() => stage.close());
  return stage;
}
