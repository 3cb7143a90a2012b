import { describe, expect, it } from 'vitest';
import { TextQueue, type BeginText, type Runner } from '../../actors/inference/llama/text-queue.ts';

/** Texts whose end the test decides, and the order in which they began. */
class Stage {
  readonly begun: string[] = [];
  readonly #ends = new Map<string, { resolve: () => void; reject: (cause: Error) => void }>();

  batch(name: string): BeginText {
    return (index: number, runner: Runner) => {
      const text = `${name}${index}`;
      this.begun.push(runner === 'express' ? `${text} express` : text);
      return new Promise((resolve, reject) => { this.#ends.set(text, { resolve, reject }); });
    };
  }

  /** Ends a text and lets everything happen that follows from it. */
  async end(text: string, cause?: Error): Promise<void> {
    const end = this.#ends.get(text)!;
    if (cause === undefined) end.resolve();
    else end.reject(cause);
    await settled();
  }
}

function settled(): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve); });
}

describe('one runner', () => {
  it('serves batches one after another, one text at a time', async () => {
    const [queue, stage] = [new TextQueue(), new Stage()];
    const ended: string[] = [];
    void queue.serve(2, false, stage.batch('a')).then(() => ended.push('a'));
    void queue.serve(1, false, stage.batch('b')).then(() => ended.push('b'));
    expect(stage.begun).toEqual(['a0']);
    await stage.end('a0');
    expect(stage.begun).toEqual(['a0', 'a1']);
    expect(ended).toEqual([]);
    await stage.end('a1');
    expect(ended).toEqual(['a']);
    await stage.end('b0');
    expect(ended).toEqual(['a', 'b']);
    expect(stage.begun).toEqual(['a0', 'a1', 'b0']);
  });

  it('takes urgent texts before the rest of the batch in hand, and in their own order', async () => {
    const [queue, stage] = [new TextQueue(), new Stage()];
    void queue.serve(3, false, stage.batch('bulk'));
    void queue.serve(2, true, stage.batch('u'));
    void queue.serve(1, true, stage.batch('v'));
    for (const text of ['bulk0', 'u0', 'u1', 'v0', 'bulk1', 'bulk2']) await stage.end(text);
    expect(stage.begun).toEqual(['bulk0', 'u0', 'u1', 'v0', 'bulk1', 'bulk2']);
  });

  it('goes on with other batches when one is broken, and begins no more of its texts', async () => {
    const [queue, stage] = [new TextQueue(), new Stage()];
    const broken = queue.serve(3, false, stage.batch('a')).catch((error: Error) => error.message);
    const thrown = queue.serve(2, false, () => { throw new Error('at once'); }).catch((error: Error) => error.message);
    const next = queue.serve(1, false, stage.batch('b'));
    await stage.end('a0', new Error('no context'));
    expect(await broken).toBe('no context');
    expect(await thrown).toBe('at once');
    await stage.end('b0');
    await next;
    expect(stage.begun).toEqual(['a0', 'b0']);
  });

  it('lets an urgent batch in while texts are dealt with at once, by the thousand', async () => {
    const queue = new TextQueue();
    const dealt: string[] = [];
    const bulk = queue.serve(10_000, false, () => void dealt.push('bulk'));
    setImmediate(() => void queue.serve(1, true, () => void dealt.push('urgent')));
    await bulk;
    const at = dealt.indexOf('urgent');
    expect(at).toBeGreaterThan(0);
    expect(at).toBeLessThan(1_000);
  });

  it('serves an empty batch at once, and one that comes after all others have ended', async () => {
    const queue = new TextQueue();
    let dealt = 0;
    await queue.serve(0, false, () => void dealt++);
    await queue.serve(1, false, () => void dealt++);
    await settled();
    await queue.serve(1, true, () => void dealt++);
    expect(dealt).toBe(2);
  });
});

describe('the express runner', () => {
  it('takes an urgent text while an ordinary one runs, once its contexts are open', async () => {
    const stage = new Stage();
    let opened = (): void => {};
    const queue = new TextQueue(() => new Promise((resolve) => { opened = resolve; }));
    void queue.serve(3, false, stage.batch('bulk'));
    void queue.serve(1, true, stage.batch('u'));
    expect(stage.begun).toEqual(['bulk0']);
    opened();
    await settled();
    expect(stage.begun).toEqual(['bulk0', 'u0 express']);
    void queue.serve(2, true, stage.batch('v'));
    await stage.end('u0');
    // Both runners take urgent texts before ordinary ones.
    await stage.end('bulk0');
    expect(stage.begun).toEqual(['bulk0', 'u0 express', 'v0 express', 'v1']);
    await stage.end('v0');
    await stage.end('v1');
    expect(stage.begun.at(-1)).toBe('bulk1');
  });

  it('is not opened for an urgent text that finds nothing running', async () => {
    let opens = 0;
    const queue = new TextQueue(async () => void opens++);
    await queue.serve(2, true, () => Promise.resolve());
    expect(opens).toBe(0);
  });

  it('is left out when its contexts cannot be opened', async () => {
    const stage = new Stage();
    let opens = 0;
    const queue = new TextQueue(async () => {
      opens++;
      throw new Error('no memory');
    });
    void queue.serve(2, false, stage.batch('bulk'));
    void queue.serve(1, true, stage.batch('u'));
    await settled();
    void queue.serve(1, true, stage.batch('v'));
    for (const text of ['bulk0', 'u0', 'v0', 'bulk1']) await stage.end(text);
    expect(stage.begun).toEqual(['bulk0', 'u0', 'v0', 'bulk1']);
    expect(opens).toBe(1);
  });

  it('resolves a batch that both runners share with its last text, whichever ends last', async () => {
    const stage = new Stage();
    const queue = new TextQueue(() => Promise.resolve());
    void queue.serve(1, false, stage.batch('bulk'));
    let isDone = false;
    void queue.serve(2, true, stage.batch('u')).finally(() => { isDone = true; });
    await settled();
    await stage.end('bulk0');
    expect(stage.begun).toEqual(['bulk0', 'u0 express', 'u1']);
    await stage.end('u1');
    expect(isDone).toBe(false);
    await stage.end('u0');
    expect(isDone).toBe(true);
  });
});

describe('closing', () => {
  it('waits for ordinary and urgent batches that were accepted, and for an opening', async () => {
    const stage = new Stage();
    let opened = (): void => {};
    const queue = new TextQueue(() => new Promise((resolve) => { opened = resolve; }));
    void queue.serve(1, false, stage.batch('bulk'));
    void queue.serve(1, true, stage.batch('u'));
    let disposals = 0;
    const dispose = async (): Promise<void> => void disposals++;
    const closed = queue.close(dispose);
    expect(queue.close(dispose)).toBe(closed);
    await stage.end('bulk0');
    await stage.end('u0');
    expect(disposals).toBe(0);
    opened();
    await closed;
    expect(disposals).toBe(1);
  });

  it('makes every further batch an assertion', async () => {
    const queue = new TextQueue();
    await queue.close(async () => {});
    expect(() => queue.serve(1, false, () => undefined)).toThrow(/must not be used after close/);
  });
});
