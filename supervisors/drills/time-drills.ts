/** Time that does not pass as one thinks: a wall clock that is set, and an application that stands still. */
import { Doorbell } from 'atomics-ring-buffer';
import { systemClock } from '../../kernel/index.ts';
import { OWN_SYSTEM, holdCrash } from './crash-drills.ts';
import type { Drill, DrillRecord } from './drill.ts';
import { STAGE_BACKOFF, STAGE_INTENSITY, SUBJECT, Stage } from './stage.ts';
import { shiftWallClock } from './subject.ts';

const DAY_MS = 86_400_000;
const TIMER_MS = 20;
/** Far more than a timer of twenty milliseconds is ever late, and far less than a day. */
const TIMER_MS_MAX = 5_000;

export const clockJumpDrill: Drill = {
  name: 'clock-jump',
  hypothesis: 'Whoever sets the wall clock changes no deadline, no timer and no back-off: all of them follow the monotonic clock.',
  blastRadius: `${OWN_SYSTEM} Date.now of the application's own thread is a day off while a run lasts.`,
  abortAfterMs: 20_000,
  placements: ['thread'],
  waits: { backoffMs: STAGE_BACKOFF.minMs },
  intensity: STAGE_INTENSITY,
  restartsExpected: 1,
  async hold(run) {
    let restore = (): void => {};
    try {
      return await holdCrash(run, {}, async (stage) => {
        const byMs = run.random.fork('direction').next() < 0.5 ? -DAY_MS : DAY_MS;
        restore = shiftWallClock(byMs);
        await stage.subject.ask('shiftClock', { byMs }, { deadlineMs: 10_000 });
        const tookMs = await timerOf(stage);
        stage.check('a timer fires when it is due', tookMs >= TIMER_MS - 1 && tookMs < TIMER_MS_MAX, `after ${tookMs} ms`);
        const { codes } = stage.load.attempts.data;
        stage.check('no deadline passes early', codes['ask_deadline'] === undefined, codes['ask_deadline'] ?? 0);
        const faultMs = systemClock.monotonicMs();
        stage.subject.tell('fail', { how: 'throw' });
        return faultMs;
      });
    } finally {
      restore();
    }
  },
};

/** How long a timer of the subject's takes. */
async function timerOf({ subject, load }: Stage): Promise<number> {
  await subject.ask('slow', { serviceMs: TIMER_MS }, { deadlineMs: 10_000 });
  const beganMs = performance.now();
  await load.ask('data');
  const tookMs = performance.now() - beganMs;
  await subject.ask('slow', { serviceMs: 0 }, { deadlineMs: 10_000 });
  return tookMs;
}

const BLOCKED_RESTARTS = 2;
const ASKS_WHILE_BLOCKED = 4;
const LOOK_MS = 1;

/** @param blockedMs how long the application's thread stands still */
export function blockedApplicationDrill(blockedMs: number): Drill {
  return {
    name: 'blocked-application',
    hypothesis: `Restarts are nobody's business but the supervisor's: while the application's thread stands still for ${blockedMs / 1_000} s, an actor that fails again and again comes back each time.`,
    blastRadius: `${OWN_SYSTEM} The thread that holds the drill does nothing else for ${blockedMs / 1_000} s of each run.`,
    abortAfterMs: blockedMs + 20_000,
    placements: ['thread'],
    waits: { backoffMs: STAGE_BACKOFF.minMs },
    intensity: STAGE_INTENSITY,
    restartsExpected: BLOCKED_RESTARTS,
    hold: (run): Promise<DrillRecord> =>
      Stage.with(run, {}, async (stage) => {
        await stage.begin();
        const faultMs = systemClock.monotonicMs();
        if (run.withFault) {
          const lives = failWhileBlocked(stage, blockedMs);
          stage.check('each restart is seen while the application is blocked', lives === 1 + BLOCKED_RESTARTS, `life ${lives} of ${1 + BLOCKED_RESTARTS}`);
          await stage.restarted();
        }
        return stage.finish(faultMs, { restartsExpected: run.withFault ? BLOCKED_RESTARTS : 0, faultMessages: BLOCKED_RESTARTS });
      }),
  };
}

/** Not one turn of the event loop from here until it returns. @returns the life that was seen last */
function failWhileBlocked({ system, subject, load, lookout }: Stage, blockedMs: number): number {
  const nobody = new Doorbell(new Int32Array(new SharedArrayBuffer(4)), 0);
  const beganMs = systemClock.monotonicMs();
  const shown = system.thread(SUBJECT);
  let told = 0;
  let seen = 1;
  for (let passedMs = 0; passedMs < blockedMs; passedMs = systemClock.monotonicMs() - beganMs) {
    if (shown.state === 'running') seen = shown.incarnation;
    // At once, so that the last restart also has time on a busy machine.
    if (told < BLOCKED_RESTARTS && seen === told + 1) {
      subject.tell('fail', { how: 'throw' });
      told++;
      // Asked now, handled by the next life, answered when the application goes on.
      for (let ask = 0; ask < ASKS_WHILE_BLOCKED; ask++) void load.ask('data');
    }
    lookout.look();
    nobody.arm();
    nobody.park(LOOK_MS);
  }
  return seen;
}

/** As the promise has it: five seconds. */
export const BLOCKED_MS = 5_000;
