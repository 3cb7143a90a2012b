/**
 * What goes on through the fault: numbered asks and tells on all three lanes, from several clients, each
 * with the next one ready as soon as the last has come to an end. Nothing is sent twice.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { LANES, SpillwayError, type ActorRef, type Lane, type Random } from '../../kernel/index.ts';
import { DrillAttempts } from './attempts.ts';
import { NUMBERS_MAX } from './ledger.ts';
import type { SubjectSpec } from './messages.ts';

/** An acknowledgement, as the subject gives it. */
export interface Acknowledgement {
  readonly incarnation: number;
  readonly startedMs: number;
  readonly handledMs: number;
  readonly pid: number;
}

export interface LoadOptions {
  /** Clients that ask on the data lane. Default 6. */
  readonly dataClients?: number;
  /** Milliseconds that a client rests between two messages at the most. Default 2. */
  readonly restMs?: number;
  /** How long an ask may take. */
  readonly deadlineMs?: number;
}

const DATA_CLIENTS = 6;
const CONTROL_CLIENTS = 2;
const REST_MS = 2;
const DEADLINE_MS = 20_000;
/** Every so many messages of a data client is told instead of asked. */
const TELL_EVERY = 4;

export class Load {
  readonly attempts: Readonly<Record<Lane, DrillAttempts>>;
  readonly #subject: ActorRef<SubjectSpec>;
  readonly #random: Random;
  readonly #options: LoadOptions;
  readonly #clients: Promise<void>[] = [];
  readonly #listeners = new Set<(event: LoadEvent) => void>();
  #isOn = false;
  #pid = 0;

  constructor(subject: ActorRef<SubjectSpec>, random: Random, options: LoadOptions = {}) {
    this.#subject = subject;
    this.#random = random;
    this.#options = options;
    this.attempts = Object.fromEntries(LANES.map((lane) => [lane, new DrillAttempts(NUMBERS_MAX)])) as Record<Lane, DrillAttempts>;
  }

  /** Of the process that has acknowledged last. */
  get pid(): number {
    return this.#pid;
  }

  /** Calls the listener with each acknowledgement and each failure of an ask. */
  on(listener: (event: LoadEvent) => void): void {
    this.#listeners.add(listener);
  }

  start(): void {
    this.#isOn = true;
    const { dataClients = DATA_CLIENTS } = this.#options;
    for (let client = 0; client < dataClients; client++) this.#clients.push(this.#dataClient(this.#random.fork(`data-${client}`)));
    for (let client = 0; client < CONTROL_CLIENTS; client++) this.#clients.push(this.#controlClient(this.#random.fork(`control-${client}`)));
    this.#clients.push(this.#telemetryClient(this.#random.fork('telemetry')));
  }

  /** Sends no more. Resolves once everything that was asked has come to an end. */
  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#clients);
  }

  /** One ask. Resolves when it has come to an end, whichever. */
  async ask(lane: 'control' | 'data', deadlineMs: number = this.#options.deadlineMs ?? DEADLINE_MS): Promise<void> {
    const attempts = this.attempts[lane];
    const number = attempts.begin();
    if (number === undefined) return;
    try {
      const acknowledgement = await this.#subject.ask(lane === 'control' ? 'urgent' : 'work', { number }, { deadlineMs });
      attempts.end(number, 'acknowledged');
      this.#pid = acknowledgement.pid;
      for (const listener of this.#listeners) listener({ lane, acknowledgement });
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      attempts.end(number, error.details['mayHaveBeenHandled'] === false ? 'refused' : 'indeterminate', error.code);
      for (const listener of this.#listeners) listener({ lane, failure: error });
    }
  }

  /** One tell. @returns 0, or why it was refused */
  tell(lane: 'data' | 'telemetry'): number {
    const attempts = this.attempts[lane];
    const number = attempts.begin();
    if (number === undefined) return 0;
    const result = this.#subject.tell(lane === 'data' ? 'post' : 'line', { number });
    attempts.end(number, result === 0 ? 'accepted' : 'refused');
    return result;
  }

  async #dataClient(random: Random): Promise<void> {
    for (let turn = 1; this.#isOn; turn++) {
      if (turn % TELL_EVERY === 0) this.tell('data');
      else await this.ask('data');
      await this.#rest(random);
    }
  }

  async #controlClient(random: Random): Promise<void> {
    while (this.#isOn) {
      await this.ask('control');
      await this.#rest(random);
    }
  }

  async #telemetryClient(random: Random): Promise<void> {
    while (this.#isOn) {
      this.tell('telemetry');
      await this.#rest(random);
    }
  }

  #rest(random: Random): Promise<void> {
    return pause(random.next() * (this.#options.restMs ?? REST_MS));
  }
}

export type LoadEvent =
  | { readonly lane: Lane; readonly acknowledgement: Acknowledgement }
  | { readonly lane: Lane; readonly failure: SpillwayError };
