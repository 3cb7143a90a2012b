/** An actor that brings about its own end: it throws, rejects, leaves, hangs, or takes more memory than it is given. */
import { systemClock } from '../../kernel/index.ts';
import type { Drill, DrillRun, DrillRecord } from './drill.ts';
import type { Failure } from './messages.ts';
import { STAGE_BACKOFF, STAGE_INTENSITY, SUBJECT, Stage, type StageOptions } from './stage.ts';

const ABORT_AFTER_MS = 20_000;
const AFTERWARDS_MS = 15;

export const OWN_SYSTEM = 'One actor in a system of its own, made for the drill inside of this process. Its neighbour, another actor of that system, must not notice.';

/** How a drill with one fault and one restart goes, whatever the fault. @param faultMessages that carry it to the subject */
export async function holdCrash(run: DrillRun, options: StageOptions, inject: (stage: Stage) => Promise<number> | number, faultMessages = 1): Promise<DrillRecord> {
  return Stage.with(run, options, async (stage) => {
    await stage.begin();
    const faultMs = run.withFault ? await inject(stage) : 0;
    if (run.withFault) await stage.restarted();
    // Life goes on for a moment, in which a late effect would show.
    await new Promise((resolve) => setTimeout(resolve, run.random.fork('afterwards').next() * AFTERWARDS_MS));
    return stage.finish(faultMs, { restartsExpected: run.withFault ? 1 : 0, faultMessages });
  });
}

interface CrashDrill extends Pick<Drill, 'name' | 'hypothesis' | 'placements'>, Partial<Pick<Drill, 'waits'>> {
  readonly how: Failure;
  readonly options?: (run: DrillRun) => StageOptions;
}

export function crashDrill({ name, hypothesis, placements, how, waits, options = () => ({}) }: CrashDrill): Drill {
  return {
    name,
    hypothesis,
    blastRadius: OWN_SYSTEM,
    abortAfterMs: ABORT_AFTER_MS,
    placements,
    waits: waits ?? { backoffMs: STAGE_BACKOFF.minMs },
    intensity: STAGE_INTENSITY,
    restartsExpected: 1,
    hold: (run) =>
      holdCrash(run, options(run), ({ subject }) => {
        const atMs = systemClock.monotonicMs();
        subject.tell('fail', { how });
        return atMs;
      }),
  };
}

export const throwDrill = crashDrill({
  name: 'throw',
  how: 'throw',
  placements: ['thread', 'pool', 'inline', 'process'],
  hypothesis: 'A handler that throws ends its actor and nothing else: what was acknowledged stays done, what waits is handled by the next life.',
});

export const rejectDrill = crashDrill({
  name: 'reject',
  how: 'reject',
  placements: ['thread', 'pool', 'inline', 'process'],
  hypothesis: 'A handler whose promise rejects is one that throws: its actor is restarted, and what waits is handled by the next life.',
});

export const exitDrill = crashDrill({
  name: 'exit',
  how: 'exit',
  placements: ['thread', 'process'],
  hypothesis: 'An actor that calls process.exit ends its own thread or process without a word, and is restarted like one that threw.',
});

export const terminateDrill: Drill = {
  name: 'terminate',
  hypothesis: 'A thread or process that is ended from outside, in the middle of anything, leaves nothing half done: what it had acknowledged stays done, and its next life takes up the work.',
  blastRadius: OWN_SYSTEM,
  abortAfterMs: ABORT_AFTER_MS,
  placements: ['thread', 'process'],
  waits: { backoffMs: STAGE_BACKOFF.minMs },
  intensity: STAGE_INTENSITY,
  restartsExpected: 1,
  hold(run) {
    const kill = async ({ system }: Stage): Promise<number> => {
      const faultMs = systemClock.monotonicMs();
      await system.supervisor().killChild(SUBJECT);
      return faultMs;
    };
    return holdCrash(run, {}, kill, 0);
  },
};

/** Short, so that the drill is; and not so short that a busy machine makes a hang of a slow handler. */
const HUNG_AFTER_MS = 400;

export const hangDrill = crashDrill({
  name: 'hang',
  how: 'hang',
  placements: ['thread', 'process'],
  hypothesis: 'A handler that never returns is noticed from outside, its thread is ended, and its actor is restarted; what waits is handled by the next life.',
  waits: { backoffMs: STAGE_BACKOFF.minMs, detectionMs: HUNG_AFTER_MS },
  options: () => ({ spec: { hungAfterMs: HUNG_AFTER_MS } }),
});

/** Room for an actor's own needs, and little beyond: it is full in a moment. */
const OLD_GENERATION_MB = 24;
/** Some three times what a process of Node has from the beginning. */
const RESIDENT_BYTES = 240 * 2 ** 20;

export const memoryDrill = crashDrill({
  name: 'oom',
  how: 'memory',
  placements: ['thread', 'process'],
  hypothesis: 'An actor that eats up its memory ends at its limit; the application goes on, and the actor is restarted.',
  options: ({ placement }) => ({ spec: placement === 'process' ? { process: { maxRssBytes: RESIDENT_BYTES } } : { resourceLimits: { maxOldGenerationSizeMb: OLD_GENERATION_MB, maxYoungGenerationSizeMb: 8 } } }),
});
