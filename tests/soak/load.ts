/**
 * Full load on the actors of the soak: for each some lanes of work that never pause, of everything that a message
 * can be: asks, tells, large records, streams that are read to their end, left early or read slowly, asks that are
 * taken back, asks that go on to another actor, control.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { SpillwayError, type ActorRef, type Random } from '../../kernel/index.ts';
import type { MortalSpec } from './actors/mortal.ts';
import { Lanes } from './lanes.ts';

export type Mortal = ActorRef<MortalSpec>;

const DEADLINE_MS = 10_000;
/** How long after its deadlines a piece of work may still be open before it counts as one that hangs. */
const OVERDUE_MS = 60_000;
/** Lanes of work for one actor. */
const WIDTH = 3;
const NOTES = 32;
const LARGE_FLOATS = 1_000;
const STREAMED = 64;
const LEFT_AFTER = 8;
/** Of a slow reader, between two items. */
const SLOW_MS = 5;
const SLOW_ITEMS = 20;
const REFUSED_MS = 1;

/** How an ask may end while actors die; everything else is a defect. Control is never refused. */
const EXPECTED: ReadonlySet<string> = new Set(['actor_restarted', 'ask_deadline', 'ask_refused', 'ask_cancelled']);
const EXPECTED_OF_CONTROL: ReadonlySet<string> = new Set(['actor_restarted', 'ask_deadline']);

type Work = (actor: Mortal) => Promise<void>;

export class Load {
  /** How often a piece of work has ended in which way. */
  readonly tally: Record<string, number> = {};
  readonly violations: string[] = [];
  /** Notes that the actor with this name has taken. */
  readonly notes = new Map<string, number>();
  readonly lanes = new Lanes(OVERDUE_MS);
  readonly #names: readonly string[];
  readonly #random: Random;

  constructor(actors: readonly Mortal[], random: Random) {
    this.#names = actors.map(({ name }) => name);
    this.#random = random;
    for (const actor of actors) {
      for (let lane = 0; lane < WIDTH; lane++) {
        const chance = random.fork(`${actor.name} ${lane}`);
        this.lanes.begin(() => this.#piece(actor, chance));
      }
    }
  }

  get ended(): number {
    return Object.values(this.tally).reduce((sum, times) => sum + times, 0);
  }

  async #piece(actor: Mortal, random: Random): Promise<void> {
    const works = Object.entries(this.#works);
    const [name, work] = works[random.int(works.length)]!;
    await this.lanes.booked(`${name} to ${actor.name}`, () => this.#ended(name, actor, work));
  }

  async #ended(name: string, actor: Mortal, work: Work): Promise<void> {
    const expected = name === 'urgent' ? EXPECTED_OF_CONTROL : EXPECTED;
    let end = 'answered';
    try {
      await work(actor);
    } catch (error) {
      end = error instanceof SpillwayError ? error.code : String(error);
      if (!expected.has(end)) this.violations.push(`${name} to ${actor.name} ended with ${end}: ${(error as Error).message}`);
      // So that a refusal is not answered with the next request at once.
      await pause(REFUSED_MS);
    }
    this.tally[end] = (this.tally[end] ?? 0) + 1;
  }

  readonly #works: Readonly<Record<string, Work>> = {
    echo: async (actor) => void (await actor.ask('echo', { text: 'x'.repeat(100) }, { deadlineMs: DEADLINE_MS })),
    tell: async (actor) => {
      for (let note = 0; note < NOTES; note++) {
        const result = actor.tell('note', { number: note });
        if (result >= 0) this.notes.set(actor.name, (this.notes.get(actor.name) ?? 0) + 1);
        else await pause(REFUSED_MS);
      }
    },
    large: async (actor) => {
      const values = Float32Array.from({ length: LARGE_FLOATS }, (_, index) => index);
      const { sum } = await actor.ask('sum', { values }, { deadlineMs: DEADLINE_MS });
      if (sum !== (LARGE_FLOATS * (LARGE_FLOATS - 1)) / 2) this.violations.push(`a large record to ${actor.name} was not what was sent`);
    },
    stream: (actor) => this.#read(actor, STREAMED, STREAMED, 0),
    leave: (actor) => this.#read(actor, STREAMED, LEFT_AFTER, 0),
    readSlowly: (actor) => this.#read(actor, SLOW_ITEMS, SLOW_ITEMS, SLOW_MS),
    takeBack: async (actor) => {
      const cancel = new AbortController();
      const asked = actor.ask('echo', { text: '' }, { deadlineMs: DEADLINE_MS, signal: cancel.signal });
      cancel.abort();
      await asked;
    },
    relay: async (actor) => {
      // Only to those behind it: actors that ask each other in a ring wait for their deadlines.
      const others = this.#names.slice(this.#names.indexOf(actor.name) + 1);
      if (others.length === 0) return;
      await actor.ask('relay', { name: others[this.#random.int(others.length)]! }, { deadlineMs: 2 * DEADLINE_MS });
    },
    urgent: async (actor) => void (await actor.ask('urgent', {}, { deadlineMs: DEADLINE_MS })),
  };

  /** Items come once and in order. */
  async #read(actor: Mortal, count: number, upTo: number, betweenMs: number): Promise<void> {
    let next = 0;
    for await (const { number } of actor.stream('numbers', { count }, { deadlineMs: DEADLINE_MS })) {
      if (number !== next++) this.violations.push(`a stream of ${actor.name} brought ${number} in place of ${next - 1}`);
      if (next === upTo) return;
      if (betweenMs > 0) await pause(betweenMs);
    }
    if (next !== count) this.violations.push(`a stream of ${actor.name} ended after ${next} of ${count} items`);
  }
}
