/**
 * The served side of administrative calls: a thread answers them on a port of its own through comlink, beside
 * its lanes, because they are rare, large and may be slow.
 *
 * The port does not keep its thread alive. comlink and the inspector are loaded with the first call, because
 * most threads never get one. A thread that is parked or whose handler does not return cannot answer; the
 * caller's deadline is for that.
 */
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import type { Profiler } from 'node:inspector';
import { createRequire } from 'node:module';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { getHeapStatistics, writeHeapSnapshot } from 'node:v8';
import type { MessagePort } from 'node:worker_threads';
import {
  requireAbsolutePath,
  requireDuration,
  type AdminAnswer,
  type AdminFailureCode,
  type EventLoopDelay,
  type MeasureOptions,
  type SnapshotFile,
  type SnapshotOptions,
  type ThreadAdmin,
  type ThreadMemory,
} from './admin-protocol.ts';

/** Between two samples of a profile. V8's own default, said here because the bound of the duration rests on it. */
const SAMPLING_MICROSECONDS = 1_000;
/** Between two looks at the event loop. */
const RESOLUTION_MS = 1;
/** Measurements of one thread at once; each costs it time, and a profile memory too. */
const MEASUREMENTS_MAX = 4;

/** Answers administrative calls on this port until it is closed by either side. */
export function serveAdmin(port: MessagePort): void {
  const admin = threadAdmin();
  let deliver: ((event: { data: unknown }) => void) | undefined;
  const endpoint = {
    postMessage: (message: unknown) => port.postMessage(message),
    addEventListener: (_type: string, listener: unknown) => {
      deliver = listener as typeof deliver;
    },
    // comlink calls this when the caller has released its proxy.
    removeEventListener: () => port.close(),
  };
  port.on('message', (data: unknown) => {
    if (deliver === undefined) {
      const { expose } = createRequire(import.meta.url)('comlink') as typeof import('comlink');
      expose(admin, endpoint);
    }
    deliver?.({ data });
  });
  port.unref();
}

function threadAdmin(): ThreadAdmin {
  let measurements = 0;
  const measured = async <Options, Result>(options: Options, measure: (options: Options) => Promise<Result>): Promise<AdminAnswer<Result>> => {
    if (measurements >= MEASUREMENTS_MAX) return failed('admin_busy', `${measurements} measurements of the thread are under way; wait for them.`);
    measurements++;
    try {
      return await answered(() => measure(options));
    } finally {
      measurements--;
    }
  };
  return {
    cpuProfile: (options) => measured(options, cpuProfile),
    eventLoopDelay: (options) => measured(options, eventLoopDelay),
    heapSnapshot: (options) => answered(() => heapSnapshot(options)),
    memory: () => answered(memory),
  };
}

async function cpuProfile(options: MeasureOptions): Promise<Profiler.Profile> {
  const durationMs = requireDuration(options);
  const { Session } = await import('node:inspector/promises');
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLING_MICROSECONDS });
    await session.post('Profiler.start');
    await pause(durationMs);
    return (await session.post('Profiler.stop')).profile;
  } finally {
    session.disconnect();
  }
}

/**
 * Writes the file while the thread stands still. It is made before the snapshot is, and only if it is not
 * there: V8 alone would overwrite what it is pointed at. Others may not read it, as a heap holds all secrets.
 */
function heapSnapshot(options: SnapshotOptions): SnapshotFile {
  const path = requireAbsolutePath(options);
  closeSync(openSync(path, 'wx', 0o600));
  try {
    writeHeapSnapshot(path);
    return { path, sizeBytes: statSync(path).size };
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

async function eventLoopDelay(options: MeasureOptions): Promise<EventLoopDelay> {
  const durationMs = requireDuration(options);
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  // A delay is the time since the look before, so the first look must be over when the measurement begins: a
  // thread that then stalls for all of it would else show no delay at all.
  await pause(2 * RESOLUTION_MS);
  await pause(durationMs);
  histogram.disable();
  const samples = histogram.count;
  if (samples === 0) return { min: 0, mean: 0, p50: 0, p99: 0, max: 0, samples };
  // The histogram holds the time from one look to the next, of which the resolution was intended.
  const lateMs = (nanoseconds: number): number => Math.max(0, nanoseconds / 1_000_000 - RESOLUTION_MS);
  return {
    min: lateMs(histogram.min),
    mean: lateMs(histogram.mean),
    p50: lateMs(histogram.percentile(50)),
    p99: lateMs(histogram.percentile(99)),
    max: lateMs(histogram.max),
    samples,
  };
}

function memory(): ThreadMemory {
  return { usage: process.memoryUsage(), heap: getHeapStatistics() };
}

async function answered<Result>(call: () => Result | Promise<Result>): Promise<AdminAnswer<Result>> {
  try {
    return { ok: true, value: await call() };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return failed('admin_file_exists', `A snapshot overwrites nothing; name a file that does not exist: ${message}`);
    return failed('admin_failed', message);
  }
}

function failed(code: AdminFailureCode, message: string): AdminAnswer<never> {
  return { ok: false, code, message };
}
