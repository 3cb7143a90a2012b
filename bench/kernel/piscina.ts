/**
 * Piscina with one worker. It is a pool and not an actor: its queue stands on the calling thread, and a
 * control message is one task more behind those that wait.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { quantile } from '../statistics.ts';
import { timeCalls } from './calls.ts';
import type { Contestant } from './child.ts';
import { Pace, nowUs, residentMb } from './gauges.ts';
import { makeReading, type Reading } from './reading.ts';
import { CONTROL_EVERY_MS, OVERLOAD_HANDLER_US, RESIDENT_LIMIT_MB, WAITING_MESSAGES } from './task.ts';

export const piscina: Contestant = {
  trips: ({ count }) => inPool('echo', (pool) => timeCalls((reading) => pool.run(reading) as Promise<Reading>, count)),

  control: ({ seconds }) => inPool('attend', async (pool) => {
    const lateUs: number[] = [];
    let waiting = 0;
    let sent = 0;
    let isOver = false;
    // Each task that is done makes room for the next, so that as many always wait.
    const refill = async (): Promise<void> => {
      for (; !isOver; sent++) await pool.run(makeReading(sent));
      waiting--;
    };
    for (; waiting < WAITING_MESSAGES; waiting++) void refill();
    const urgent: Promise<void>[] = [];
    const command = async (): Promise<void> => {
      const sentAtUs = nowUs();
      lateUs.push(((await pool.run(undefined, { name: 'urgent' })) as number) - sentAtUs);
    };
    let queuedMin = Infinity;
    for (const untilUs = nowUs() + seconds * 1e6; nowUs() < untilUs; await pause(CONTROL_EVERY_MS)) {
      urgent.push(command());
      queuedMin = Math.min(queuedMin, pool.queueSize);
    }
    isOver = true;
    await Promise.all(urgent);
    while (waiting > 0) await pause(CONTROL_EVERY_MS);
    const [p50Us, p99Us, maxUs] = [0.5, 0.99, 1].map((q) => quantile(lateUs, q)) as [number, number, number];
    return { p50Us, p99Us, maxUs, sent: urgent.length, shed: urgent.length - lateUs.length, queuedMin };
  }),

  overload: ({ seconds, times }) => inPool('consume', async (pool) => {
    await pool.run(makeReading(0));
    const idleRssMb = residentMb().now;
    const pace = new Pace((times * 1e6) / OVERLOAD_HANDLER_US);
    let offered = 0;
    let handled = 0;
    let failed: unknown;
    let stoppedAfterS: number | undefined;
    for (; pace.elapsedS < seconds && stoppedAfterS === undefined; await pause(1)) {
      for (let due = pace.due(); due > 0; due--) {
        pool.run(makeReading(offered++)).then(
          () => handled++,
          (error: unknown) => (failed ??= error),
        );
      }
      if (residentMb().now > RESIDENT_LIMIT_MB) stoppedAfterS = pace.elapsedS;
    }
    if (failed !== undefined) throw failed;
    const { peak: peakRssMb } = residentMb();
    return { offered, refused: 0, handled, queued: offered - handled, idleRssMb, peakRssMb, ...(stoppedAfterS === undefined ? {} : { stoppedAfterS }) };
  }),
};

async function inPool<T>(name: string, run: (pool: Piscina) => Promise<T>): Promise<T> {
  const pool = new Piscina({ filename: fileURLToPath(new URL('./callee.ts', import.meta.url)), name, minThreads: 1, maxThreads: 1, maxQueue: Infinity });
  try {
    return await run(pool);
  } finally {
    await pool.destroy();
  }
}
