/**
 * `npm run stress -- [messages|wakes|kills|asks|redelivery…]`: rings and actors under load and under fire, for as long as it takes.
 *
 * The unit tests do a little of the same at each run (tests/rings/threads.test.ts, tests/kernel/asks-never-hang.test.ts);
 * this is the long way, for the night.
 */
import { parseArgs } from 'node:util';
import { asks } from './asks.ts';
import { kills } from './kills.ts';
import { messages } from './messages.ts';
import { redelivery } from './redelivery.ts';
import { wakes } from './wakes.ts';

export interface Report {
  readonly figures: Readonly<Record<string, number>>;
  /** What went wrong, in words; empty texts stand for what went well. */
  readonly failures: readonly string[];
}

/** Shows `progress` (0 to 1) on a terminal until `work` is done. */
export type Watch = <T>(progress: () => number, work: Promise<T>) => Promise<T>;

interface Stress {
  readonly about: string;
  readonly count: number;
  readonly run: (count: number, watch: Watch) => Promise<Report>;
}

const STRESSES: Readonly<Record<string, Stress>> = {
  messages: { about: 'records of random length between two threads, each with a checksum', count: 1e9, run: messages },
  wakes: { about: 'times that a thread falls asleep and is woken', count: 1e6, run: wakes },
  kills: { about: 'threads terminated, half of them producers, SPSC and MPSC in turn', count: 10_000, run: kills },
  asks: { about: 'asks to actors that crash, stop, hang and are cancelled at random', count: 1e6, run: asks },
  redelivery: { about: 'threads of actors terminated under load, at least and at most once in turn', count: 2_000, run: redelivery },
};

const USAGE = `Usage: npm run stress -- [name…] [--count N] [--json]

${Object.entries(STRESSES)
  .map(([name, { about, count }]) => `  ${name.padEnd(10)} ${count.toLocaleString('en')} ${about}`)
  .join('\n')}

  --count N    so many instead, for each that is named
  --json       the figures as one JSON line for each

Without names all of them run. Exit code 1 if anything was lost, torn, doubled or stuck.

Examples:
  npm run stress
  npm run stress -- messages --count 10000000`;

const REFRESH_MS = 500;

const watch: Watch = async (progress, work) => {
  if (!process.stderr.isTTY) return work;
  const timer = setInterval(() => process.stderr.write(`\r${(progress() * 100).toFixed(1).padStart(6)} %`), REFRESH_MS);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    process.stderr.write('\r        \r');
  }
};

function parsed(): { names: readonly string[]; count: number | undefined; json: boolean } {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { count: { type: 'string' }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const unknown = positionals.find((name) => !Object.hasOwn(STRESSES, name));
  if (unknown !== undefined) throw new Error(`There is no stress '${unknown}'.`);
  const count = values.count === undefined ? undefined : Number(values.count);
  if (count !== undefined && !(Number.isInteger(count) && count > 0)) throw new Error(`--count takes a positive integer; got '${values.count}'.`);
  return { names: positionals.length === 0 ? Object.keys(STRESSES) : positionals, count, json: values.json };
}

async function main(): Promise<void> {
  let options: ReturnType<typeof parsed>;
  try {
    options = parsed();
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    process.exit(2);
  }
  for (const name of options.names) {
    const { count, run } = STRESSES[name]!;
    const { figures, failures } = await run(options.count ?? count, watch);
    const wrong = failures.filter((failure) => failure !== '');
    if (options.json) {
      console.log(JSON.stringify({ stress: name, figures, failures: wrong }));
    } else {
      console.log(`# ${name}`);
      for (const [figure, value] of Object.entries(figures)) console.log(`  ${figure.padEnd(34)} ${value.toLocaleString('en')}`);
      for (const failure of wrong) console.log(`  FAILED: ${failure}`);
    }
    if (wrong.length > 0) process.exitCode = 1;
  }
}

await main();
