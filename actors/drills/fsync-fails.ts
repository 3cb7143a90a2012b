/**
 * A disk that takes what is written and then says that it could not keep it. strace makes every fsync of a
 * child process fail from one of them on. What may be believed afterwards is what "Can Applications Recover
 * from fsync Failures?" (Rebello et al., USENIX ATC 2020) is about: trying again is no way out.
 */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SpillwayError, siblingModule, systemClock } from '../../kernel/index.ts';
import { DrillAttempts, EMPTY_TALLY, createSystem, drillCheck, type Drill, type DrillRecord, type DrillRun } from '../../supervisors/index.ts';
import { storageProtocol, storageSpec } from '../storage/index.ts';
import { begin, put, stored } from './numbered-files.ts';
import type { WriterLine } from './storage-writer.ts';

const CALLS = 'fsync,fdatasync';
/** Making the index takes fewer; the first that fails is one of those after them. */
const FIRST_FAILING = 20;
const FAILING_RANGE = 20;
const FILES = 40;
const FILES_WITHOUT_FAULT = 8;

export const fsyncFailsDrill: Drill = {
  name: 'fsync-fails',
  hypothesis: 'After an fsync that failed nothing is acknowledged any more; the index, opened again, holds everything that was.',
  blastRadius: 'An index of its own below the folder for temporary files, written by one child process. Only that process is traced.',
  abortAfterMs: 60_000,
  placements: ['thread'],
  waits: { backoffMs: 0 },
  intensity: { restarts: 3, periodMs: 5_000 },
  restartsExpected: 0,
  unavailable: () => (canInject() ? undefined : 'failing calls takes strace and the right to trace a child; install strace, or allow ptrace in the container.'),
  async hold(run) {
    const folder = mkdtempSync(join(tmpdir(), 'spillway-drill-'));
    try {
      const dir = join(folder, 'index');
      return await reopen(dir, run, await writtenBy(dir, run));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** What the child has said. */
async function writtenBy(dir: string, { withFault, random, signal }: DrillRun): Promise<WriterLine[]> {
  const first = FIRST_FAILING + random.fork('fsync').int(FAILING_RANGE);
  const tracer = ['strace', '-f', '-qq', '--seccomp-bpf', '-o', '|cat >/dev/null', '-e', `trace=${CALLS}`, '-e', `inject=${CALLS}:error=EIO:when=${first}+`];
  const module = fileURLToPath(siblingModule('storage-writer', import.meta.url));
  const node = [process.execPath, ...process.execArgv, module, dir, String(withFault ? FILES : FILES_WITHOUT_FAULT)];
  const [program, ...args] = withFault ? [...tracer, ...node] : node;
  try {
    const { stdout } = await promisify(execFile)(program!, args, { signal, maxBuffer: 2 ** 24 });
    return stdout.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as WriterLine] : []));
  } catch (error) {
    if (signal.aborted) throw new SpillwayError('drill_aborted', 'The abort rule fired before the writer had ended.', { cause: error });
    throw error;
  }
}

/** Opens the index without the fault, as after a restart, and compares. */
async function reopen(dir: string, { withFault }: DrillRun, lines: readonly WriterLine[]): Promise<DrillRecord> {
  const attempts = new DrillAttempts(FILES + 1);
  for (const { number, code } of lines) {
    if (code === undefined) attempts.begin();
    else attempts.end(number, code === '' ? 'acknowledged' : 'indeterminate', code === '' ? undefined : code);
  }
  const failed = lines.findIndex(({ code }) => code !== undefined && code !== '');
  const failure = lines[failed];
  const acknowledgedLater = failed < 0 ? 0 : lines.slice(failed).filter(({ code }) => code === '').length;
  const system = await createSystem({ logLevel: 'error' });
  try {
    const restartedMs = systemClock.monotonicMs();
    const storage = await system.spawn(storageSpec('storage', { dir }), storageProtocol);
    await begin(storage);
    const found = await stored(storage, attempts.count);
    const data = attempts.tally(found, 0, false);
    await put(storage, FILES);
    const readyMs = systemClock.monotonicMs();
    await storage.ask('publish', {}, { deadlineMs: 30_000 });
    const faultMs = lines.findLast(({ number, code }) => number === failure?.number && code === undefined)?.atMs ?? readyMs;
    return {
      timeline: failure === undefined ? {} : { detectedMs: failure.atMs - faultMs, restartedMs: restartedMs - faultMs, readyMs: readyMs - faultMs },
      lanes: { control: EMPTY_TALLY, data, telemetry: EMPTY_TALLY },
      restarts: 0,
      checks: [
        drillCheck('the failure is told', failure?.code === (withFault ? 'storage_failed' : undefined), failure?.code ?? 'nothing was said'),
        drillCheck('nothing is acknowledged after a failure', acknowledgedLater === 0, acknowledgedLater),
        drillCheck('no acknowledged message is lost', data.lost === 0, data.lost),
        drillCheck('something was acknowledged before', data.acknowledged > 0, data.acknowledged),
      ],
    };
  } finally {
    await system.close();
  }
}

function canInject(): boolean {
  return process.platform === 'linux' && spawnSync('strace', ['-f', '-qq', '--seccomp-bpf', '-e', `trace=${CALLS}`, 'true'], { stdio: 'ignore' }).status === 0;
}
