/**
 * `npm run escapes -- [--node 24|26] [--json]`: runs the escape suite and prints a table. Exits with 1 if any
 * probe got what it should not, failed outside, or could not be run, and with 2 if a version of Node was asked
 * for and cannot be had.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { probeSandbox } from '../../kernel/sandbox/sandbox-support.ts';
import { sandboxed } from '../../kernel/sandbox/sandboxed.ts';
import { obtainNode26 } from './node-26.ts';
import { SETTINGS, runNodeProbes, runSystemCallProbes, type Row } from './suite.ts';

const NPM_DEADLINE_MS = 300_000;
const STARTS = 20;

const { values: options } = parseArgs({ options: { node: { type: 'string' }, json: { type: 'boolean', default: false } } });
if (options.node !== undefined && !['24', '26'].includes(options.node)) {
  console.error(`--node is 24 or 26, not '${options.node}'.`);
  process.exit(2);
}

const tables: { title: string; rows: Row[] }[] = [];
const notRun: string[] = [];
if (options.node !== '26') tables.push({ title: `Node ${process.version}`, rows: await runNodeProbes(process.execPath) });
if (options.node !== '24') {
  const node = await obtainNode26(NPM_DEADLINE_MS);
  if ('path' in node) tables.push({ title: `Node v${node.version}`, rows: await runNodeProbes(node.path) });
  else notRun.push(`Node 26: ${node.reason}`);
}
tables.push({ title: 'System calls', rows: await runSystemCallProbes() });
const start = startCost();
const surprises = tables.flatMap(({ title, rows }) => rows.flatMap((row) => row.surprises.map((surprise) => `${title}: ${row.name}: ${surprise}`)));

if (options.json) console.log(JSON.stringify({ support: probeSandbox(), tables, start, notRun, surprises }, undefined, 2));
else {
  for (const { title, rows } of tables) print(title, rows);
  const { works, missing } = probeSandbox();
  console.log(`\nThis system has: ${works.join(', ')}.`);
  for (const [mechanism, reason] of Object.entries(missing)) console.log(`It lacks ${mechanism}: ${reason}`);
  console.log(`\nA Node that does nothing, ${STARTS} starts, median: ${start.plainMs} ms without, ${start.sandboxedMs} ms in a sandbox.`);
  for (const line of notRun) console.log(`Not run: ${line}`);
  console.log(surprises.length === 0 ? '\nNo surprises.' : `\n${surprises.length} surprises:\n${surprises.join('\n')}`);
}
if (surprises.length > 0) process.exitCode = 1;
else if (notRun.length > 0) process.exitCode = 2;

function print(title: string, rows: readonly Row[]): void {
  const denied = rows.filter(({ expected }) => expected === 'denied').length;
  console.log(`\n${title}: ${rows.length} probes, ${denied} to be denied, ${rows.length - denied} accepted\n`);
  console.log(`${'probe'.padEnd(58)}${'expected'.padEnd(10)}${SETTINGS.map((setting) => setting.padEnd(26)).join('')}`);
  for (const { name, expected, reason, outcomes, surprises: found } of rows) {
    const cells = SETTINGS.map((setting) => {
      const outcome = outcomes[setting];
      const what = outcome === undefined ? '' : outcome.result === 'denied' ? outcome.detail : outcome.result;
      return what.slice(0, 25).padEnd(26);
    });
    console.log(`${found.length > 0 ? '! ' : '  '}${name.slice(0, 55).padEnd(56)}${expected.padEnd(10)}${cells.join('')}`.trimEnd());
    if (reason !== undefined) console.log(`      ${reason}`);
  }
}

/** What the sandbox adds to the start of a process. */
function startCost(): { plainMs: number; sandboxedMs: number } {
  const args = ['-e', '0'];
  const launch = sandboxed({}, { command: process.execPath, args, env: {} });
  const median = (command: string, commandArgs: string[]): number => {
    const times = Array.from({ length: STARTS }, () => {
      const began = performance.now();
      spawnSync(command, commandArgs, { env: {} });
      return performance.now() - began;
    });
    return Math.round(times.toSorted((a, b) => a - b)[STARTS / 2]!);
  };
  return { plainMs: median(process.execPath, args), sandboxedMs: median(launch.command, launch.args) };
}
