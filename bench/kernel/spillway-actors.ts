/**
 * The actors of our side that have threads of their own.
 *
 *   flow      source ── reading ──> sink
 *   trips     caller <── echo ──> echoer
 *   control   source ── reading ──> patient <── urgent ── commander
 *   overload  offerer ── reading ──> worker
 */
import { setTimeout as pause } from 'node:timers/promises';
import { BACK_PRESSURED, resultName } from 'atomics-ring-buffer';
import { SpillwayError, defineActor, defineProtocol } from '../../kernel/index.ts';
import { Pace, busy, nap, nowUs } from './gauges.ts';
import { READING_SCHEMA, checkTally, makeReading } from './reading.ts';
import { CONTROL_EVERY_MS, CONTROL_HANDLER_US, OVERLOAD_HANDLER_US, warmUpOf } from './task.ts';
import { Lateness } from './urgency.ts';

const SETTLE_MS = 60_000;
const US_LIST = { elements: { type: 'float64' }, metadata: { typedArray: true } } as const;

export const sinkProtocol = defineProtocol('sink', {
  reading: { request: READING_SCHEMA },
  /** What has come so far, and from then on the count begins anew. On the lane of the readings, so behind them. */
  settle: { request: { properties: {} }, reply: { properties: { count: { type: 'float64' }, sum: { type: 'float64' } } } },
});

export const sink = defineActor({
  protocol: sinkProtocol,
  waiting: 'park',
  start() {
    let count = 0;
    let sum = 0;
    return {
      handlers: {
        reading({ value }) {
          count++;
          sum += value;
        },
        settle() {
          const settled = { count, sum };
          [count, sum] = [0, 0];
          return settled;
        },
      },
    };
  },
});

export const sourceProtocol = defineProtocol('source', {
  pump: { request: { properties: { count: { type: 'uint32' } } }, reply: { properties: { elapsedMs: { type: 'float64' } } } },
});

export const source = defineActor({
  protocol: sourceProtocol,
  waiting: 'park',
  start(context) {
    return {
      handlers: {
        async pump({ count }) {
          const sink = await context.resolve('sink', sinkProtocol);
          const round = async (readings: number): Promise<number> => {
            const startedAtUs = nowUs();
            for (let id = 0; id < readings; id++) {
              const reading = makeReading(id);
              while (!isAccepted(sink.tell('reading', reading))) nap();
            }
            checkTally(await persistently(() => sink.ask('settle', {}, { deadlineMs: SETTLE_MS })), readings);
            return (nowUs() - startedAtUs) / 1e3;
          };
          await round(warmUpOf(count));
          return { elapsedMs: await round(count) };
        },
      },
    };
  },
});

/** @throws Error for any refusal but that of a full lane */
function isAccepted(result: number): boolean {
  if (result < 0 && result !== BACK_PRESSURED) throw new Error(`a message was refused: ${resultName(result)}`);
  return result >= 0;
}

/** An ask finds no room in a lane full of readings, and then tries again. */
async function persistently<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof SpillwayError) || error.code !== 'ask_refused') throw error;
      nap();
    }
  }
}

export const echoerProtocol = defineProtocol('echoer', { echo: { request: READING_SCHEMA, reply: READING_SCHEMA } });

export const echoer = defineActor({
  protocol: echoerProtocol,
  start: () => ({ handlers: { echo: (reading) => reading } }),
});
export const parkedEchoer = defineActor({ ...echoer, waiting: 'park' });

export const callerProtocol = defineProtocol('caller', {
  call: { request: { properties: { count: { type: 'uint32' } } }, reply: { properties: { roundTripsUs: US_LIST } } },
});

export const caller = defineActor({
  protocol: callerProtocol,
  start(context) {
    return {
      handlers: {
        async call({ count }) {
          const echoer = await context.resolve('echoer', echoerProtocol);
          const roundTripsUs = new Float64Array(count);
          for (let id = 0, last = nowUs(); id < count; id++) {
            const answer = await echoer.ask('echo', makeReading(id), { deadlineMs: SETTLE_MS });
            if (answer.id !== id) throw new Error('a message was lost or changed');
            // One look at the clock for each trip: the end of one is the start of the next.
            const now = nowUs();
            roundTripsUs[id] = now - last;
            last = now;
          }
          return { roundTripsUs: roundTripsUs.subarray(warmUpOf(count)) };
        },
      },
    };
  },
});
export const parkedCaller = defineActor({ ...caller, waiting: 'park' });

export const patientProtocol = defineProtocol('patient', {
  reading: { request: READING_SCHEMA },
  urgent: { lane: 'control', request: { properties: { sentAtUs: { type: 'float64' } } } },
  report: {
    lane: 'control',
    request: { properties: {} },
    reply: { properties: { p50Us: { type: 'float64' }, p99Us: { type: 'float64' }, maxUs: { type: 'float64' }, handled: { type: 'uint32' } } },
  },
});
export const PATIENT_COUNTERS = ['taken'] as const;

export const patient = defineActor({
  protocol: patientProtocol,
  waiting: 'park',
  counters: PATIENT_COUNTERS,
  start(context) {
    const lateness = new Lateness();
    return {
      handlers: {
        reading() {
          const beginUs = nowUs();
          context.counters.add('taken');
          busy(CONTROL_HANDLER_US);
          lateness.ran(beginUs, nowUs());
        },
        urgent: ({ sentAtUs }) => lateness.handled(sentAtUs),
        report: () => lateness.summary(),
      },
    };
  },
});

export const floodProtocol = defineProtocol('flood', {
  flood: { request: { properties: { seconds: { type: 'float64' } } }, reply: { properties: { accepted: { type: 'float64' } } } },
});
export const FLOOD_COUNTERS = ['accepted', 'refused'] as const;

/** Keeps the data lane full: whenever it is refused, it comes again a moment later. */
export const flood = defineActor({
  protocol: floodProtocol,
  counters: FLOOD_COUNTERS,
  start(context) {
    return {
      handlers: {
        async flood({ seconds }) {
          const patient = await context.resolve('patient', patientProtocol);
          const untilUs = nowUs() + seconds * 1e6;
          let accepted = 0;
          while (nowUs() < untilUs) {
            while (isAccepted(patient.tell('reading', makeReading(accepted)))) {
              accepted++;
              context.counters.add('accepted');
            }
            context.counters.add('refused');
            await pause(1);
          }
          return { accepted };
        },
      },
    };
  },
});

export const commanderProtocol = defineProtocol('commander', {
  command: { request: { properties: { seconds: { type: 'float64' } } }, reply: { properties: { sent: { type: 'uint32' }, refused: { type: 'uint32' } } } },
});

export const commander = defineActor({
  protocol: commanderProtocol,
  start(context) {
    return {
      handlers: {
        async command({ seconds }) {
          const patient = await context.resolve('patient', patientProtocol);
          const untilUs = nowUs() + seconds * 1e6;
          let sent = 0;
          let refused = 0;
          for (; nowUs() < untilUs; await pause(CONTROL_EVERY_MS)) {
            if (isAccepted(patient.tell('urgent', { sentAtUs: nowUs() }))) sent++;
            else refused++;
          }
          return { sent, refused };
        },
      },
    };
  },
});

export const workerProtocol = defineProtocol('worker', { reading: { request: READING_SCHEMA } });

export const worker = defineActor({
  protocol: workerProtocol,
  waiting: 'park',
  start: () => ({ handlers: { reading: () => busy(OVERLOAD_HANDLER_US) } }),
});

export const offererProtocol = defineProtocol('offerer', {
  offer: {
    request: { properties: { seconds: { type: 'float64' }, perSecond: { type: 'float64' } } },
    reply: { properties: { offered: { type: 'float64' }, refused: { type: 'float64' } } },
  },
});

/** Offers at its own pace, whatever the consumer takes: what is refused, it lets go. */
export const offerer = defineActor({
  protocol: offererProtocol,
  start(context) {
    return {
      handlers: {
        async offer({ seconds, perSecond }) {
          const worker = await context.resolve('worker', workerProtocol);
          const pace = new Pace(perSecond);
          let offered = 0;
          let refused = 0;
          for (; pace.elapsedS < seconds; await pause(1)) {
            for (let due = pace.due(); due > 0; due--) if (!isAccepted(worker.tell('reading', makeReading(offered++)))) refused++;
          }
          return { offered, refused };
        },
      },
    };
  },
});
