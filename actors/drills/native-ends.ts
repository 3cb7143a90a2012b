/**
 * What the end of an actor in the middle of a native call does to the process that it lives in. Each case is a
 * process of its own, as some of them do not survive it; what is found is compared with the documented table.
 */
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SpillwayError, siblingModule } from '../../kernel/index.ts';
import { EMPTY_TALLY, drillCheck, type Drill, type DrillRecord, type DrillRun } from '../../supervisors/index.ts';
import { chooseModel, type CheckedModel } from '../inference/index.ts';
import { NATIVE_CASES, NATIVE_PLACEMENTS, NO_FAULT, type NativeCase, type NativePlacement } from './native-cases.ts';
import type { NativeLine, NativeOrder } from './native-process.ts';

/** Cases at once. Each keeps a core busy. */
const ABREAST = 2;
const STDERR_KEPT = 400;
const NAME_COLUMN = 21;

/** What a case has come to. */
export interface NativeFinding {
  readonly end: NodeJS.Signals | number;
  readonly lines: readonly NativeLine[];
  /** The last that it has written to standard error. */
  readonly stderr: string;
}

export const nativeDrill: Drill = {
  name: 'native',
  hypothesis:
    'An actor that ends in the middle of a native call does to its process what the table in docs/explanation/native-actors.md says: on a thread it takes running out of memory or a fault of native code to bring it down, and in a process of its own the actor cannot.',
  blastRadius: 'Child processes of this one, one for each case, and files below the folder for temporary files.',
  abortAfterMs: 300_000,
  placements: NATIVE_PLACEMENTS,
  waits: { backoffMs: 10 },
  intensity: { restarts: 3, periodMs: 5_000 },
  restartsExpected: 0,
  unavailable: () => (process.platform === 'win32' ? 'there are no signals to tell one death from another on Windows.' : undefined),
  hold: (run) => withModel((model, folder) => holdAll(run, model, folder)),
};

async function holdAll({ withFault, placement, signal }: DrillRun, model: CheckedModel, folder: string): Promise<DrillRecord> {
  const cases = withFault ? NATIVE_CASES : [NO_FAULT];
  const findings = new Map<NativeCase, NativeFinding>();
  const waiting = [...cases];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      findings.set(next, await runNativeCase(next, placement as NativePlacement, model, folder, signal));
    }
  };
  await Promise.all(Array.from({ length: ABREAST }, work));
  if (signal.aborted) throw new SpillwayError('drill_aborted', 'The abort rule fired before all cases were over.');
  const found = cases.map((each) => [each, findings.get(each)!] as const);
  return {
    // Seventeen faults have no one moment; the notes tell of each.
    timeline: {},
    lanes: { control: EMPTY_TALLY, data: EMPTY_TALLY, telemetry: EMPTY_TALLY },
    restarts: 0,
    checks: found.map(([each, finding]) => {
      const difference = differenceFrom(each, placement as NativePlacement, finding);
      return drillCheck(`${each.what}: ${wordsOf(each, placement as NativePlacement)}`, difference === undefined, difference ?? '');
    }),
    notes: withFault ? found.map(([each, finding]) => noteOf(each, placement as NativePlacement, finding)) : [],
  };
}

/** Gives `act` the built-in model and a folder, both for its time only. */
async function withModel<T>(act: (model: CheckedModel, folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-drill-'));
  try {
    const cacheDir = join(folder, 'cache');
    mkdirSync(cacheDir);
    return await act(await chooseModel(undefined, { cacheDir }), folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param folder where the case works, and what its death leaves behind */
export async function runNativeCase({ deed }: NativeCase, placement: NativePlacement, model: CheckedModel, folder: string, signal: AbortSignal): Promise<NativeFinding> {
  const cwd = mkdtempSync(join(folder, `${deed}-`));
  // Its own, because one of the cases spoils it.
  const path = join(cwd, 'model.gguf');
  copyFileSync(model.path, path);
  const order: NativeOrder = { deed, placement, model: { ...model, path }, original: model.path };
  const module = fileURLToPath(siblingModule('native-process', import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, module, JSON.stringify(order)], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', kill);
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_KEPT)));
  try {
    const end = await new Promise<NodeJS.Signals | number>((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, deadly) => resolve(deadly ?? code ?? 0));
    });
    return { end, lines: stdout.split('\n').flatMap((line) => (line.startsWith('{"event"') ? [JSON.parse(line) as NativeLine] : [])), stderr };
  } finally {
    signal.removeEventListener('abort', kill);
  }
}

/** @returns what is not as the table says, or undefined */
export function differenceFrom(each: NativeCase, placement: NativePlacement, { end, lines, stderr }: NativeFinding): string | undefined {
  const expected = each[placement];
  const answer = lineOf(lines, 'done')?.answer;
  const recovered = lineOf(lines, 'recovered');
  if (lines.length === 0 && expected.end !== end) return `it ended with ${end} before the native call had begun: ${stderr}`;
  if (end !== expected.end) return `it ended with ${end}, not ${expected.end}: ${stderr}`;
  if (expected.answer !== undefined && answer !== expected.answer) return `the answer was '${answer ?? 'none'}', not '${expected.answer}'`;
  if (expected.restarts === undefined) return undefined;
  if (recovered === undefined) return 'the actor did not come back';
  if (recovered.restarts !== expected.restarts) return `${recovered.restarts ?? 'no'} restarts, not ${expected.restarts}`;
  return recovered.sameVectors === true ? undefined : 'the vectors are not those of before';
}

/** Whether the application's process is ended by something else than its own will. */
export function takesProcessDown(each: NativeCase, placement: NativePlacement): boolean {
  return typeof each[placement].end === 'string';
}

function wordsOf(each: NativeCase, placement: NativePlacement): string {
  const { end, restarts } = each[placement];
  if (takesProcessDown(each, placement)) return `the process ends by ${end}`;
  if (restarts === undefined) return end === 0 ? 'the process is not aborted' : `the process ends with ${end}, as it wanted to`;
  return restarts === 0 ? 'the actor goes on, or is started anew' : 'the actor is restarted';
}

function noteOf(each: NativeCase, placement: NativePlacement, finding: NativeFinding): string {
  const { end } = finding;
  const readyMs = recoveryMs(each[placement].restarts, finding);
  const name = each.deed.padEnd(NAME_COLUMN);
  if (typeof end === 'string') return `${name}ends by ${end}: ${each.why ?? 'not as documented'}`;
  return `${name}${end === 0 ? 'lives' : `ends with ${end}`}${readyMs === undefined ? '' : `, restarted and back ${Math.round(readyMs)} ms after its batch was sent`}`;
}

function recoveryMs(restarts: number | undefined, { lines }: NativeFinding): number | undefined {
  const begun = lineOf(lines, 'begun');
  const recovered = lineOf(lines, 'recovered');
  return restarts === 1 && begun !== undefined && recovered !== undefined ? recovered.atMs - begun.atMs : undefined;
}

function lineOf(lines: readonly NativeLine[], event: NativeLine['event']): NativeLine | undefined {
  return lines.find((line) => line.event === event);
}
