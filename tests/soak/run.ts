/**
 * `npm run soak -- [run|inference|restarts] [options]`: for hours what the tests do for seconds. `run` is a system at
 * full load with a fault every second; `inference` is a host of models under mixed load whose models are swapped;
 * `restarts` ends actors of each placement by the thousand. All look for what is left.
 *
 * What is found is printed on standard output; standard error is the log of the system, which tells of every fault.
 */
import './compile-cache.ts';
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { inferenceSoak, type InferenceSoakSample, type InferenceSoakReport } from './inference.ts';
import { RESTARTABLE, restarts, type Restartable, type RestartsReport } from './restarts.ts';
import type { Resources } from './resources.ts';
import { soak, type FaultSoakSample, type SoakReport } from './soak.ts';
import { COUNTED, MEMORY, THRESHOLDS_IN_WORDS, growthOf } from './thresholds.ts';

const USAGE = `Usage: npm run soak -- [run] [--minutes M] [--seed S] [--json]
       npm run soak -- inference [--minutes M] [--seed S] [--json]
       npm run soak -- restarts [--placement inline|pool|thread|process|bare|all] [--count N] [--json]

  run        a system at full load with a fault every second, which are drawn by seed
  inference  mixed load on models that are swapped, unloaded and killed, drawn by seed; every vector is checked
  restarts   N restarts of an actor of each placement; 'bare' are Node workers without this package

  --minutes M     length of the run; default 60
  --seed S        repeats the choice of faults, texts and changes; default: drawn, and printed
  --count N       restarts of each placement; default 10,000
  --placement P   default all
  --json          the report as one JSON line

Exit code 1 if something leaks, hangs, is lost, is wrong or does not add up. It leaks if not:
  ${THRESHOLDS_IN_WORDS}
Resident memory of inference may double in runs of less than 5 minutes, and is judged with a fixed MALLOC_TRIM_THRESHOLD_.

Examples:
  npm run soak -- --minutes 5 --seed 7 2>soak.log
  npm run soak -- inference --minutes 120 --seed 7 2>soak.log
  npm run soak -- restarts --placement thread --count 1000`;

const SOAKS = ['run', 'inference', 'restarts'] as const;
const MINUTE_MS = 60_000;
const HIGHEST_SEED = 2 ** 31;
const CLEAR_LINE = '\r\u001B[K';

interface Options {
  readonly what: (typeof SOAKS)[number];
  readonly minutes: number;
  readonly seed: number;
  readonly count: number;
  readonly placements: readonly Restartable[];
  readonly json: boolean;
}

function parsed(): Options {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      minutes: { type: 'string', default: '60' },
      seed: { type: 'string' },
      count: { type: 'string', default: '10000' },
      placement: { type: 'string', default: 'all' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const [named = 'run', ...more] = positionals;
  const what = SOAKS.find((soakName) => soakName === named);
  if (what === undefined || more.length > 0) throw new Error(`There is no soak '${positionals.join(' ')}'.`);
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes < Infinity)) throw new Error(`--minutes takes a number above zero; got '${values.minutes}'.`);
  const seed = values.seed === undefined ? Math.floor(Math.random() * HIGHEST_SEED) : Number(values.seed);
  if (!Number.isSafeInteger(seed)) throw new Error(`--seed takes an integer; got '${values.seed}'.`);
  const count = Number(values.count);
  if (!(Number.isSafeInteger(count) && count > 0)) throw new Error(`--count takes a positive integer; got '${values.count}'.`);
  const placements = values.placement === 'all' ? RESTARTABLE : RESTARTABLE.filter((placement) => placement === values.placement);
  if (placements.length === 0) throw new Error(`--placement takes one of ${RESTARTABLE.join(', ')}, all; got '${values.placement}'.`);
  return { what, minutes, seed, count, placements, json: values.json };
}

const megabytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
const percent = (part: number): string => `${part >= 0 ? '+' : ''}${(part * 100).toFixed(1)} %`;

function tableOf(before: Resources, samples: readonly Resources[], after: Resources): string[] {
  const [start, end] = [samples[0] ?? before, samples.at(-1) ?? after];
  const row = (name: string, cells: readonly string[]): string => `  ${name.padEnd(22)}${cells.map((cell) => cell.padStart(13)).join('')}`;
  return [
    row('', ['before', 'start', 'end', 'growth', 'closed']),
    ...[...COUNTED, 'binaryDescriptors' as const].map((name) => row(name, [before[name], start[name], end[name], end[name] - start[name], after[name]].map(String))),
    ...MEMORY.map((name) => row(name, [...[before, start, end].map((resources) => megabytes(resources[name])), percent(growthOf(samples.map((sample) => sample[name])).total), megabytes(after[name])])),
  ];
}

function verdict(complaints: readonly string[]): string[] {
  return complaints.length === 0 ? ['  passed'] : complaints.map((complaint) => `  FAILED: ${complaint}`);
}

function restartsLines({ placement, restarts: made, perRestartMs, before, samples, after, failures }: RestartsReport): string[] {
  return [`# ${made.toLocaleString('en')} restarts of placement ${placement}, ${perRestartMs.toFixed(2)} ms each`, ...tableOf(before, samples, after), ...verdict(failures)];
}

const told = (tally: Readonly<Record<string, number>>): string => Object.entries(tally).map(([name, times]) => `${name} ${times.toLocaleString('en')}`).join(', ') || 'none';

/** Their median, 99th percentile and largest. */
function spread(valuesMs: readonly number[]): string {
  const sorted = valuesMs.toSorted((a, b) => a - b);
  const at = (part: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0).toFixed(0);
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, at most ${at(1)} ms`;
}

function soakLines({ seed, minutes, works, faults, restarts: made, recoveriesMs, quietMoments, before, samples, after, violations }: SoakReport): string[] {
  return [
    `# soak of ${minutes} minutes with seed ${seed}`,
    `  work    ${told(works)}`,
    `  faults  ${told(faults)}; ${made} restarts; back after ${spread(recoveriesMs)}`,
    `  ${quietMoments} quiet moments, ${samples.length} judged`,
    ...tableOf(before, samples.map(({ resources }) => resources), after),
    ...verdict(violations),
  ];
}

function inferenceLines({ seed, minutes, works, outcomes, refusals, compared, changes, loadsMs, recoveriesMs, quietMoments, before, samples, after, violations }: InferenceSoakReport): string[] {
  return [
    `# soak of inference of ${minutes} minutes with seed ${seed}`,
    `  calls     ${told(works)}`,
    `  texts     ${told(outcomes)}; ${compared.toLocaleString('en')} vectors compared with those of the library alone`,
    `  refusals  ${told(refusals)}`,
    `  changes   ${told(changes)}`,
    `  ${loadsMs.length} models swapped in, each loaded within ${spread(loadsMs)}; ${recoveriesMs.length} processes killed, back after ${spread(recoveriesMs)}`,
    `  ${quietMoments} quiet moments, ${samples.length} judged`,
    ...tableOf(before, samples.map(({ resources }) => resources), after),
    ...verdict(violations),
  ];
}

/** A live line on a terminal; elsewhere a line now and then. */
function progressOf(json: boolean): (line: string, atMs: number) => void {
  let nextMs = 0;
  return (line, atMs) => {
    if (json) return;
    if (process.stdout.isTTY) {
      process.stdout.write(`${CLEAR_LINE}${line}`);
    } else if (atMs >= nextMs) {
      nextMs = (Math.floor(atMs / MINUTE_MS) + 1) * MINUTE_MS;
      console.log(line);
    }
  };
}

function lineOf({ atMs, resources, works, violations, ...more }: FaultSoakSample | InferenceSoakSample): string {
  const struck = 'faults' in more ? `${more.faults} faults` : `${more.changes} changes`;
  const { threads, processes, descriptors, applicationHeapBytes, guardianHeapBytes, rssBytes } = resources;
  return `${(atMs / MINUTE_MS).toFixed(1)} min: ${works.toLocaleString('en')} works, ${struck}, ${violations.length} violations; heaps ${megabytes(applicationHeapBytes)} and ${megabytes(guardianHeapBytes)}, rss ${megabytes(rssBytes)}, ${threads} threads, ${processes} processes, ${descriptors} descriptors`;
}

/**
 * glibc maps a large buffer on its own, and gives it back when it is freed, only until one such buffer was freed; from
 * then on it may put them among small ones (mallopt(3), dynamic mmap threshold). Resident memory then grows with each
 * model that comes and goes, for so long that a leak behind it would not be seen. A threshold that is set stays as it
 * is, so what this soak says of resident memory holds for a process that sets it too.
 */
const STEADY_ALLOCATOR = { MALLOC_TRIM_THRESHOLD_: '131072' } as const;

/** Starts this command again with an allocator that keeps nothing, unless it has one. @returns whether it did, and it has ended */
function ranSteady(): boolean {
  if (process.env['MALLOC_TRIM_THRESHOLD_'] !== undefined) return false;
  const { status } = spawnSync(process.execPath, [...process.execArgv, ...process.argv.slice(1)], { env: { ...process.env, ...STEADY_ALLOCATOR }, stdio: 'inherit' });
  process.exitCode = status ?? 1;
  return true;
}

async function main(): Promise<void> {
  let options: Options;
  try {
    options = parsed();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
  const { what, json } = options;
  if (what === 'inference' && ranSteady()) return;
  const show = progressOf(json);
  const shown = new Set<string>();
  const showSample = (sample: FaultSoakSample | InferenceSoakSample): void => {
    // At once: whoever watches a run of hours wants to know what has just happened.
    for (const violation of sample.violations) if (!shown.has(violation)) console.error(`VIOLATION: ${violation}`);
    for (const violation of sample.violations) shown.add(violation);
    show(lineOf(sample), sample.atMs);
  };
  const beginMs = performance.now();
  const tell = (report: object, lines: readonly string[], complaints: readonly string[]): void => {
    if (process.stdout.isTTY && !json) process.stdout.write(CLEAR_LINE);
    console.log(json ? JSON.stringify(report) : lines.join('\n'));
    if (complaints.length > 0) process.exitCode = 1;
  };
  if (what === 'run') {
    if (!json) console.log(`seed ${options.seed}`);
    const report = await soak({ ...options, onSample: showSample });
    tell({ soak: 'run', ...report }, soakLines(report), report.violations);
    return;
  }
  if (what === 'inference') {
    if (!json) console.log(`seed ${options.seed}`);
    const report = await inferenceSoak({ ...options, onSample: showSample });
    tell({ soak: 'inference', ...report }, inferenceLines(report), report.violations);
    return;
  }
  for (const placement of options.placements) {
    const report = await restarts(placement, options.count, (made, of) => show(`${placement}: ${made} of ${of}`, performance.now() - beginMs));
    tell({ soak: 'restarts', ...report }, restartsLines(report), report.failures);
  }
}

await main();
