/**
 * What goes on through the fault of an isolated model: clients that ask the scheduler for vectors of known texts, each
 * with the next request ready as soon as the last has come to an end. Every vector is compared with that of before.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { SpillwayError, type Random } from '../../kernel/index.ts';
import { DrillAttempts } from '../../supervisors/index.ts';
import type { EmbeddedText } from '../inference/index.ts';

/** Embeds texts, one result for each: the scheduler in front of the model, or whatever stands in its place. */
export type EmbedTexts = (texts: readonly string[]) => Promise<readonly Pick<EmbeddedText, 'status' | 'vector' | 'reason'>[]>;

const TEXTS = 24;
const TEXTS_PER_REQUEST = 4;
const CLIENTS = 6;
const REQUESTS_MAX = 200_000;
const REST_MS = 2;
/** Between the values of two vectors of length 1 for one text. */
const DIFFERENCE_MAX = 1e-5;
const WORDS = ['crash', 'native', 'vector', 'index', 'process', 'restart', 'memory', 'signal', 'thread', 'mapped', 'weights', 'token'];

export class ModelLoad {
  readonly attempts = new DrillAttempts(REQUESTS_MAX);
  readonly #embed: EmbedTexts;
  readonly #random: Random;
  readonly #texts: readonly string[];
  readonly #clients: Promise<void>[] = [];
  /** How often each request was answered with the right vectors. */
  readonly #answered = new Uint8Array(REQUESTS_MAX);
  #expected: readonly Float32Array[] = [];
  #isOn = false;
  #wrong = 0;
  #acknowledged = 0;
  /** Called with each request that was answered. */
  onAnswer: () => void = () => {};

  constructor(embed: EmbedTexts, random: Random) {
    this.#embed = embed;
    this.#random = random;
    // From one word to a paragraph.
    this.#texts = Array.from({ length: TEXTS }, (_, number) => Array.from({ length: 1 + 3 * number }, (__, word) => WORDS[(number * 5 + word * 7) % WORDS.length]).join(' '));
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Vectors that were given and are not those of before. */
  get wrong(): number {
    return this.#wrong;
  }

  /** Requests of which nobody ever heard again. */
  get unanswered(): number {
    return this.attempts.of('pending');
  }

  /** For the tally: how often each request was answered. */
  get answers(): Uint8Array {
    return this.#answered.slice(0, this.attempts.count);
  }

  /** Embeds all texts while nothing is broken. @throws SpillwayError `drill_aborted` if the model has none for one of them */
  async learn(): Promise<void> {
    this.#expected = await this.#embedAll();
  }

  /** @returns whether all vectors are those that were learned */
  async isAsBefore(): Promise<boolean> {
    const now = await this.#embedAll();
    return now.every((vector, index) => isAlike(vector, this.#expected[index]!));
  }

  start(): void {
    this.#isOn = true;
    for (let client = 0; client < CLIENTS; client++) this.#clients.push(this.#client(this.#random.fork(`client-${client}`)));
  }

  /** Sends no more. Resolves once everything that was asked has come to an end. */
  async stop(): Promise<void> {
    this.#isOn = false;
    await Promise.all(this.#clients);
  }

  async #client(random: Random): Promise<void> {
    while (this.#isOn) {
      await this.#request(Array.from({ length: TEXTS_PER_REQUEST }, () => random.int(TEXTS)));
      await pause(random.next() * REST_MS);
    }
  }

  async #request(which: readonly number[]): Promise<void> {
    const number = this.attempts.begin();
    if (number === undefined) return;
    try {
      const results = await this.#embed(which.map((text) => this.#texts[text]!));
      const bad = results.find(({ status }) => status !== 'ok');
      const wrong = results.filter(({ status, vector }, index) => status === 'ok' && !isAlike(vector, this.#expected[which[index]!]!)).length;
      this.#wrong += wrong;
      if (bad !== undefined) return this.attempts.end(number, 'refused', bad.status);
      if (results.length === which.length && wrong === 0) this.#answered[number] = 1;
      this.#acknowledged++;
      this.attempts.end(number, 'acknowledged');
      this.onAnswer();
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      this.attempts.end(number, 'refused', error.code);
    }
  }

  async #embedAll(): Promise<Float32Array[]> {
    const results = await this.#embed(this.#texts);
    const bad = results.find(({ status }) => status !== 'ok');
    if (bad !== undefined) throw new SpillwayError('drill_aborted', `The model has no vector for a text of the drill: ${bad.status} ${bad.reason ?? ''}`);
    // They may be parts of a block that is used again.
    return results.map(({ vector }) => vector.slice());
  }
}

function isAlike(found: Float32Array, expected: Float32Array): boolean {
  return found.length === expected.length && found.every((value, index) => Math.abs(value - expected[index]!) <= DIFFERENCE_MAX);
}
