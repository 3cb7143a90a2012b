/** A process that the system ends or stops, which no actor can do anything about. */
import { SpillwayError, systemClock } from '../../kernel/index.ts';
import { holdCrash } from './crash-drills.ts';
import type { Drill } from './drill.ts';
import { descendants } from './resources.ts';
import { STAGE_BACKOFF, STAGE_INTENSITY, type Stage, type StageOptions } from './stage.ts';

const OWN_PROCESS = 'One child process of this one, made for the drill. No signal is sent to a process that is not below this one.';

interface SignalDrill extends Pick<Drill, 'name' | 'hypothesis'>, Partial<Pick<Drill, 'waits'>> {
  readonly signal: NodeJS.Signals;
  readonly options?: StageOptions;
}

function signalDrill({ name, hypothesis, signal, waits, options = {} }: SignalDrill): Drill {
  return {
    name,
    hypothesis,
    blastRadius: OWN_PROCESS,
    abortAfterMs: 30_000,
    placements: ['process'],
    waits: waits ?? { backoffMs: STAGE_BACKOFF.minMs },
    intensity: STAGE_INTENSITY,
    restartsExpected: 1,
    unavailable: () => (process.platform === 'win32' ? `there are no signals such as ${signal} on Windows.` : undefined),
    hold: (run) => holdCrash(run, options, (stage) => send(stage, signal), 0),
  };
}

/** @returns when */
function send({ load }: Stage, signal: NodeJS.Signals): number {
  const { pid } = load;
  if (!descendants(process.pid).includes(pid)) {
    throw new SpillwayError('drill_aborted', `The subject says that it runs in process ${pid}, which is not below this one (${process.pid}); it is left alone.`);
  }
  const atMs = systemClock.monotonicMs();
  process.kill(pid, signal);
  return atMs;
}

export const sigkillDrill = signalDrill({
  name: 'sigkill',
  signal: 'SIGKILL',
  hypothesis: 'A process that is killed is started again; what it had acknowledged stays done, and what waits is handled by the next one.',
});

export const sigsegvDrill = signalDrill({
  name: 'sigsegv',
  signal: 'SIGSEGV',
  hypothesis: 'A fault in native code ends one process and no other: it is started again like one that was killed.',
});

/** Ten times the interval at which a process says that it lives. */
const SILENT_AFTER_MS = 500;

export const sigstopDrill = signalDrill({
  name: 'sigstop',
  signal: 'SIGSTOP',
  hypothesis: 'A process that stands still is noticed by its silence, ended and started again; it neither comes back later nor stays behind.',
  waits: { backoffMs: STAGE_BACKOFF.minMs, detectionMs: SILENT_AFTER_MS },
  options: { spec: { process: { silentAfterMs: SILENT_AFTER_MS } } },
});
