/**
 * Random faults in trees of about 500 actors, against a model of OTP's rules.
 *
 *   npm run tree -- [--seeds 100] [--faults 10000] [--seed S] [--jobs 2]   from seed S on, or from 0
 *   npm run tree -- --bugs                                                 bugs put into the engine: each must be found
 *
 * A divergence is printed with its seed, its number and the shortest sequence of faults that was found to
 * lead to it, and the process ends with 1.
 */
import { parseArgs } from 'node:util';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';
import { runSeed, shrink, type Verdict } from './campaign.ts';
import { SEEDED_BUGS } from './seeded-bugs.ts';

type Counts = Pick<Verdict, 'seed' | 'faults' | 'starts' | 'escalations' | 'trees' | 'actors'> & { readonly text: string };

/** Seeds, and faults of each, in which a seeded bug is looked for. */
const BUG_SEEDS = 8;
const BUG_FAULTS = 2_000;

if (isMainThread) await main();
else await work(workerData as { readonly seeds: number[]; readonly faults: number });

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      faults: { type: 'string', default: '10000' },
      seed: { type: 'string' },
      jobs: { type: 'string', default: '2' },
      bugs: { type: 'boolean', default: false },
    },
  });
  if (values.bugs) {
    await findBugs();
    return;
  }
  const first = Number(values.seed ?? 0);
  const count = Number(values.seeds ?? (values.seed === undefined ? 100 : 1));
  const faults = Number(values.faults);
  const jobs = Math.min(Number(values.jobs), count);
  const beganMs = performance.now();
  const all = (await Promise.all(Array.from({ length: jobs }, (_, job) => share(Array.from({ length: count }, (__, index) => first + index).filter((seed) => seed % jobs === job), faults)))).flat();
  const sum = (key: 'faults' | 'starts' | 'escalations' | 'trees'): string => all.reduce((total, counts) => total + counts[key], 0).toLocaleString('en');
  const diverged = all.filter(({ text }) => text !== '');
  console.log(`${all.length} seeds, trees of ${all[0]?.actors} actors: ${sum('faults')} faults, ${sum('starts')} starts of children, ${sum('escalations')} supervisors that ended by themselves, ${sum('trees')} trees; ${diverged.length} divergences, ${Math.round((performance.now() - beganMs) / 1_000)} s`);
  for (const { text } of diverged) console.log(text);
  if (diverged.length > 0) process.exitCode = 1;
}

/** Runs some of the seeds on a thread of their own. */
function share(seeds: number[], faults: number): Promise<Counts[]> {
  return new Promise((resolve, reject) => {
    const all: Counts[] = [];
    const worker = new Worker(new URL(import.meta.url), { workerData: { seeds, faults } });
    worker.on('message', (counts: Counts) => all.push(counts));
    worker.once('error', reject);
    worker.once('exit', () => resolve(all));
  });
}

async function work({ seeds, faults }: { readonly seeds: number[]; readonly faults: number }): Promise<void> {
  for (const seed of seeds) {
    const { history, shape, divergences, ...counts } = await runSeed(seed, faults);
    let text = '';
    if (divergences.length > 0) {
      const short = await shrink(shape, history);
      text = `seed ${seed}, fault ${history.length}: ${divergences[0]}\n${divergences.at(-1)!.slice(0, 2_000)}\n  shrunk to ${short.length}: ${JSON.stringify(short)}`;
    }
    parentPort!.postMessage({ ...counts, text } satisfies Counts);
  }
}

async function findBugs(): Promise<void> {
  let missed = 0;
  for (const bug of SEEDED_BUGS) {
    let text = 'NOT FOUND';
    for (let seed = 0; seed < BUG_SEEDS && text === 'NOT FOUND'; seed++) {
      const { divergences, faults } = await runSeed(seed, BUG_FAULTS, undefined, bug);
      if (divergences.length > 0) text = `found at seed ${seed}, fault ${faults}: ${divergences[0]!.slice(0, 120)}`;
    }
    if (text === 'NOT FOUND') missed++;
    console.log(`${bug.name}: ${text}`);
  }
  console.log(`${SEEDED_BUGS.length - missed} of ${SEEDED_BUGS.length} seeded bugs were found`);
  if (missed > 0) process.exitCode = 1;
}
