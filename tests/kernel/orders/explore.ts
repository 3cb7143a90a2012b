/**
 * `node --conditions=spillway-src tests/kernel/orders/explore.ts`: plays the scenarios of the conformance suite in
 * so many random orders, one seed after the other, each seed with the next scenario.
 *
 * Prints every violation with the command that repeats it, and exits with 1 if there was one.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Command, InvalidArgumentError } from 'commander';
import { SCENARIOS } from './catalog.ts';
import type { OrderBatch, OrderBatchResult } from './explore-worker.ts';
import { SEEDED_BUGS } from './seeded-bugs.ts';
import { playOrder, type OrderResult } from './stage.ts';

interface Options {
  readonly count: number;
  readonly seed: number;
  readonly scenario: string;
  readonly threads: number;
  readonly bugs?: boolean;
  readonly json?: boolean;
  readonly trace?: boolean;
}

/** Orders that a thread plays before it says what it has found. */
const BATCH = 100;
/** Violations that are printed; the rest is only counted. */
const SHOWN = 20;

const whole = (text: string): number => {
  const number = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidArgumentError('Expected a whole number.');
  return number;
};

const options = new Command('orders')
  .description('Plays the scenarios of the actor API in random orders and checks what the kernel promises.')
  .option('--count <orders>', 'orders to play, over all scenarios', whole, 10_000)
  .option('--seed <number>', 'of the first order; the others count up', whole, 1)
  .option('--scenario <text>', 'only scenarios with this in their names', '')
  .option('--threads <count>', 'threads to use', whole, availableParallelism())
  .option('--bugs', 'instead, checks that each seeded bug is found')
  .option('--trace', 'instead, tells the one order of --seed and --scenario step by step')
  .option('--json', 'prints the result as JSON')
  .parse()
  .opts<Options>();

const scenarios = SCENARIOS.filter(({ name }) => name.includes(options.scenario));
if (scenarios.length === 0) throw new RangeError(`No scenario has '${options.scenario}' in its name; there are ${SCENARIOS.map(({ name }) => name).join(', ')}.`);

if (options.trace === true) await tell();
else if (options.bugs === true) await findBugs();
else await explore();

async function tell(): Promise<void> {
  const { trace, violations, hash } = await playOrder(scenarios[0]!, options.seed, true);
  console.log(trace.join('\n'));
  console.log(`\n${hash}\n${violations.length === 0 ? 'Nothing is violated.' : violations.join('\n')}`);
  if (violations.length > 0) process.exitCode = 1;
}

async function findBugs(): Promise<void> {
  let missed = 0;
  for (const { name, scenario, find } of SEEDED_BUGS) {
    const found = await find();
    if (found === undefined) missed++;
    console.log(`${found === undefined ? 'MISSED' : 'found '}  ${name} (${scenario}${found === undefined ? '' : `, seed ${found.seed}: ${found.violations[0]}`})`);
  }
  console.log(`${SEEDED_BUGS.length - missed} of ${SEEDED_BUGS.length} found.`);
  if (missed > 0) process.exitCode = 1;
}

async function explore(): Promise<void> {
  const started = performance.now();
  const batches: OrderBatch[] = [];
  for (let done = 0; done < options.count; done += BATCH) {
    batches.push({ scenario: options.scenario, firstSeed: options.seed + done, count: Math.min(BATCH, options.count - done) });
  }
  const results = await playAll(batches);
  const failed = results.flatMap((result) => result.failed);
  const steps = results.reduce((sum, result) => sum + result.steps, 0);
  const seconds = (performance.now() - started) / 1_000;
  if (options.json === true) {
    console.log(JSON.stringify({ orders: options.count, scenarios: scenarios.length, steps, violations: failed.length, seed: options.seed, elapsedSeconds: seconds, failed }));
  } else {
    for (const each of failed.slice(0, SHOWN)) print(each);
    console.log(`${options.count.toLocaleString('en')} orders of ${scenarios.length} scenarios, seeds from ${options.seed} on: ${steps.toLocaleString('en')} steps in ${seconds.toFixed(0)} s; ${failed.length} with violations.`);
  }
  if (failed.length > 0) process.exitCode = 1;
}

function print({ scenario, seed, violations }: OrderResult): void {
  console.log(`${scenario}, seed ${seed}:`);
  for (const violation of violations) console.log(`  ${violation}`);
  console.log(`  Again: npm run orders -- --count 1 --scenario ${scenario} --seed ${seed}   (or --trace in place of --count 1)\n`);
}

/** Plays batches on threads, and returns their results in the order of the batches. */
async function playAll(batches: readonly OrderBatch[]): Promise<OrderBatchResult[]> {
  const results: OrderBatchResult[] = [];
  let next = 0;
  const threads = Array.from({ length: Math.min(options.threads, batches.length) }, async () => {
    const worker = new Worker(new URL('./explore-worker.ts', import.meta.url));
    const failed = new Promise<never>((_, reject) => worker.on('error', reject));
    failed.catch(() => {});
    while (next < batches.length) {
      const index = next++;
      worker.postMessage(batches[index]);
      const result = new Promise<OrderBatchResult>((resolve) => worker.once('message', resolve));
      results[index] = await Promise.race([result, failed]);
    }
    await worker.terminate();
  });
  await Promise.all(threads);
  return results;
}
