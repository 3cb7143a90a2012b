/** A pool of one worker, whose queue stands on the calling thread; the worker is given one task at a time. */
import { setTimeout as pause } from 'node:timers/promises';
import { Piscina } from 'piscina';
import { nowMs, type MortalTask } from './mortal-task.ts';
import { WAITING, type Report, type Restart } from './task.ts';

/** After which a promise that is still open stays open. */
const SETTLE_MS = 300;

export async function measurePiscina(rounds: number): Promise<Report> {
  const stamps = new Float64Array(new SharedArrayBuffer(8));
  const pool = new Piscina({ filename: new URL('./mortal-task.ts', import.meta.url).href, name: 'mortalTask', minThreads: 1, maxThreads: 1, concurrentTasksPerWorker: 1 });
  await pool.run({} satisfies MortalTask);
  const restarts: Restart[] = [];
  let open = 0;
  let lost = 0;
  const run = async (task: MortalTask): Promise<number | undefined> => {
    open++;
    try {
      return (await pool.run(task)) as number;
    } catch {
      if (task.stamps === undefined) lost++;
      return undefined;
    } finally {
      open--;
    }
  };
  for (let round = 0; round < rounds; round++) {
    const detected = run({ stamps }).then(() => nowMs());
    const answers = Array.from({ length: WAITING }, () => run({}));
    const detectedMs = await detected;
    // One that is lost as well says nothing of when the next is taken.
    const readyMs = (await Promise.all(answers)).find((atMs) => atMs !== undefined) ?? (await run({}))!;
    restarts.push({ faultMs: stamps[0]!, detectedMs, readyMs });
  }
  await pause(SETTLE_MS);
  const hanging = open;
  await pool.destroy();
  return { restarts, waiting: WAITING * rounds, lost, hanging };
}
