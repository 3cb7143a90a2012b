/**
 * A machine for the scheduler's tests: a clock and timers that a test turns, and workers that take their time by that
 * clock, one text after the other, urgent ones first, as inference actors do.
 */
import { hash } from 'node:crypto';
import { ManualClock, SpillwayError } from '../../../kernel/index.ts';
import { EmbedScheduler, type EmbedReply, type EmbedWorker, type ScheduledModel, type SchedulerOptions, type Timers, type UnitOptions } from '../../../actors/inference/scheduling/index.ts';

export const MODEL: ScheduledModel = { sha256: 'abc', dimensions: 4, tokensMax: 2_048, fusedTextsMax: 1, fusedTokensMax: 1, overlaps: false };

/** What the model says of a text, the same every time. */
export function vectorOf(text: string): Float32Array<ArrayBuffer> {
  const bytes = hash('sha256', text, 'buffer');
  return Float32Array.from({ length: MODEL.dimensions }, (_, index) => bytes[index]! / 256);
}

/** Words by spaces, and the two special ones. */
export function tokensOf(text: string): number {
  return text === '' ? 0 : text.split(' ').length + 2;
}

/** A text of so many tokens, told from others by its name. It is as long as the scheduler's first estimate has it. */
export function textOf(name: string | number, tokens = 10): string {
  return Array.from({ length: tokens - 2 }, (_, index) => (index === 0 ? String(name) : 'abc').padEnd(3, '.')).join(' ');
}

export function replyTo(texts: readonly string[], model: ScheduledModel = MODEL): EmbedReply {
  const vectors = new Float32Array(texts.length * model.dimensions);
  const outcomes = texts.map((text, index) => {
    const tokens = tokensOf(text);
    if (tokens > model.tokensMax) return { status: 'too_long' as const, tokens, truncated: false, limit: model.tokensMax };
    if (tokens === 0) return { status: 'empty' as const, tokens, truncated: false };
    vectors.set(vectorOf(text), index * model.dimensions);
    return { status: 'ok' as const, tokens, truncated: false };
  });
  return { vectors, dimensions: model.dimensions, sha256: model.sha256, outcomes };
}

interface ManualTimer {
  readonly dueMs: number;
  readonly run: () => void;
}

export class Simulation implements Timers {
  readonly clock = new ManualClock({ startMs: 1_000 });
  readonly #timers: ManualTimer[] = [];

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.clock.monotonicMs() + delayMs, run };
    const behind = this.#timers.findIndex(({ dueMs }) => dueMs > timer.dueMs);
    this.#timers.splice(behind === -1 ? this.#timers.length : behind, 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index !== -1) this.#timers.splice(index, 1);
    };
  }

  get nowMs(): number {
    return this.clock.monotonicMs();
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass, and whatever is due in it happen. */
  async advance(ms: number): Promise<void> {
    const endMs = this.nowMs + ms;
    await this.#runUntil(endMs);
    this.clock.advance(endMs - this.nowMs);
  }

  /** Goes on until nothing is due any more. */
  async finish(): Promise<void> {
    await this.#runUntil(Infinity);
  }

  async #runUntil(endMs: number): Promise<void> {
    await this.settle();
    for (let next = this.#timers[0]; next !== undefined && next.dueMs <= endMs; next = this.#timers[0]) {
      this.#timers.shift();
      this.clock.advance(Math.max(0, next.dueMs - this.nowMs));
      next.run();
      await this.settle();
    }
  }

  scheduler(workers: readonly EmbedWorker[], options: Partial<SchedulerOptions> = {}): EmbedScheduler {
    return new EmbedScheduler({ workers, model: MODEL, clock: this.clock, timers: this, ...options });
  }
}

export interface HeldUnit extends UnitOptions {
  readonly texts: readonly string[];
  answer(reply?: EmbedReply): void;
  fail(code: string): void;
}

/** A worker that answers when the test says so. */
export class HeldWorker implements EmbedWorker {
  /** All units it was ever sent. */
  readonly units: HeldUnit[] = [];

  embed(texts: readonly string[], options: UnitOptions): Promise<EmbedReply> {
    return new Promise((resolve, reject) => {
      this.units.push({
        ...options,
        texts,
        answer: (reply = replyTo(texts)) => resolve(reply),
        fail: (code) => reject(new SpillwayError(code, `It was told to fail with ${code}.`)),
      });
    });
  }
}

interface Run extends UnitOptions {
  readonly texts: readonly string[];
  begun: number;
  readonly resolve: (reply: EmbedReply) => void;
  readonly reject: (error: unknown) => void;
}

/** A worker that takes a millisecond for a token, unless told otherwise. */
export class SerialWorker implements EmbedWorker {
  /** Texts in the order in which they were begun. */
  readonly begun: string[] = [];
  /** Texts that end its life. */
  readonly poison = new Set<string>();
  crashes = 0;
  idleMs = 0;
  readonly #simulation: Simulation;
  readonly #msPerToken: number;
  readonly #runs: Run[] = [];
  #isBusy = false;
  #idleSinceMs: number;

  constructor(simulation: Simulation, msPerToken = 1) {
    this.#simulation = simulation;
    this.#msPerToken = msPerToken;
    this.#idleSinceMs = simulation.nowMs;
  }

  embed(texts: readonly string[], options: UnitOptions): Promise<EmbedReply> {
    return new Promise((resolve, reject) => {
      const run = { ...options, texts, begun: 0, resolve, reject };
      this.#runs.push(run);
      options.signal?.addEventListener('abort', () => this.#withdraw(run), { once: true });
      if (!this.#isBusy) {
        this.idleMs += this.#simulation.nowMs - this.#idleSinceMs;
        this.#isBusy = true;
        this.#next();
      }
    });
  }

  /** Fails whatever it has begun; what is in its lane goes on in its next life. */
  crash(): void {
    this.crashes++;
    for (const run of this.#runs.filter(({ begun, urgent }) => begun > 0 || urgent)) {
      this.#runs.splice(this.#runs.indexOf(run), 1);
      run.reject(new SpillwayError('actor_restarted', 'It crashed.'));
    }
  }

  /** An ask that is cancelled fails at once; a text that has begun runs to its end. */
  #withdraw(run: Run): void {
    const index = this.#runs.indexOf(run);
    if (index === -1) return;
    this.#runs.splice(index, 1);
    run.reject(new SpillwayError('ask_cancelled', 'It is not wanted any more.'));
  }

  #next(): void {
    const run = this.#runs.find(({ urgent }) => urgent) ?? this.#runs[0];
    if (run === undefined) {
      this.#isBusy = false;
      this.#idleSinceMs = this.#simulation.nowMs;
      return;
    }
    const text = run.texts[run.begun++]!;
    this.begun.push(text);
    this.#simulation.after(tokensOf(text) * this.#msPerToken, () => {
      if (this.#runs.includes(run)) {
        if (this.poison.has(text)) this.crash();
        else if (run.begun === run.texts.length) {
          this.#runs.splice(this.#runs.indexOf(run), 1);
          run.resolve(replyTo(run.texts));
        }
      }
      this.#next();
    });
  }
}
