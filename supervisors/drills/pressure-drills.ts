/** More than an actor can take: nobody dies, something has to give, and it must be the right thing. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { systemClock } from '../../kernel/index.ts';
import type { Drill, DrillRun, DrillRecord } from './drill.ts';
import { OWN_SYSTEM } from './crash-drills.ts';
import { STAGE_INTENSITY, SUBJECT, Stage, type StageOptions } from './stage.ts';

const NOBODY_RESTARTS = { restartsExpected: 0, faultMessages: 0 } as const;

interface PressureDrill extends Pick<Drill, 'name' | 'hypothesis'> {
  readonly options: StageOptions;
  /** Puts the pressure on and takes it off again. */
  press(stage: Stage, run: DrillRun): Promise<void>;
}

function pressureDrill({ name, hypothesis, options, press }: PressureDrill): Drill {
  return {
    name,
    hypothesis,
    blastRadius: OWN_SYSTEM,
    abortAfterMs: 30_000,
    placements: ['thread'],
    waits: { backoffMs: 0 },
    intensity: STAGE_INTENSITY,
    restartsExpected: 0,
    hold: (run): Promise<DrillRecord> =>
      Stage.with(run, options, async (stage) => {
        await stage.begin();
        const faultMs = systemClock.monotonicMs();
        if (run.withFault) {
          await press(stage, run);
          await stage.until('the system was ready again', () => stage.system.readiness().ready, () => stage.lookout.look());
          stage.lookout.noteReady();
        }
        return stage.finish(faultMs, NOBODY_RESTARTS);
      }),
  };
}

/** A lane that some forty messages fill. */
const SMALL_LANE_BYTES = 4_096;
const STUCK_MS = 100;
const FLOOD = 200;
const CONTROL_ASKS = 20;

export const ringFullDrill = pressureDrill({
  name: 'ring-full',
  hypothesis: 'A full data lane refuses its senders, loses nothing that it took, and lets every control message pass.',
  options: { spec: { mailbox: { dataBytes: SMALL_LANE_BYTES } } },
  async press({ load, lookout, subject, check }: Stage) {
    // One message that takes its time, and the others pile up behind it.
    await subject.ask('slow', { serviceMs: STUCK_MS }, { deadlineMs: 10_000 });
    const stuck = load.ask('data');
    let refused = 0;
    for (let count = 0; count < FLOOD; count++) if (load.tell('data') < 0) refused++;
    if (refused > 0) lookout.noteDetected();
    lookout.look();
    const before = load.attempts.control.of('acknowledged');
    for (let count = 0; count < CONTROL_ASKS; count++) await load.ask('control');
    const passed = load.attempts.control.of('acknowledged') - before;
    await subject.ask('slow', { serviceMs: 0 }, { deadlineMs: 10_000 });
    await stuck;
    check('the full lane refuses its senders', refused > 0, `${refused} of ${FLOOD} were refused`);
    check('control passes while the data lane is full', passed >= CONTROL_ASKS, `${passed} of ${CONTROL_ASKS}`);
  },
});

const LINES = 20_000;
/** Far more than the lane takes, also while it is emptied. */
const BURST = 5_000;

export const telemetryFloodDrill = pressureDrill({
  name: 'telemetry-flood',
  hypothesis: 'A flood of telemetry is lost in part, counted, and holds up neither control nor data.',
  options: {},
  async press({ load, lookout, check }: Stage) {
    const { control, data } = load.attempts;
    const before = [control.of('acknowledged'), data.of('acknowledged')] as const;
    let shed = 0;
    for (let line = 0; line < LINES; line += BURST) {
      for (let inBurst = 0; inBurst < BURST; inBurst++) if (load.tell('telemetry') < 0) shed++;
      if (shed > 0) lookout.noteDetected();
      lookout.look();
      await Promise.all([load.ask('control'), load.ask('data')]);
      await nextTurn();
    }
    const turns = LINES / BURST;
    check('the flood is shed', shed > 0, `${shed} of ${LINES} lines`);
    check('control goes on through the flood', control.of('acknowledged') - before[0] >= turns, control.of('acknowledged') - before[0]);
    check('data go on through the flood', data.of('acknowledged') - before[1] >= turns, data.of('acknowledged') - before[1]);
  },
});

const SERVICE_MS = 4;
const HURRIED = 60;
const HURRIED_MS = 60;
const PATIENT = 40;

export const slowConsumerDrill = pressureDrill({
  name: 'slow-consumer',
  hypothesis: 'An actor that is too slow is waited for within bounds: what is over its deadline is never begun, the rest is done, and control is answered at once.',
  options: { spec: { mailbox: { dataBytes: 4 * SMALL_LANE_BYTES } } },
  async press({ load, lookout, subject, system, check }: Stage, run: DrillRun) {
    await subject.ask('slow', { serviceMs: SERVICE_MS }, { deadlineMs: 10_000 });
    const asks = Array.from({ length: HURRIED }, () => load.ask('data', HURRIED_MS * (0.5 + run.random.next())));
    for (let count = 0; count < PATIENT; count++) asks.push(load.ask('data'));
    lookout.look();
    let capacityBytes = 0;
    let mostBytes = 0;
    const { control } = load.attempts;
    const before = control.of('acknowledged');
    for (let count = 0; count < CONTROL_ASKS; count++) {
      await load.ask('control');
      const lane = system.inspect().threads.find(({ name }) => name === SUBJECT)!.lanes.data;
      capacityBytes = lane.capacityBytes;
      mostBytes = Math.max(mostBytes, lane.levelBytes);
    }
    await Promise.all(asks);
    const late = load.attempts.data.codes['ask_deadline'] ?? 0;
    if (late > 0) lookout.noteDetected();
    await subject.ask('slow', { serviceMs: 0 }, { deadlineMs: 10_000 });
    check('what is over its deadline is given up', late > 0, `${late} of ${HURRIED} asks`);
    check('the queue stays within its bounds', mostBytes <= capacityBytes, `${mostBytes} of ${capacityBytes} bytes`);
    check('control is answered by a slow actor', control.of('acknowledged') - before >= CONTROL_ASKS, control.of('acknowledged') - before);
  },
});
