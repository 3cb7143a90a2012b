/**
 * Runs every probe in each setting and holds what came against what is expected:
 *
 *     outside     no sandbox at all: must succeed, or the probe proves nothing
 *     system      the system's sandbox alone, Node's permission model off: the boundary
 *     both        with the permission model as the second layer, as actors run
 */
import { spawn } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { sandboxed, type SandboxedCommand } from '../../kernel/sandbox/sandboxed.ts';
import type { SandboxSpec } from '../../kernel/sandbox/sandbox-spec.ts';
import { layBait, type Leak } from './bait.ts';
import type { Outcome } from './probe.ts';
import { NODE_PROBES } from './probe-list.ts';
import { SYSTEM_CALL_PROBES, systemCallScript } from './system-call-probes.ts';

export const SETTINGS = ['outside', 'system', 'both'] as const;
export type Setting = (typeof SETTINGS)[number];

export interface Row {
  readonly name: string;
  readonly expected: 'denied' | 'accepted';
  /** Why it is accepted. */
  readonly reason?: string;
  readonly outcomes: Readonly<Partial<Record<Setting, Outcome>>>;
  /** What is not as expected; none if all is well. */
  readonly surprises: readonly string[];
}

const PACKAGE_ROOT = realpathSync(join(import.meta.dirname, '../..'));
const CHILD = join(import.meta.dirname, 'probe-child.ts');
const PERL = realpathSync('/usr/bin/perl');

/** Many probes run in one child; if it hangs it is ended, and what is missing is a surprise. */
const CHILD_DEADLINE_MS = 60_000;

/** @param node path of the Node that runs the probes */
export async function runNodeProbes(node: string): Promise<Row[]> {
  const outcomes = new Map<Setting, Map<string, Outcome>>();
  for (const setting of SETTINGS) outcomes.set(setting, await nodeOutcomes(realpathSync(node), setting));
  return NODE_PROBES.map(({ name, expected }) => {
    const of = (setting: Setting): Outcome => outcomes.get(setting)!.get(name) ?? { name, result: 'broken', detail: 'it gave no answer' };
    const rowed = { outside: of('outside'), system: of('system'), both: of('both') };
    const surprises: string[] = [];
    if (!['got', 'impossible'].includes(rowed.outside.result)) surprises.push(`outside: ${rowed.outside.result} (${rowed.outside.detail}), so it proves nothing`);
    for (const setting of ['system', 'both'] as const) {
      const { result, detail } = rowed[setting];
      // The second layer may deny what the boundary accepts.
      const fits = expected === 'denied' ? result === 'denied' : result === 'got' || (setting === 'both' && result === 'denied');
      if (!fits) surprises.push(`${setting}: ${result} (${detail})`);
    }
    return { name, ...(expected === 'denied' ? { expected } : { expected: 'accepted' as const, reason: expected.accepted }), outcomes: rowed, surprises };
  });
}

export async function runSystemCallProbes(): Promise<Row[]> {
  const target: SandboxedCommand = { command: PERL, args: ['-e', systemCallScript()], env: {}, isNode: false };
  // The pragmas of the probes' own script.
  const inside = await lines(sandboxed({ read: [perlLibrary()] }, target), []);
  const outside = await lines({ command: PERL, args: [...target.args], env: {} }, []);
  const said = (from: readonly string[], index: number): string | undefined => from.find((line) => line.startsWith(`${index}\t`))?.split('\t')[1];
  const isRoot = process.getuid!() === 0;
  return SYSTEM_CALL_PROBES.map(({ name: call, rootOnly }, index) => {
    const name = `system call: ${call}`;
    const outcome = (answer: string | undefined): Outcome => ({ name, result: answer === undefined ? 'broken' : answer === 'got' ? 'got' : 'denied', detail: answer ?? 'it gave no answer' });
    const outcomes = {
      outside: rootOnly === true && !isRoot ? ({ name, result: 'impossible', detail: 'only root can, outside' } as const) : outcome(said(outside, index)),
      system: outcome(said(inside, index)),
    };
    const surprises: string[] = [];
    if (!['got', 'impossible'].includes(outcomes.outside.result)) surprises.push(`outside: ${outcomes.outside.detail}, so it proves nothing`);
    // The filter's own answers: another error would mean that the call was made.
    if (!['EPERM', 'EACCES', 'ENOSYS'].includes(outcomes.system.detail)) surprises.push(`system: ${outcomes.system.detail}`);
    return { name, expected: 'denied' as const, outcomes, surprises };
  });
}

async function nodeOutcomes(node: string, setting: Setting): Promise<Map<string, Outcome>> {
  const bait = await layBait(PACKAGE_ROOT);
  const { leaks, remove, ...plain } = bait;
  const env = { PATH: process.env['PATH'], BAIT_SECRET: bait.secret, NODE_OPTIONS: `--require=${bait.outside}/preload.cjs`, BAIT_OUTSIDE: '1' };
  const args = ['--no-warnings', CHILD, JSON.stringify(plain)];
  try {
    const spec: SandboxSpec = { read: [bait.readable], write: [bait.writable], permissions: setting === 'both', tmpBytes: 8 * 2 ** 20 };
    // Of the environment only what is harmless is for the child; NODE_OPTIONS is what must be left out.
    const launch = setting === 'outside' ? { command: node, args, env } : sandboxed(spec, { command: node, args, env: { NODE_OPTIONS: env.NODE_OPTIONS }, modules: [CHILD], fds: [bait.passedFile] });
    const outcomes = (await lines(launch, leaks)).map((line) => JSON.parse(line) as Outcome);
    return new Map(outcomes.map((outcome) => [outcome.name, outcome]));
  } finally {
    await remove();
  }
}

async function lines({ command, args, env }: { command: string; args: string[]; env: NodeJS.ProcessEnv }, leaks: readonly Leak[]): Promise<string[]> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe', ...leaks], timeout: CHILD_DEADLINE_MS, killSignal: 'SIGKILL' });
  const [said, complaints] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
  if (said === '') throw new Error(`The probes did not run: ${complaints}`);
  return said.split('\n').filter((line) => line !== '');
}

function perlLibrary(): string {
  return realpathSync(`/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/perl-base`);
}
