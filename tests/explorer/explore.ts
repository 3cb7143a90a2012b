/**
 * `node --conditions=spillway-src tests/explorer/explore.ts`: the whole exploration, for the nightly run.
 *
 * Every scenario is walked in all ways, within the bound that it states, and after that all of them at
 * random, schedule by schedule. Exits with 1 when something was found, or could not be walked to its end.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { Command, InvalidArgumentError } from 'commander';
import { SCENARIOS, scenarioNamed } from './catalog.ts';
import { type Exploration, explore } from './explorer.ts';
import type { Violation } from './judge.ts';
import { type Patch, loadRings } from './ring-source.ts';
import { formatSchedule, narrate, parseSchedule } from './schedule.ts';
import { SEEDED_BUGS } from './seeded-bugs.ts';
import type { Task, TaskResult } from './tasks.ts';
import { World } from './world.ts';

interface Options {
  readonly schedules: number;
  readonly scenario: string;
  readonly seed: number;
  readonly threads: number;
  readonly states: number;
  readonly bugs?: boolean;
  readonly json?: boolean;
  readonly replay?: string;
}

/** Schedules of one task of random walks: some seconds. */
const SCHEDULES_PER_TASK = 100_000;

const whole = (text: string): number => {
  const number = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(number) || number < 0) throw new InvalidArgumentError('Expected a whole number.');
  return number;
};

const options = new Command('explore')
  .description('Runs the shipped ring code under every interleaving, with threads that die at every operation.')
  .option('--scenario <text>', 'only scenarios with this in their names', '')
  .option('--schedules <count>', 'schedules to walk at random, over all scenarios', whole, 10_000_000)
  .option('--seed <number>', 'of the random walks', whole, 1)
  .option('--threads <count>', 'threads to use', whole, availableParallelism())
  .option('--states <count>', 'gives a scenario up beyond so many states', whole, 40_000_000)
  .option('--bugs', 'instead, checks that each seeded bug is found')
  .option('--replay <schedule>', 'instead, tells a schedule of the one scenario that --scenario names in full')
  .option('--json', 'prints the results as JSON')
  .parse()
  .opts<Options>();

if (options.replay !== undefined) await replay(options.scenario, options.replay);
else if (options.bugs === true) await findBugs();
else await exploreAll();

async function replay(name: string, schedule: string): Promise<void> {
  const world = new World(scenarioNamed(name), await loadRings());
  console.log(narrate(world, parseSchedule(schedule)).join('\n'));
}

async function exploreAll(): Promise<void> {
  const scenarios = SCENARIOS.filter(({ name }) => name.includes(options.scenario));
  if (scenarios.length === 0) throw new RangeError(`No scenario has '${options.scenario}' in its name.`);
  const tasks: Task[] = scenarios.map(({ name }) => ({ kind: 'explore', scenario: name, statesMax: options.states, patches: [] }));
  let seed = options.seed;
  for (let left = options.schedules; left > 0; seed++) {
    const schedules = Math.min(left, SCHEDULES_PER_TASK, Math.ceil(options.schedules / scenarios.length));
    tasks.push({ kind: 'walk', scenario: scenarios[seed % scenarios.length]!.name, schedules, seed });
    left -= schedules;
  }
  const started = performance.now();
  const results = await runAll(tasks);
  const explorations = results.flatMap((result) => (result.kind === 'explore' ? [result.exploration] : []));
  const walks = results.flatMap((result) => (result.kind === 'walk' ? [result.walks] : []));
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const walked = { schedules: sum(walks.map(({ schedules }) => schedules)), steps: sum(walks.map(({ steps }) => steps)), deaths: sum(walks.map(({ deaths }) => deaths)) };
  const found = [...explorations, ...walks].flatMap(({ scenario, violation }) => (violation === undefined ? [] : [{ scenario, violation }]));
  const elapsedSeconds = (performance.now() - started) / 1000;
  if (options.json === true) console.log(JSON.stringify({ elapsedSeconds, explorations, walked, seed: options.seed }));
  else {
    printTable(explorations);
    console.log(`\nAt random, seeds from ${options.seed} on: ${count(walked.schedules)} schedules, ${count(walked.steps)} steps, ${count(walked.deaths)} deaths.`);
    console.log(`${Math.round(elapsedSeconds)} seconds on ${options.threads} threads; ${found.length} violations.`);
    for (const { scenario, violation } of found) await printViolation(scenario, violation, []);
  }
  if (found.length > 0 || explorations.some(({ isExhausted }) => !isExhausted)) process.exitCode = 1;
}

async function findBugs(): Promise<void> {
  const tasks = SEEDED_BUGS.map(({ scenario, patches }): Task => ({ kind: 'explore', scenario, patches, statesMax: options.states }));
  const results = await runAll(tasks);
  const bugs = SEEDED_BUGS.map(({ name, scenario }, index) => {
    const { exploration } = results[index] as Extract<TaskResult, { kind: 'explore' }>;
    return { name, scenario, foundBy: exploration.violation?.rule, states: exploration.states };
  });
  if (options.json === true) console.log(JSON.stringify(bugs));
  else for (const { name, scenario, foundBy } of bugs) console.log(`${foundBy === undefined ? 'MISSED' : 'found '}  ${name} (${scenario}${foundBy === undefined ? '' : `: ${foundBy}`})`);
  const missed = bugs.filter(({ foundBy }) => foundBy === undefined).length;
  if (options.json !== true) console.log(`${bugs.length - missed} of ${bugs.length} found.`);
  if (missed > 0) process.exitCode = 1;
}

/** Runs tasks on threads, and returns their results in the order of the tasks. */
async function runAll(tasks: readonly Task[]): Promise<TaskResult[]> {
  const results: TaskResult[] = [];
  let next = 0;
  let done = 0;
  const threads = Array.from({ length: Math.min(options.threads, tasks.length) }, async () => {
    const worker = new Worker(new URL('./explore-worker.ts', import.meta.url), { resourceLimits: { maxOldGenerationSizeMb: 4096 } });
    const failed = new Promise<never>((_, reject) => worker.on('error', reject));
    while (next < tasks.length) {
      const index = next++;
      worker.postMessage(tasks[index]);
      const result = new Promise<TaskResult>((resolve) => worker.once('message', resolve));
      results[index] = await Promise.race([result, failed]);
      showProgress(++done, tasks.length, tasks[index]!);
    }
    await worker.terminate();
  });
  await Promise.all(threads);
  return results;
}

function showProgress(done: number, of: number, { kind, scenario }: Task): void {
  if (!process.stderr.isTTY) return;
  const end = done === of ? '\r\u001b[K' : '';
  process.stderr.write(`\r\u001b[K${done} of ${of} tasks; last: ${kind} ${scenario}${end}`);
}

function count(number: number): string {
  return number < 1e12 ? number.toLocaleString('en') : number.toExponential(1);
}

function printTable(explorations: readonly Exploration[]): void {
  const rows = explorations.map((each) => [
    each.scenario,
    each.violation?.rule ?? (each.isExhausted ? 'holds' : 'given up'),
    count(each.schedules),
    count(each.states),
    count(each.deaths),
    String(each.depthMax),
    (each.elapsedMs / 1000).toFixed(1),
  ]);
  const table = [['scenario', 'result', 'schedules', 'states', 'deaths', 'longest', 'seconds'], ...rows];
  const widths = table[0]!.map((_, column) => Math.max(...table.map((row) => row[column]!.length)));
  for (const row of table) console.log(row.map((text, column) => (column < 2 ? text.padEnd(widths[column]!) : text.padStart(widths[column]!))).join('  '));
}

/** Tells the violation by the schedule with the fewest preemptions that shows one. */
async function printViolation(name: string, violation: Violation, patches: readonly Patch[]): Promise<void> {
  const scenario = scenarioNamed(name);
  const source = await loadRings(patches);
  let simplest = violation;
  for (let preemptionsMax = 0; preemptionsMax <= 3; preemptionsMax++) {
    const { violation: simpler } = explore(scenario, source, { preemptionsMax, statesMax: 2_000_000 });
    if (simpler === undefined) continue;
    simplest = simpler;
    break;
  }
  console.log(`\n${name}: ${simplest.rule}\n`);
  console.log(narrate(new World(scenario, source), simplest.choices).join('\n'));
  console.log(`\n${simplest.message}\nAgain: --scenario '${name}' --replay '${formatSchedule(simplest.choices)}'`);
}
