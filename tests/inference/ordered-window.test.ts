import { describe, expect, it } from 'vitest';
import { orderedWindow } from '../../actors/inference/ordered-window.ts';

const OPTIONS = { pieces: 4, units: 1_000, sizeOf: () => 1 };

/** Work that ends when the test says so. */
function puppetWork() {
  const open = new Map<number, { resolve: (value: number) => void; reject: (error: Error) => void }>();
  const work = (_: unknown, index: number): Promise<number> => new Promise((resolve, reject) => open.set(index, { resolve, reject }));
  return { work, open, begun: () => [...open.keys()] };
}

async function* asyncNumbers(count: number, taken: { count: number; closed?: boolean }): AsyncGenerator<number> {
  try {
    for (let number = 0; number < count; number++) {
      taken.count++;
      yield number;
    }
  } finally {
    taken.closed = true;
  }
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

describe.each(['an iterable', 'an async iterable'])('a window over %s', (kind) => {
  const sourceOf = (count: number, taken: { count: number; closed?: boolean }) =>
    kind === 'an async iterable'
      ? asyncNumbers(count, taken)
      : (function* () {
          try {
            for (let number = 0; number < count; number++) {
              taken.count++;
              yield number;
            }
          } finally {
            taken.closed = true;
          }
        })();

  it('gives results in the order of the input, whatever the order in which they are done', async () => {
    const { work, open } = puppetWork();
    const window = orderedWindow(sourceOf(3, { count: 0 }), work, OPTIONS);
    const first = window.next();
    await turns();
    open.get(2)?.resolve(2);
    open.get(1)?.resolve(1);
    open.get(0)!.resolve(0);
    expect(await first).toEqual({ done: false, value: 0 });
    const rest: number[] = [];
    const reading = (async () => {
      for await (const value of window) rest.push(value);
    })();
    await turns();
    for (const [index, { resolve }] of open) resolve(index);
    await turns();
    for (const [index, { resolve }] of open) resolve(index);
    await reading;
    expect(rest).toEqual([1, 2]);
  });

  it('takes no more than its bound ahead of its reader', async () => {
    const taken = { count: 0 };
    const window = orderedWindow(sourceOf(1_000, taken), async (number) => number, OPTIONS);
    for (let read = 0; read < 10; read++) {
      await window.next();
      await turns();
      expect(taken.count).toBeLessThanOrEqual(read + 1 + OPTIONS.pieces);
    }
    await window.return();
  });

  it('takes one piece that is larger than its bound of units, and no second', async () => {
    const taken = { count: 0 };
    const { work, open } = puppetWork();
    const window = orderedWindow(sourceOf(10, taken), work, { pieces: 8, units: 10, sizeOf: () => 50 });
    const first = window.next();
    await turns();
    expect([...open.keys()]).toEqual([0]);
    open.get(0)!.resolve(0);
    expect(await first).toMatchObject({ value: 0 });
    await window.return();
  });

  it('closes its source when the reader leaves early', async () => {
    const taken: { count: number; closed?: boolean } = { count: 0 };
    for await (const number of orderedWindow(sourceOf(1_000, taken), async (value) => value, OPTIONS)) if (number === 3) break;
    expect(taken.closed).toBe(true);
  });

  it('ends with the error of a piece, behind the results before it', async () => {
    const seen: number[] = [];
    const reading = (async () => {
      for await (const number of orderedWindow(sourceOf(100, { count: 0 }), async (value) => (value === 5 ? Promise.reject(new Error('piece 5')) : value), OPTIONS)) seen.push(number);
    })();
    await expect(reading).rejects.toThrow('piece 5');
    expect(seen).toEqual([0, 1, 2, 3, 4]);
  });

  it('is empty for an empty source', async () => {
    expect(await orderedWindow(sourceOf(0, { count: 0 }), async (value) => value, OPTIONS).next()).toEqual({ done: true, value: undefined });
  });
});

describe('a slow source', () => {
  it('does not hold up the results that are there', async () => {
    let release!: () => void;
    const later = new Promise<void>((resolve) => (release = resolve));
    async function* source(): AsyncGenerator<string> {
      yield 'first';
      await later;
      yield 'second';
    }
    const window = orderedWindow(source(), async (text) => text, OPTIONS);
    expect(await window.next()).toEqual({ done: false, value: 'first' });
    const second = window.next();
    release();
    expect(await second).toEqual({ done: false, value: 'second' });
  });

  it('whose reading fails ends the whole, once', async () => {
    async function* source(): AsyncGenerator<number> {
      yield 1;
      throw new Error('the source broke');
    }
    const window = orderedWindow(source(), async (value) => value, OPTIONS);
    expect(await window.next()).toEqual({ done: false, value: 1 });
    await expect(window.next()).rejects.toThrow('the source broke');
    expect(await window.next()).toEqual({ done: true, value: undefined });
  });
});
