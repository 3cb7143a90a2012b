import { EventEmitter } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
import { beforeEach, expect, test } from 'vitest';
import { COLD_FILL_DELAY_MS, END_MS, FILL_DELAY_MS, RETRY_MAX_MS, RETRY_MIN_MS, Standbys, type StandbyWorker } from '../../../kernel/standby.ts';
import type { StandbyNews, StandbyOrder } from '../../../kernel/standby-thread.ts';
import type { ThreadBoot } from '../../../kernel/thread-boot.ts';
import type { ThreadSpec } from '../../../kernel/thread-spec.ts';

class FakeWorker extends EventEmitter implements StandbyWorker {
  readonly orders: string[] = [];
  terminated = 0;

  postMessage({ order }: StandbyOrder): void {
    this.orders.push(order);
  }

  terminate(): Promise<void> {
    this.terminated++;
    this.end(1);
    return Promise.resolve();
  }

  say(news: StandbyNews): void {
    this.emit('message', news);
  }

  end(exitCode: number): void {
    this.emit('exit', exitCode);
  }
}

interface Due {
  readonly atMs: number;
  readonly run: () => void;
}

let nowMs = 0;
let due: Due[] = [];
let cold = 0;
let made: FakeWorker[] = [];
let logged: string[] = [];
let standbys: Standbys;

beforeEach(() => {
  [nowMs, due, cold, made, logged] = [0, [], 0, [], []];
  const note = (message: string): void => void logged.push(message);
  standbys = new Standbys({
    newWorker() {
      cold++;
      return new FakeWorker();
    },
    newStandby() {
      made.push(new FakeWorker());
      return made.at(-1)!;
    },
    after(delayMs, run) {
      const entry: Due = { atMs: nowMs + delayMs, run };
      due.push(entry);
      return { cancel: () => void (due = due.filter((other) => other !== entry)) };
    },
    log: () => ({ debug: note, info: note, warn: note, error: note }),
  });
});

function pass(ms: number): void {
  nowMs += ms;
  const [now, later] = [due.filter(({ atMs }) => atMs <= nowMs), due.filter(({ atMs }) => atMs > nowMs)];
  due = later;
  for (const { run } of now) run();
}

const source = { module: 'file:///none.js', export: 'none' };

function specOf(standby: number, more: Partial<ThreadSpec> = {}): ThreadSpec {
  return { name: 'actor', source, standby, ...more };
}

function begin(spec: ThreadSpec): unknown {
  const { port1, port2 } = new MessageChannel();
  port1.close();
  return standbys.newWorker({ port: port2 } as ThreadBoot, spec);
}

/** A spec whose threads stand by. */
function ready(count: number, more: Partial<ThreadSpec> = {}): ThreadSpec {
  const spec = specOf(count, more);
  begin(spec);
  pass(COLD_FILL_DELAY_MS);
  for (const worker of made) worker.say({ news: 'ready' });
  return spec;
}

const failed: StandbyNews = { news: 'failed', message: 'no', stack: '' };

test('a spec without standby gets new threads only', () => {
  begin(specOf(0));
  begin(specOf(0));
  pass(COLD_FILL_DELAY_MS);
  expect([cold, made.length]).toEqual([2, 0]);
});

test('the first life begins cold, and as many as the spec wants are made a moment later', () => {
  const spec = specOf(2);
  begin(spec);
  expect([cold, made.length]).toEqual([1, 0]);
  pass(COLD_FILL_DELAY_MS);
  expect(made).toHaveLength(2);
});

test('the next life takes one that is ready before one that prepares', () => {
  const spec = specOf(2);
  begin(spec);
  pass(COLD_FILL_DELAY_MS);
  expect(standbys.isReady(spec)).toBe(false);
  made[1]!.say({ news: 'ready' });
  expect(standbys.isReady(spec)).toBe(true);
  expect(begin(spec)).toBe(made[1]);
  expect(standbys.isReady(spec)).toBe(false);
  expect(begin(spec)).toBe(made[0]);
  expect([cold, made[0]!.orders, made[1]!.orders]).toEqual([1, ['begin'], ['begin']]);
});

test('one that was taken is replaced, and its end is no concern of theirs', () => {
  const spec = ready(1);
  const taken = begin(spec) as FakeWorker;
  taken.end(1);
  pass(FILL_DELAY_MS);
  expect([made.length, logged]).toEqual([2, []]);
});

test('the delay after a failure doubles up to a bound, and begins anew once a life has taken one', () => {
  const spec = specOf(1);
  begin(spec);
  pass(COLD_FILL_DELAY_MS);
  for (let failures = 0; failures < 10; failures++) {
    made.at(-1)!.say(failed);
    const delayMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** failures);
    pass(delayMs - 1);
    expect(made).toHaveLength(failures + 1);
    pass(1);
    expect(made).toHaveLength(failures + 2);
  }
  expect(logged).toHaveLength(10);
  begin(spec);
  pass(FILL_DELAY_MS);
  made.at(-1)!.end(1);
  pass(RETRY_MIN_MS);
  expect(made).toHaveLength(13);
});

test('one that fails is asked to end and is not given to a life', () => {
  const spec = specOf(1);
  begin(spec);
  pass(COLD_FILL_DELAY_MS);
  made[0]!.say(failed);
  begin(spec);
  expect([cold, made[0]!.orders]).toEqual([2, ['end']]);
});

test('those of a place that is given up are asked to end, and terminated if they do not', () => {
  const spec = ready(2);
  standbys.remove(spec);
  expect(made.map(({ orders }) => orders)).toEqual([['end'], ['end']]);
  made[0]!.end(0);
  pass(END_MS);
  expect(made.map(({ terminated }) => terminated)).toEqual([0, 1]);
  pass(RETRY_MAX_MS);
  expect([made.length, due]).toEqual([2, []]);
});

test('one with native calls is never terminated', () => {
  standbys.remove(ready(1, { native: true }));
  pass(END_MS * 10);
  expect([made[0]!.orders, made[0]!.terminated]).toEqual([['end'], 0]);
});

test('closing waits until all have ended, and nothing is made afterwards', async () => {
  const spec = ready(1, { native: true });
  let isClosed = false;
  const closing = standbys.close().then(() => (isClosed = true));
  await Promise.resolve();
  expect(isClosed).toBe(false);
  made[0]!.end(0);
  await closing;
  begin(spec);
  pass(COLD_FILL_DELAY_MS);
  expect(made).toHaveLength(1);
});
