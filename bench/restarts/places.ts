/** Our own ways: the same victim in each place that an actor can have. */
import { availableParallelism } from 'node:os';
import { Application } from '../../kernel/index.ts';
import type { Report, Way } from './task.ts';
import { benchProtocol, type WitnessTask } from './witness.ts';

/** So long after its last restart the machine is at rest. */
const PAUSE_MS = 50;
const SPARE_MS = 60_000;

const PLACES: Partial<Record<Way, Omit<WitnessTask, 'rounds'>>> = {
  'light actor': { module: moduleOf('nursery'), export: 'nursery', pauseMs: PAUSE_MS, thread: {} },
  'thread, standby': { module: moduleOf('victim'), export: 'victim', pauseMs: PAUSE_MS, thread: { standby: 1 } },
  thread: { module: moduleOf('victim'), export: 'victim', pauseMs: PAUSE_MS, thread: {} },
  'thread, nothing compiled': { module: moduleOf('victim'), export: 'victim', pauseMs: PAUSE_MS, thread: {} },
  process: { module: moduleOf('victim'), export: 'victim', pauseMs: PAUSE_MS, thread: { process: {} } },
};

export async function measurePlace(way: Way, rounds: number): Promise<Report> {
  const place = PLACES[way];
  if (place === undefined) throw new TypeError(`${way} is no place of an actor.`);
  const application = new Application({ root: { module: moduleOf('witness'), export: 'witness', args: undefined }, maxThreads: 4, logLevel: 'error' });
  await application.started();
  const task: WitnessTask = { ...place, rounds };
  const report = (await application.root(benchProtocol).ask('measure', task, { deadlineMs: SPARE_MS * availableParallelism() + rounds * 1_000 })) as Report;
  await application.close(SPARE_MS);
  return report;
}

function moduleOf(name: string): string {
  return new URL(`./${name}.ts`, import.meta.url).href;
}
