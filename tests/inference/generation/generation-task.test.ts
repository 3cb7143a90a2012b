/** One request against a backend whose steps end when the test says so. */
import { describe, expect, it } from 'vitest';
import type { GenerationBackend, RunStep } from '../../../actors/inference/generation/generation-backend.ts';
import { checkRequest, type SamplingOptions } from '../../../actors/inference/generation/generation-request.ts';
import { GenerationTask } from '../../../actors/inference/generation/generation-task.ts';
import type { GenerationItem } from '../../../actors/inference/generation/messages.ts';
import { SequenceSlots } from '../../../actors/inference/generation/sequence-slots.ts';

/** A task, the hands of its clock, and the steps that it asked for. */
class Rig {
  readonly steps: PromiseWithResolvers<RunStep>[] = [];
  readonly message = { cancelled: false };
  readonly task: GenerationTask;
  nowMs = 0;
  released = 0;
  ended = 0;
  #deadline: (() => void) | undefined;

  constructor(options: SamplingOptions = {}, slots = new SequenceSlots(1, 1, () => 0)) {
    const run = {
      step: () => {
        const step = Promise.withResolvers<RunStep>();
        this.steps.push(step);
        return step.promise;
      },
      release: async () => {
        await this.steps.at(-1)?.promise.catch(() => {});
        this.released++;
      },
    };
    const prepared = { promptTokens: 3, roomTokens: 100, endMark: undefined };
    const backend = { prepare: () => Promise.resolve(prepared), begin: () => run } as unknown as GenerationBackend;
    this.task = new GenerationTask(checkRequest('prompt', options, () => 1), 1_000, this.message, slots.enter(), {
      backend: () => Promise.resolve(backend),
      nowMs: () => this.nowMs,
      after: (_, expire) => {
        this.#deadline = expire;
        return { cancel: () => (this.#deadline = undefined) };
      },
      count: () => {},
      onEnd: () => this.ended++,
    });
  }

  passDeadline(): void {
    this.nowMs = 1_000;
    this.#deadline?.();
  }

  async next(): Promise<GenerationItem | undefined> {
    return (await this.task.next()).value;
  }

  /** The item that comes of these steps. */
  async itemOf(...steps: (RunStep | Error)[]): Promise<GenerationItem | undefined> {
    const item = this.next();
    item.catch(() => {});
    for (const step of steps) {
      const asked = this.steps.length;
      await settled();
      expect(this.steps.length).toBeGreaterThanOrEqual(asked);
      const open = this.steps.at(-1)!;
      if (step instanceof Error) open.reject(step);
      else open.resolve(step);
      await settled();
    }
    return item;
  }
}

/** Until everything that was ready has run. */
const settled = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
const token = (text: string): RunStep => ({ kind: 'token', text });

describe('a task', () => {
  it('begins no further step once it is cancelled during one, and gives its sequence back behind it', async () => {
    const rig = new Rig();
    expect(await rig.next()).toMatchObject({ kind: 'begun', promptTokens: 3, seed: 1 });
    expect(await rig.itemOf(token('a'))).toEqual({ kind: 'piece', text: 'a', tokens: 1 });
    const pending = rig.next();
    await settled();
    const leaving = rig.task.return();
    await settled();
    expect([rig.steps.length, rig.released]).toEqual([2, 0]);
    rig.steps[1]!.resolve(token(''));
    await leaving;
    await pending;
    expect(await rig.next()).toBeUndefined();
    expect([rig.steps.length, rig.released, rig.ended]).toEqual([2, 1, 1]);
  });

  it('reads no further part of a long prompt once its scope is cancelled', async () => {
    const rig = new Rig();
    await rig.next();
    const item = rig.next();
    await settled();
    rig.message.cancelled = true;
    rig.steps[0]!.resolve({ kind: 'prompt', tokens: 2 });
    expect(await item).toMatchObject({ kind: 'end', reason: 'cancelled', tokens: 0, ttftMs: -1 });
    expect([rig.steps.length, rig.released]).toEqual([1, 1]);
  });

  it('gives its sequence back at its deadline although nobody asks for an item, and says so to whoever asks later', async () => {
    const rig = new Rig();
    await rig.next();
    await rig.itemOf(token('a'));
    rig.passDeadline();
    await settled();
    expect([rig.released, rig.ended]).toEqual([1, 1]);
    expect(await rig.next()).toMatchObject({ kind: 'end', reason: 'deadline', completionTokens: 1 });
    expect(await rig.next()).toBeUndefined();
  });

  it('shows at its end what it held back for a stop sequence that did not come', async () => {
    const rig = new Rig({ stop: ['abc'] });
    await rig.next();
    expect(await rig.itemOf(token('xa'))).toEqual({ kind: 'piece', text: 'x', tokens: 1 });
    expect(await rig.itemOf(token('b'), { kind: 'end' })).toMatchObject({ kind: 'end', reason: 'eos', text: 'ab', tokens: 1, completionTokens: 2 });
  });

  it('measures the time to its first token from its arrival, and the rate of the others while they are computed', async () => {
    const rig = new Rig({ maxTokens: 3 });
    rig.nowMs = 40;
    await rig.next();
    const first = rig.next();
    await settled();
    rig.nowMs = 100;
    rig.steps[0]!.resolve(token('a'));
    await first;
    // The reader takes its time, which is not the model's.
    rig.nowMs = 600;
    for (const [index, endMs] of [[1, 610], [2, 620]] as const) {
      const item = rig.next();
      await settled();
      rig.nowMs = endMs;
      rig.steps[index]!.resolve(token('b'));
      if (index === 2) expect(await item).toMatchObject({ kind: 'end', reason: 'length', ttftMs: 100, tokensPerSecond: 100 });
      else await item;
    }
  });

  it('fails alone when the library fails, with its sequence given back', async () => {
    const rig = new Rig();
    await rig.next();
    await expect(rig.itemOf(new Error('no room in the cache'))).rejects.toMatchObject({ code: 'generation_failed', message: expect.stringContaining('no room in the cache') as string });
    expect([rig.released, rig.ended]).toEqual([1, 1]);
  });

  it('that waits leaves its place at once when it is cancelled', async () => {
    const slots = new SequenceSlots(1, 1, () => 0);
    const holder = new Rig({}, slots);
    const waiting = new Rig({}, slots);
    const item = waiting.next();
    await settled();
    void waiting.task.return();
    expect(slots.waiting).toBe(0);
    expect((await item)?.kind).toBe('end');
    await holder.task.return();
  });

  it('whose actor ends fails with that, whether or not it waits for its sequence', async () => {
    const slots = new SequenceSlots(1, 1, () => 0);
    const running = new Rig({}, slots);
    const waiting = new Rig({}, slots);
    await running.next();
    const items = [running.next(), waiting.next()].map((item) => item.then(() => 'an item', (error: { code: string }) => error.code));
    await settled();
    const stopping = [waiting.task.stop(), running.task.stop()];
    running.steps[0]!.resolve(token(''));
    await Promise.all(stopping);
    expect(await Promise.all(items)).toEqual(['actor_stopped', 'actor_stopped']);
  });
});
