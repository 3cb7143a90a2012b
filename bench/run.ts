/**
 * `npm run bench -- <name> [--json]`: runs one bench with its peers in the same run. Those of the kernel and
 * of inference take `--seconds`, `--rounds` and `--rows` too, to look longer or at less.
 *
 * Prints the machine, the versions and the commit first, since a figure means nothing without them;
 * figures are to be read as ratios between rows of one table.
 */
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';

interface Bench {
  readonly about: string;
  readonly run: (print: (line: string) => void, options: Options) => Promise<unknown>;
}

interface Options {
  readonly seconds: number | undefined;
  readonly rounds: number | undefined;
  readonly rows: readonly string[] | undefined;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  codec: { about: 'flat codec against msgpackr, JSON and structuredClone', run: async (print) => (await import('./codec.ts')).run({ print }) },
  lanes: { about: 'typed messages thread to thread against postMessage', run: async (print) => (await import('./lanes.ts')).run({ print }) },
  rings: { about: 'the ring against C++, ringbuf.js, thread-stream and postMessage', run: async (print) => (await import('./rings.ts')).run({ print }) },
  kernel: {
    about: 'the kernel against Erlang, postMessage, piscina, tinypool, workerpool, comlink and nact',
    run: async (print, options) => (await import('./kernel.ts')).run({ ...options, print }),
  },
  restarts: { about: 'the time from a fault to the next message, in every place, against Erlang, piscina and a bare Worker', run: async (print, options) => (await import('./restarts.ts')).run({ rounds: options.rounds, print }) },
  inference: {
    about: 'embedding with both backends against their libraries, a C++ loop and a server; urgency, repeats, swaps',
    run: async (print, { seconds, rounds, rows }) => (await import('./inference.ts')).run({ seconds, rounds, rows, print }),
  },
  generation: {
    about: "generating with 1, 2 and 4 sequences against node-llama-cpp's LlamaCompletion",
    run: async (print, { rounds }) => (await import('./generation.ts')).run({ ...(rounds === undefined ? {} : { rounds }), print }),
  },
  incremental: { about: 'a folder embedded again: unchanged, one file edited, one deleted', run: async (print) => (await import('./incremental.ts')).run({ print }) },
  memory: { about: 'peak memory of a folder and of one ten times larger', run: async (print) => (await import('./memory.ts')).run({ print }) },
  'known-item': { about: 'known-item search with the built-in model', run: async (print) => (await import('./known-item.ts')).run({ print }) },
  pool: { about: "the size of libuv's pool under two inference actors", run: async (print, { seconds, rounds }) => (await import('./pool.ts')).run({ ...(seconds === undefined ? {} : { seconds }), ...(rounds === undefined ? {} : { rounds }), print }) },
  'llama-ways': { about: "rejected: node-llama-cpp's own way to a vector, and tokenizing ahead", run: async (print) => (await import('./alternatives/llama-ways.ts')).run({ print }) },
  'wasm-rings': { about: 'rejected: the ring in WebAssembly', run: async (print) => (await import('./alternatives/wasm-rings.ts')).run({ print }) },
  'ring-steps': { about: 'rejected: atomics from WebAssembly, other headers, other copies', run: async (print) => (await import('./alternatives/ring-steps.ts')).run({ print }) },
  'vector-layout': { about: 'rejected: vec0 against plain vectors', run: async (print) => (await import('./alternatives/vector-layout.ts')).run({ print }) },
};

const { values, positionals: names } = parseArgs({
  options: { json: { type: 'boolean', default: false }, seconds: { type: 'string' }, rounds: { type: 'string' }, rows: { type: 'string' } },
  allowPositionals: true,
});
const unknown = names.find((name) => !Object.hasOwn(BENCHES, name));
if (names.length === 0 || unknown !== undefined) {
  if (unknown !== undefined) console.error(`There is no bench '${unknown}'.`);
  console.error('Usage: npm run bench -- <name...> [--json] [--seconds <s>] [--rounds <n>] [--rows <row,...>]');
  for (const [name, { about }] of Object.entries(BENCHES)) console.error(`  ${name.padEnd(16)} ${about}`);
  process.exit(2);
}

const { json } = values;
const options: Options = { seconds: amount('seconds'), rounds: amount('rounds'), rows: values.rows?.split(',') };
const print = (line: string): void => (json ? console.error(line) : console.log(line));
print(`${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB`);
print(`Node ${process.versions.node}, V8 ${process.versions.v8}, commit ${commit()}`);
for (const name of names) {
  print(`\n# ${name}: ${BENCHES[name]!.about}`);
  const result = await BENCHES[name]!.run(print, options);
  if (json) console.log(JSON.stringify({ bench: name, result }));
}

function amount(name: 'seconds' | 'rounds'): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  if (!(Number(text) > 0)) throw new TypeError(`--${name} must be a number above zero; got '${text}'.`);
  return Number(text);
}

function commit(): string {
  try {
    const git = (...words: string[]): string => execFileSync('git', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    return `${git('rev-parse', '--short', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' with changes'}`;
  } catch {
    return 'unknown';
  }
}
