import { SharedWords } from 'atomics-ring-buffer';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { MessageChannel, Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { adminOf, type AdminClient, type AdminOptions } from '../../../kernel/admin/admin-client.ts';
import { SpillwayError } from '../../../kernel/errors.ts';
import { until } from '../condition.ts';
import { BURN_MS, GATE_WORDS, type AdminWorkerCommand, type AdminWorkerData } from './admin-worker.ts';

const LONG_MS = 20_000;

interface Subject {
  readonly worker: Worker;
  readonly admin: AdminClient;
  readonly words: SharedWords<(typeof GATE_WORDS)[number]>;
  tell(command: AdminWorkerCommand): void;
}

const workers: Worker[] = [];
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-admin-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

function start(options: Partial<AdminOptions> & { idle?: boolean } = {}): Subject {
  const { idle, ...adminOptions } = options;
  const { port1, port2 } = new MessageChannel();
  const gate = new SharedArrayBuffer(SharedWords.bytes(GATE_WORDS));
  const data: AdminWorkerData = { port: port2, gate, ...(idle !== undefined && { idle }) };
  const worker = new Worker(new URL('./admin-worker.ts', import.meta.url), { workerData: data, transferList: [port2] });
  // What a test makes it die of is seen by its exit.
  worker.on('error', () => undefined);
  workers.push(worker);
  return {
    worker,
    admin: adminOf(port1, { deadlineMs: LONG_MS, ...adminOptions }),
    words: new SharedWords(gate, 0, GATE_WORDS),
    tell: (command) => worker.postMessage(command),
  };
}

/** The code that a call ends with. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  const ended = await call.then(() => 'answered', (error: unknown) => error);
  expect(ended).toBeInstanceOf(SpillwayError);
  return (ended as SpillwayError).code;
}

async function block(subject: Subject): Promise<void> {
  subject.tell('block');
  await until(() => subject.words.load('blocked') === 1, 'the thread hangs');
}

describe('a thread', () => {
  test('profiles its processor for as long as it is asked to', async () => {
    const { admin, tell } = start();
    tell('burn');
    const profile = await admin.cpuProfile({ durationMs: 200 });
    expect(profile.nodes.map(({ callFrame }) => callFrame.functionName)).toContain('burnForProfile');
    expect(profile.endTime - profile.startTime).toBeGreaterThan(0);
    expect(profile.samples!.length).toBeGreaterThan(0);
  });

  test('measures by how much its event loop is late', async () => {
    const { admin, tell } = start();
    tell('burn');
    const { min, mean, p50, p99, max, samples } = await admin.eventLoopDelay({ durationMs: 300 });
    expect(samples).toBeGreaterThan(0);
    expect(max).toBeGreaterThan(BURN_MS / 2);
    expect([min, p50, p99, max]).toEqual([min, p50, p99, max].sort((a, b) => a - b));
    expect(mean).toBeGreaterThanOrEqual(min);
    expect(mean).toBeLessThanOrEqual(max);
  });

  test('tells the memory of its own heap', async () => {
    const { admin } = start();
    const { usage, heap } = await admin.memory();
    expect(usage.heapUsed).toBeGreaterThan(0);
    expect(heap.used_heap_size).toBeLessThan(heap.heap_size_limit);
    // A thread that has done nothing has less than the one that runs all the tests.
    expect(usage.heapUsed).toBeLessThan(process.memoryUsage().heapUsed);
  });

  test('writes a heap snapshot that only its user may read', async () => {
    const { admin } = start();
    const path = join(folder, 'first.heapsnapshot');
    const file = await admin.heapSnapshot({ path });
    expect(file).toEqual({ path, sizeBytes: statSync(path).size });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect((JSON.parse(readFileSync(path, 'utf8')) as { snapshot: { node_count: number } }).snapshot.node_count).toBeGreaterThan(0);
  });

  test('overwrites no file, nor the one that a link leads to', async () => {
    const { admin } = start();
    const path = join(folder, 'kept.txt');
    const link = join(folder, 'link.heapsnapshot');
    writeFileSync(path, 'kept');
    symlinkSync(path, link);
    expect(await codeOf(admin.heapSnapshot({ path }))).toBe('admin_file_exists');
    expect(await codeOf(admin.heapSnapshot({ path: link }))).toBe('admin_file_exists');
    expect(readFileSync(path, 'utf8')).toBe('kept');
  });

  test('says why it cannot write a snapshot', async () => {
    const failure = start().admin.heapSnapshot({ path: join(folder, 'absent', 'a.heapsnapshot') });
    await expect(failure).rejects.toMatchObject({ code: 'admin_failed', message: expect.stringContaining('ENOENT') });
  });

  test('takes at most four measurements at once, and more when they are over', async () => {
    const { admin } = start();
    const calls = Array.from({ length: 5 }, () => admin.eventLoopDelay({ durationMs: 100 }));
    const ends = await Promise.all(calls.map((call) => call.then(() => 'answered', (error: SpillwayError) => error.code)));
    expect(ends).toEqual(['answered', 'answered', 'answered', 'answered', 'admin_busy']);
    expect((await admin.eventLoopDelay({ durationMs: 10 })).samples).toBeGreaterThan(0);
  });

  test('loads comlink with the first call', async () => {
    const { admin, worker, tell } = start();
    const isLoaded = async (): Promise<unknown> => {
      tell('isComlinkLoaded');
      return (await once(worker, 'message'))[0];
    };
    expect(await isLoaded()).toBe(false);
    await admin.memory();
    expect(await isLoaded()).toBe(true);
  });

  test('is not kept alive by its port', async () => {
    const { admin, worker } = start({ idle: true });
    await once(worker, 'exit');
    expect(await codeOf(admin.memory())).toBe('thread_ended');
  });
});

describe('a call', () => {
  test('without a deadline, a bounded duration or an absolute path is a TypeError', () => {
    const { port1 } = new MessageChannel();
    for (const deadlineMs of [undefined, 0, -1, NaN, Infinity, 2 ** 31]) expect(() => adminOf(port1, { deadlineMs } as never)).toThrow(TypeError);
    const admin = adminOf(port1, { deadlineMs: 1 });
    for (const durationMs of [undefined, 0, -1, 1.5, NaN, Infinity, 60_001]) {
      expect(() => admin.cpuProfile({ durationMs } as never)).toThrow(TypeError);
      expect(() => admin.eventLoopDelay({ durationMs } as never)).toThrow(TypeError);
    }
    for (const path of [undefined, '', 'a.heapsnapshot', '../a']) expect(() => admin.heapSnapshot({ path } as never)).toThrow(TypeError);
    admin.close();
  });

  test('to a thread that hangs ends with its deadline, and the thread answers again when it goes on', async () => {
    const deadlines: (() => void)[] = [];
    const after = (_: number, run: () => void): { cancel(): void } => {
      deadlines.push(run);
      return { cancel: () => undefined };
    };
    const subject = start({ after });
    await block(subject);
    const call = subject.admin.memory();
    deadlines[0]!();
    expect(await codeOf(call)).toBe('admin_deadline');
    subject.words.store('open', 1);
    expect((await subject.admin.memory()).usage.heapUsed).toBeGreaterThan(0);
  });

  test('has its deadline by real timers as well, beyond the duration it asks for', async () => {
    const subject = start({ deadlineMs: 5 });
    await block(subject);
    await expect(subject.admin.cpuProfile({ durationMs: 20 })).rejects.toMatchObject({ code: 'admin_deadline', message: expect.stringContaining('25 ms') });
    subject.words.store('open', 1);
  });

  test('is refused while a thread that hangs owes eight answers, also to calls whose deadline has passed', async () => {
    const subject = start({ deadlineMs: 5 });
    await block(subject);
    const calls = Array.from({ length: 8 }, () => codeOf(subject.admin.memory()));
    expect(await codeOf(subject.admin.memory())).toBe('admin_busy');
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['admin_deadline']));
    expect(await codeOf(subject.admin.memory())).toBe('admin_busy');
    subject.words.store('open', 1);
    await until(async () => (await subject.admin.memory().catch(() => undefined)) !== undefined, 'the thread is asked again');
  });

  test.each<[string, (subject: Subject) => unknown]>([
    ['is terminated', ({ worker }) => worker.terminate()],
    ['exits', ({ tell }) => tell('exit')],
    ['dies of an exception', ({ tell }) => tell('throw')],
  ])('to a thread that %s meanwhile ends, and so does every later one', async (_, end) => {
    const subject = start();
    await subject.admin.memory();
    const pending = [subject.admin.cpuProfile({ durationMs: 60_000 }), subject.admin.eventLoopDelay({ durationMs: 60_000 })].map(codeOf);
    end(subject);
    expect(await Promise.all(pending)).toEqual(['thread_ended', 'thread_ended']);
    expect(await codeOf(subject.admin.memory())).toBe('thread_ended');
    subject.admin.close();
  });

  test('is answered although nobody holds its client', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const call = start().admin.eventLoopDelay({ durationMs: 300 });
    const collecting = setInterval(collect, 10);
    try {
      expect((await call).samples).toBeGreaterThan(0);
    } finally {
      clearInterval(collecting);
    }
  });
});

describe('close', () => {
  test('ends the calls, refuses later ones and closes the port of the thread', async () => {
    const { admin, worker } = start();
    await admin.memory();
    const closed = once(worker, 'message');
    const pending = codeOf(admin.cpuProfile({ durationMs: 60_000 }));
    admin.close();
    admin.close();
    expect(await pending).toBe('admin_closed');
    expect(await codeOf(admin.memory())).toBe('admin_closed');
    expect(await closed).toEqual(['closed']);
  });
});
