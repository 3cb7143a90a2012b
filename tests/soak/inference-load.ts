/**
 * Mixed load on embedders: lanes of work that never pause, of everything that a call can be: single texts that
 * somebody waits for, arrays, arrays with texts that have no vector, streams that are read to their end, slowly, or
 * left early, calls that are cancelled or have hardly any time, floods, options that are wrong.
 *
 * Each answer is checked: one outcome for each text and the one that it must have, each vector that of the model that
 * the outcome names, all of one call of one model.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { SpillwayError, type Random } from '../../kernel/index.ts';
import type { EmbedOptions, Embedded } from '../../actors/inference/embed-options.ts';
import type { Embedder } from '../../actors/inference/embedder.ts';
import { PRIORITIES } from '../../actors/inference/scheduling/embed-request.ts';
import { OUTPUT_FORMATS, type OutputFormat } from '../../actors/inference/vector-format.ts';
import type { Reference } from './inference-reference.ts';
import type { SoakText, SoakTexts } from './inference-texts.ts';
import { Lanes } from './lanes.ts';

/** An embedder, and what may be done to it. */
export interface LoadTarget {
  readonly name: string;
  readonly embedder: Embedder;
  /** Lanes of work. */
  readonly width: number;
  /** Between two calls of a lane, at the most. */
  readonly restMs: number;
  /** Error codes and statuses of texts that are no defect here, beside those that a call asks for. */
  readonly mayEnd: ReadonlySet<string>;
}

export interface LoadSpec {
  readonly targets: readonly LoadTarget[];
  readonly texts: SoakTexts;
  readonly reference: Reference;
  readonly random: Random;
}

/** How long a call may be open before it counts as one that hangs; an embedder's own deadline is 120 s. */
const OVERDUE_MS = 240_000;
const ARRAY_MAX = 48;
const STREAM_MAX = 150;
const LEFT_AFTER_MAX = 20;
const FLOOD = 160;
/** Of all texts, those that were chosen before in the same call or are the ones that everybody sends. */
const DUPLICATED = 0.3;
const HOT = 6;
/** Of the texts of a call that may have such. */
const BAD = 0.1;
const SLOW_MS = 2;
const CANCEL_MS_MAX = 30;
const SHORT_DEADLINE_MS_MAX = 25;
const KEYS = ['', 'first', 'second', 'third'] as const;
/** Above every model's. */
const DIMENSIONS_TOO_MANY = 4_096;
/** At most as many as the smallest model has. */
const DIMENSIONS = [undefined, undefined, 32, 64] as const;
const CANCELLED: ReadonlySet<string> = new Set(['ask_cancelled', 'embed_cancelled', 'cancelled']);
const LATE: ReadonlySet<string> = new Set(['deadline', 'ask_deadline']);

type Options = EmbedOptions;

interface Call {
  readonly embedder: Embedder;
  readonly random: Random;
  readonly options: Options;
  /** Codes and statuses that the call itself asks for. */
  readonly mayEnd: ReadonlySet<string>;
}

type Work = (call: Call) => Promise<void>;

export class InferenceLoad {
  /** Calls that have ended, by kind. */
  readonly works: Record<string, number> = {};
  /** Texts by what became of them; of arrays that were refused as a whole, none. */
  readonly outcomes: Record<string, number> = {};
  /** Calls that were refused or given up, by code. */
  readonly refusals: Record<string, number> = {};
  readonly violations: string[] = [];
  readonly #spec: LoadSpec;
  readonly lanes = new Lanes(OVERDUE_MS);

  constructor(spec: LoadSpec) {
    this.#spec = spec;
    for (const target of spec.targets) {
      for (let lane = 0; lane < target.width; lane++) {
        const chance = spec.random.fork(`${target.name} ${lane}`);
        this.lanes.begin(() => this.#piece(target, chance));
      }
    }
  }

  get ended(): number {
    return Object.values(this.works).reduce((sum, times) => sum + times, 0);
  }

  async #piece(target: LoadTarget, random: Random): Promise<void> {
    const works = Object.entries(this.#works);
    const [name, work] = works[random.int(works.length)]!;
    await this.lanes.booked(`${name} to ${target.name}`, () => this.#done(name, target, random, work));
    // Also so that a refusal is not answered with the next call at once.
    await pause(random.next() * target.restMs);
  }

  async #done(name: string, { name: target, embedder, mayEnd }: LoadTarget, random: Random, work: Work): Promise<void> {
    const options: Options = { key: KEYS[random.int(KEYS.length)]!, output: OUTPUT_FORMATS[random.int(OUTPUT_FORMATS.length)]!, cache: random.next() < 0.5 };
    const dimensions = DIMENSIONS[random.int(DIMENSIONS.length)];
    try {
      await work({ embedder, random, mayEnd, options: dimensions === undefined ? options : { ...options, dimensions } });
    } catch (error) {
      this.violations.push(`${name} to ${target} ended with ${codeOf(error)}: ${(error as Error).stack ?? String(error)}`);
    }
    count(this.works, name);
  }

  readonly #works: Readonly<Record<string, Work>> = {
    interactive: (call) => this.#settled(varied(call, { priority: 'interactive' }), this.#goodTexts(call.random, 1)),
    again: (call) => this.#array(varied(call, { priority: 'interactive' }), this.#goodTexts(call.random, 1)),
    array: (call) => this.#array(varied(call, { priority: PRIORITIES[call.random.int(PRIORITIES.length)]! }), this.#goodTexts(call.random, 1 + call.random.int(ARRAY_MAX))),
    arrayWithBad: (call) => this.#array(call, this.#mixedTexts(call.random, 1 + call.random.int(ARRAY_MAX))),
    settled: (call) => this.#settled(call, this.#mixedTexts(call.random, 1 + call.random.int(ARRAY_MAX))),
    truncated: (call) => this.#settled(varied(call, { truncate: call.random.int(2) === 0 ? 'left' : 'right' }), this.#mixedTexts(call.random, 1 + call.random.int(8))),
    stream: (call) => this.#stream(call, 1 + call.random.int(STREAM_MAX), Infinity, 0),
    streamSlowly: (call) => this.#stream(call, 1 + call.random.int(STREAM_MAX), Infinity, SLOW_MS),
    leave: (call) => this.#stream(call, STREAM_MAX, 1 + call.random.int(LEFT_AFTER_MAX), 0),
    cancel: (call) => this.#cancelled(call, this.#mixedTexts(call.random, 1 + call.random.int(ARRAY_MAX))),
    shortDeadline: (call) => this.#settled(varied(call, { deadlineMs: 1 + call.random.next() * SHORT_DEADLINE_MS_MAX }, LATE), this.#mixedTexts(call.random, 1 + call.random.int(ARRAY_MAX))),
    flood: async (call) => {
      const interactive = varied(call, { priority: 'interactive' }, new Set(['embed_overloaded']));
      await Promise.all(Array.from({ length: FLOOD }, () => this.#settled(interactive, this.#goodTexts(call.random, 1))));
    },
    wrongDimensions: (call) => this.#refused(varied(call, { dimensions: DIMENSIONS_TOO_MANY }), 'dimensions_invalid'),
    wrongDeadline: (call) => this.#refused(varied(call, { deadlineMs: -1 }), 'embed_options_invalid'),
  };

  /** All or nothing. */
  async #array({ embedder, options, mayEnd }: Call, texts: readonly SoakText[]): Promise<void> {
    const firstBad = texts.findIndex(({ status }) => status !== 'ok');
    try {
      const rows = await embedder.embed(texts.map(({ text }) => text), options);
      if (rows.length !== texts.length) return void this.violations.push(`an array of ${texts.length} texts came back with ${rows.length} vectors`);
      if (firstBad !== -1) return void this.violations.push(`an array with a text that is ${texts[firstBad]!.status} came back with vectors`);
      const { output = 'float32', dimensions } = options;
      const complaint = this.#spec.reference.complaintOfCall(rows.map((vector, index) => ({ text: texts[index]!.text, vector, output, dimensions })));
      if (complaint !== undefined) this.violations.push(complaint);
      this.#countOutcome('ok', texts.length);
    } catch (error) {
      this.#ended(error, mayEnd, firstBad === -1 ? undefined : { code: 'text_refused', index: firstBad, status: texts[firstBad]!.status });
    }
  }

  async #settled({ embedder, options, mayEnd }: Call, texts: readonly SoakText[]): Promise<void> {
    try {
      const all = await embedder.embedSettled(texts.map(({ text }) => text), options);
      if (all.length !== texts.length) this.violations.push(`${texts.length} texts had ${all.length} outcomes`);
      this.#checkAll(all, texts, options, mayEnd);
    } catch (error) {
      this.#ended(error, mayEnd);
    }
  }

  /** Of an array or of texts of which each says what became of it. */
  async #cancelled(call: Call, texts: readonly SoakText[]): Promise<void> {
    const cancel = new AbortController();
    const timer = setTimeout(() => cancel.abort(), call.random.next() * CANCEL_MS_MAX);
    const isArray = call.random.int(2) === 0;
    const cancelled = varied(call, { signal: cancel.signal }, CANCELLED);
    await (isArray ? this.#array(cancelled, texts.filter(({ status }) => status === 'ok')) : this.#settled(cancelled, texts));
    clearTimeout(timer);
  }

  async #stream({ embedder, random, options, mayEnd }: Call, length: number, upTo: number, betweenMs: number): Promise<void> {
    const texts = this.#mixedTexts(random, length);
    const taken: Embedded<OutputFormat>[] = [];
    let isClosed = false;
    const source = async function* (): AsyncGenerator<string, void, undefined> {
      try {
        for (const [index, { text }] of texts.entries()) {
          // A source that is not always ready.
          if (index % 16 === 15) await pause(0);
          yield text;
        }
      } finally {
        isClosed = true;
      }
    };
    try {
      for await (const one of embedder.embed(source(), options)) {
        taken.push(one);
        if (taken.length === upTo) break;
        if (betweenMs > 0) await pause(betweenMs);
      }
      const expected = Math.min(upTo, length);
      if (taken.length !== expected) this.violations.push(`a stream brought ${taken.length} outcomes in place of ${expected}`);
      if (!isClosed) this.violations.push('the source of a stream that has ended was not closed');
    } catch (error) {
      this.#ended(error, mayEnd);
    }
    this.#checkAll(taken, texts, options, mayEnd);
  }

  async #refused({ embedder, random, options, mayEnd }: Call, code: string): Promise<void> {
    try {
      await embedder.embed(this.#goodTexts(random, 1).map(({ text }) => text), options);
      this.violations.push(`a call that is refused with ${code} was not`);
    } catch (error) {
      this.#ended(error, new Set([...mayEnd, code]));
    }
  }

  #checkAll(all: readonly Embedded<OutputFormat>[], texts: readonly SoakText[], options: Options, mayEnd: ReadonlySet<string>): void {
    const models = new Set(all.map(({ model }) => model));
    if (models.size > 1) this.violations.push(`the texts of one call are of ${models.size} models`);
    for (const [at, one] of all.entries()) {
      const text = texts[at];
      if (text === undefined || one.index !== at) this.violations.push(`outcome ${at} of a call of ${texts.length} texts says that it is that of text ${one.index}`);
      else this.#check(one, text, options, mayEnd);
    }
  }

  #check(one: Embedded<OutputFormat>, { text, status: whole, tokens, cut }: SoakText, { truncate = 'refuse', output = 'float32', dimensions }: Options, mayEnd: ReadonlySet<string>): void {
    const kept = truncate === 'refuse' || cut === undefined ? undefined : cut[truncate];
    const expected = kept === undefined ? whole : 'ok';
    this.#countOutcome(one.status, 1);
    if (one.status !== expected) {
      if (!mayEnd.has(one.status)) this.violations.push(`a text of ${text.length} characters is '${one.status}' (${one.reason ?? 'no reason'}) in place of '${expected}'`);
      else if (one.vector !== undefined) this.violations.push(`a text that is '${one.status}' has a vector`);
      return;
    }
    if (one.status !== 'ok') {
      if (one.vector !== undefined || one.reason === undefined) this.violations.push(`a text that is '${one.status}' has ${one.vector === undefined ? 'no reason' : 'a vector'}`);
      return;
    }
    if (one.vector === undefined) return void this.violations.push('a text that is ok has no vector');
    if (one.tokens !== tokens) this.violations.push(`a text of ${tokens} tokens is said to have ${one.tokens}`);
    if (one.truncated !== (kept !== undefined)) this.violations.push(`a text of ${tokens} tokens is said to be ${one.truncated ? '' : 'not '}truncated`);
    const complaint = this.#spec.reference.complaint(one.model, { text: kept ?? text, vector: one.vector, output, dimensions });
    if (complaint !== undefined) this.violations.push(complaint);
  }

  #ended(error: unknown, mayEnd: ReadonlySet<string>, refusal?: { readonly code: string; readonly index: number; readonly status: string }): void {
    if (!(error instanceof SpillwayError)) throw error;
    const { code, details } = error;
    count(this.refusals, code);
    if (code === 'text_refused') {
      const { index, status } = details as { index: number; status: string };
      if (mayEnd.has(status)) return;
      if (refusal?.index !== index || refusal.status !== status) this.violations.push(`text ${index} was refused as '${status}' in place of ${refusal === undefined ? 'none' : `text ${refusal.index} as '${refusal.status}'`}`);
      return;
    }
    if (!mayEnd.has(code)) throw error;
    const retryAfterMs = Number(details?.['retryAfterMs']);
    if (code === 'embed_overloaded' && !(retryAfterMs > 0)) this.violations.push('embed_overloaded does not say when to try again');
  }

  #countOutcome(status: string, texts: number): void {
    this.outcomes[status] = (this.outcomes[status] ?? 0) + texts;
  }

  #goodTexts(random: Random, length: number): SoakText[] {
    const { good } = this.#spec.texts;
    const chosen: SoakText[] = [];
    while (chosen.length < length) {
      const isDuplicated = random.next() < DUPLICATED;
      const from = !isDuplicated ? good : chosen.length > 0 && random.int(2) === 0 ? chosen : good.slice(0, HOT);
      chosen.push(from[random.int(from.length)]!);
    }
    return chosen;
  }

  #mixedTexts(random: Random, length: number): SoakText[] {
    const { bad, overlong } = this.#spec.texts;
    return this.#goodTexts(random, length).map((text) => {
      if (random.next() >= BAD) return text;
      const from = random.int(2) === 0 ? bad : overlong;
      return from[random.int(from.length)]!;
    });
  }
}

/** The same call with further options, which may end in further ways. */
function varied(call: Call, options: Options, mayEnd: ReadonlySet<string> = new Set()): Call {
  return { ...call, options: { ...call.options, ...options }, mayEnd: new Set([...call.mayEnd, ...mayEnd]) };
}

function count(tally: Record<string, number>, name: string): void {
  tally[name] = (tally[name] ?? 0) + 1;
}

function codeOf(error: unknown): string {
  return error instanceof SpillwayError ? error.code : 'an error without a code';
}
