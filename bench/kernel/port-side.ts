/** One of the two threads of port.ts. */
import { parentPort, workerData } from 'node:worker_threads';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { Pace, busy, nowUs } from './gauges.ts';
import { ENDS, SENT, TAKEN, type PortTask } from './port.ts';
import { Tally, checkTally, makeReading, type Reading } from './reading.ts';
import { CONTROL_EVERY_MS, CONTROL_HANDLER_US, OVERLOAD_HANDLER_US, WAITING_MESSAGES, warmUpOf } from './task.ts';
import type { ControlReport, FlowReport, ScenarioNamed, TripReport } from './task.ts';
import { Lateness } from './urgency.ts';

const task = workerData as PortTask;
const { port, urgentPort, role, scenario } = task;
const counts = new Int32Array(task.counts);
/** Taken messages that are credited together. */
const CREDIT = 100;

/** A control message of the row of that name; everything else is a reading. */
interface Urgent {
  readonly sentAtUs: number;
}

parentPort!.postMessage(await run());
if (role === 'a' && scenario.name !== 'overload') {
  port.close();
  urgentPort.close();
}

async function run(): Promise<FlowReport | TripReport | ControlReport | undefined> {
  const isA = role === 'a';
  switch (scenario.name) {
    case 'flow':
      return isA ? sendAll(scenario) : receiveAll(scenario);
    case 'trips':
      return isA ? call(scenario) : echo();
    case 'control':
      return isA ? flood(scenario) : attend();
    case 'overload':
      return isA ? offer(scenario) : consume();
    default:
      throw new TypeError(`Ports have no '${scenario.name}'.`);
  }
}

async function sendAll({ count }: ScenarioNamed<'flow'>): Promise<FlowReport> {
  const round = async (readings: number): Promise<number> => {
    const startedAtUs = nowUs();
    const all = new Promise((resolve) => port.once('message', resolve));
    for (let id = 0; id < readings; id++) port.postMessage(makeReading(id));
    await all;
    return (nowUs() - startedAtUs) / 1e3;
  };
  await round(warmUpOf(count));
  return { messages: count, elapsedMs: await round(count) };
}

async function receiveAll({ count }: ScenarioNamed<'flow'>): Promise<undefined> {
  for (const readings of [warmUpOf(count), count]) {
    const tally = new Tally();
    const add = (reading: Reading): void => tally.add(reading);
    port.on('message', add);
    await tally.reached(readings);
    port.off('message', add);
    checkTally(tally, readings);
    port.postMessage('all');
  }
}

async function call({ count }: ScenarioNamed<'trips'>): Promise<TripReport> {
  const roundTripsUs: number[] = [];
  const { promise: all, resolve: finish, reject } = Promise.withResolvers<void>();
  let last = nowUs();
  port.on('message', ({ id }: Reading) => {
    if (id !== roundTripsUs.length) reject(new Error('a message was lost or changed'));
    const now = nowUs();
    roundTripsUs.push(now - last);
    last = now;
    if (roundTripsUs.length === count) finish();
    else port.postMessage(makeReading(roundTripsUs.length));
  });
  port.postMessage(makeReading(0));
  await all;
  return { roundTripsUs: roundTripsUs.slice(warmUpOf(count)) };
}

function echo(): undefined {
  port.on('message', (reading: Reading) => port.postMessage(reading));
}

/** Keeps as many readings waiting as a lane holds, and sends a control message every millisecond. */
async function flood({ way, seconds }: ScenarioNamed<'control'>): Promise<undefined> {
  const commands = way === 'postMessage, own port' ? urgentPort : port;
  let sent = 0;
  let credited = 0;
  port.on('message', (credit: number) => void (credited += credit));
  const refill = (): void => {
    while (sent - credited < WAITING_MESSAGES) port.postMessage(makeReading(sent++));
  };
  refill();
  const untilUs = nowUs() + seconds * 1e6;
  for (let nextUs = nowUs(); nowUs() < untilUs; await turn()) {
    refill();
    if (nowUs() < nextUs) continue;
    nextUs += CONTROL_EVERY_MS * 1e3;
    Atomics.add(counts, SENT, 1);
    commands.postMessage({ sentAtUs: nowUs() });
  }
  // What waits is still handled, the last control messages with it.
  while (credited < sent - CREDIT) await pause(CONTROL_EVERY_MS);
  Atomics.store(counts, ENDS, 1);
}

async function attend(): Promise<ControlReport> {
  const lateness = new Lateness();
  let taken = 0;
  port.on('message', (message: Reading | Urgent) => {
    if ('sentAtUs' in message) return lateness.handled(message.sentAtUs);
    const beginUs = nowUs();
    busy(CONTROL_HANDLER_US);
    lateness.ran(beginUs, nowUs());
    if (++taken % CREDIT === 0) port.postMessage(CREDIT);
  });
  urgentPort.on('message', ({ sentAtUs }: Urgent) => lateness.handled(sentAtUs));
  while (Atomics.load(counts, ENDS) === 0) await pause(CONTROL_EVERY_MS);
  const { handled, ...late } = lateness.summary();
  const sent = Atomics.load(counts, SENT);
  return { ...late, sent, shed: sent - handled, queuedMin: WAITING_MESSAGES - CREDIT };
}

async function offer({ seconds, times }: ScenarioNamed<'overload'>): Promise<undefined> {
  // Once its consumer is there, it says so.
  await new Promise((resolve) => port.once('message', resolve));
  const pace = new Pace((times * 1e6) / OVERLOAD_HANDLER_US);
  let offered = 0;
  for (; pace.elapsedS < seconds && Atomics.load(counts, ENDS) === 0; await pause(1)) {
    for (let due = pace.due(); due > 0; due--) port.postMessage(makeReading(offered++));
    Atomics.store(counts, SENT, offered);
  }
}

function consume(): undefined {
  port.on('message', () => {
    busy(OVERLOAD_HANDLER_US);
    Atomics.add(counts, TAKEN, 1);
  });
  port.postMessage('here');
}
