/**
 * One request in the generator actor: it waits for a sequence, drives its run, and gives the sequence back.
 *
 * It is the iterator of the actor's streaming answer, and so it goes forward only when its asker takes items:
 * who reads slowly makes it wait. What ends it early does not wait for that. A cancel (the kernel calls
 * `return`) and the deadline (a timer) give its place back at once, and its sequence as soon as the native call
 * in flight, if there is one, has ended: one token at the most.
 */
import { SpillwayError, type MessageContext, type Timer } from '../../../kernel/index.ts';
import type { GenerationBackend, GenerationRun, PreparedRun } from './generation-backend.ts';
import type { CheckedRequest } from './generation-request.ts';
import type { EndItem, FinishReason, GenerationItem } from './messages.ts';
import type { Slot } from './sequence-slots.ts';
import { StopScanner } from './stop-scanner.ts';

/** What a task needs of its actor. */
export interface TaskHost {
  backend(): Promise<GenerationBackend>;
  nowMs(): number;
  after(delayMs: number, run: () => void): Timer;
  count(name: 'promptTokens' | 'tokens', amount: number): void;
  /** It holds nothing any more. */
  onEnd(task: GenerationTask): void;
}

type Result = IteratorResult<GenerationItem, undefined>;

const DONE: Result = { done: true, value: undefined };

export class GenerationTask implements AsyncIterableIterator<GenerationItem, undefined> {
  readonly #request: CheckedRequest;
  readonly #message: Pick<MessageContext, 'cancelled'>;
  readonly #slot: Slot;
  readonly #host: TaskHost;
  readonly #arrivedMs: number;
  readonly #deadlineMs: number;
  readonly #timer: Timer;
  #prepared: PreparedRun | undefined;
  #run: GenerationRun | undefined;
  #scanner = new StopScanner([]);
  #tokensMax = 0;
  /** Of the prompt. */
  #readTokens = 0;
  #completionTokens = 0;
  /** Generated since the last item. */
  #newTokens = 0;
  #firstTokenMs: number | undefined;
  /** Spent in steps behind the first token. */
  #computedMs = 0;
  #isCancelled = false;
  #isStopped = false;
  #isOver = false;
  #ending: Promise<void> | undefined;

  /** @param slot its place, which is the task's to leave from now on */
  constructor(request: CheckedRequest, deadlineMs: number, message: Pick<MessageContext, 'cancelled'>, slot: Slot, host: TaskHost) {
    this.#request = request;
    this.#deadlineMs = deadlineMs;
    this.#message = message;
    this.#slot = slot;
    this.#host = host;
    this.#arrivedMs = host.nowMs();
    this.#timer = host.after(Math.max(0, deadlineMs - this.#arrivedMs), () => void this.#giveBack());
  }

  async next(): Promise<Result> {
    if (this.#isOver) return DONE;
    try {
      const value = this.#run === undefined ? await this.#begin() : await this.#goOn();
      return { done: false, value };
    } catch (error) {
      this.#isOver = true;
      await this.#giveBack();
      throw error;
    }
  }

  /** Nobody wants it any more. Resolves when it holds nothing. */
  async return(): Promise<Result> {
    this.#isCancelled = true;
    this.#isOver = true;
    await this.#giveBack();
    return DONE;
  }

  /** Its actor ends: whoever still waits for an item is told so. Resolves when it holds nothing. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#giveBack();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #begin(): Promise<GenerationItem> {
    const { prompt, temperature, topK, topP, seed, schema, stop, maxTokens } = this.#request;
    const backend = await this.#host.backend();
    const early = this.#endedBy();
    if (early !== undefined) return this.#end(early);
    this.#prepared = await backend.prepare({ prompt, temperature, topK, topP, seed, ...(schema === undefined ? {} : { schema }) });
    const { promptTokens, roomTokens, endMark } = this.#prepared;
    await this.#slot.granted;
    const late = this.#endedBy();
    if (late !== undefined) return this.#end(late);
    this.#tokensMax = Math.min(maxTokens, roomTokens);
    this.#scanner = new StopScanner(endMark === undefined ? stop : [...stop, endMark]);
    this.#run = backend.begin(this.#prepared);
    return { kind: 'begun', promptTokens, seed, queuedMs: this.#host.nowMs() - this.#arrivedMs };
  }

  /** Goes on until there is something to show. */
  async #goOn(): Promise<GenerationItem> {
    for (;;) {
      const endedBy = this.#endedBy();
      if (endedBy !== undefined) return this.#end(endedBy, this.#scanner.flush());
      const text = await this.#step();
      if (text === undefined) return this.#end('eos', this.#scanner.flush());
      const found = this.#scanner.push(text);
      if (found.stop !== undefined) {
        // The grammar's mark is none of the caller's.
        return found.stop === this.#prepared?.endMark ? this.#end('eos', found.text) : this.#end('stop', found.text, found.stop);
      }
      if (this.#completionTokens >= this.#tokensMax) return this.#end('length', found.text + this.#scanner.flush());
      if (found.text !== '') return { kind: 'piece', text: found.text, tokens: this.#takeNewTokens() };
    }
  }

  /** @returns the text of one token, empty as long as there is none, or undefined at the model's own end */
  async #step(): Promise<string | undefined> {
    const startedMs = this.#host.nowMs();
    let step;
    try {
      step = await this.#run!.step();
    } catch (cause) {
      throw new SpillwayError('generation_failed', `The native library failed while it generated (${(cause as Error).message}); try again, and if it goes on, choose another model.`, { cause });
    }
    const endedMs = this.#host.nowMs();
    if (step.kind === 'prompt') {
      this.#countRead(step.tokens);
      return '';
    }
    if (this.#firstTokenMs === undefined) {
      this.#firstTokenMs = endedMs;
      // The last part of the prompt is read in the call that gives the first token.
      this.#countRead(this.#prepared!.promptTokens - this.#readTokens);
    } else this.#computedMs += endedMs - startedMs;
    if (step.kind === 'end') return undefined;
    this.#completionTokens++;
    this.#newTokens++;
    this.#host.count('tokens', 1);
    return step.text;
  }

  #countRead(tokens: number): void {
    this.#readTokens += tokens;
    this.#host.count('promptTokens', tokens);
  }

  #endedBy(): FinishReason | undefined {
    if (this.#isStopped) throw new SpillwayError('actor_stopped', 'The generator ended before the text did.');
    if (this.#isCancelled || this.#message.cancelled) return 'cancelled';
    return this.#host.nowMs() >= this.#deadlineMs || this.#ending !== undefined ? 'deadline' : undefined;
  }

  async #end(reason: FinishReason, text = '', stop?: string): Promise<EndItem> {
    this.#isOver = true;
    const end: EndItem = {
      kind: 'end', text, tokens: this.#takeNewTokens(), reason,
      promptTokens: this.#prepared?.promptTokens ?? 0,
      completionTokens: this.#completionTokens,
      ttftMs: this.#firstTokenMs === undefined ? -1 : this.#firstTokenMs - this.#arrivedMs,
      tokensPerSecond: this.#computedMs > 0 ? ((this.#completionTokens - 1) / this.#computedMs) * 1_000 : 0,
      ...(stop === undefined ? {} : { stop }),
    };
    // Behind its end its sequence is free.
    await this.#giveBack();
    return end;
  }

  #takeNewTokens(): number {
    const tokens = this.#newTokens;
    this.#newTokens = 0;
    return tokens;
  }

  #giveBack(): Promise<void> {
    this.#ending ??= this.#leave();
    return this.#ending;
  }

  async #leave(): Promise<void> {
    this.#timer.cancel();
    try {
      // At once for a task that waits: the message behind its cancel may be another request.
      if (this.#run !== undefined) await this.#run.release();
    } finally {
      this.#slot.leave();
      this.#host.onEnd(this);
    }
  }
}
