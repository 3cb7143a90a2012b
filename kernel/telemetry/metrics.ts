/**
 * What `system.inspect()` shows, as instruments of OpenTelemetry: all observable, read when a reader
 * collects, by one inspection for all of them. Nothing is recorded on any message's way.
 *
 * Names and units follow OpenTelemetry's semantic conventions: what is counted in braces, seconds for
 * times, bytes for sizes. Only OpenTelemetry's API is needed here; who collects is up to the application.
 */
import { metrics, type Attributes, type BatchObservableResult, type Meter, type Observable } from '@opentelemetry/api';
import { ACTOR_COUNTS, type ActorCount } from '../board.ts';
import { LANES } from '../lanes.ts';
import { MAILBOX_MODES } from '../mailbox/mailbox-spec.ts';
import { DEAD_LETTER_REASONS, THREAD_STATES, type ThreadCounter } from '../thread-block.ts';
import { ActorSeriesChoice, type ActorSeries } from './actor-series.ts';
import type { Inspection, ThreadInspection } from './inspection.ts';
import type { LatencySnapshot } from './latency-histogram.ts';

export interface MetricsOptions {
  readonly inspect: () => Inspection;
  /** Default: the meter `spillway` of the provider that is registered when `registerMetrics` is called. */
  readonly meter?: Meter;
  /** Which actors have series of their own; its bound is the bound of the series. */
  readonly actors?: ActorSeriesChoice;
}

const MICROS_PER_SECOND = 1_000_000;
const MS_PER_SECOND = 1_000;

/** Counters of a thread that are the ends of messages, and what the end is called. */
const OUTCOMES: readonly (readonly [ThreadCounter, string])[] = [
  ['handled', 'handled'],
  ['failed', 'failed'],
  ['refused', 'refused'],
  ['telemetryLost', 'telemetry_lost'],
];
const SHED_REASONS: readonly ThreadCounter[] = ['dropped_newest', 'dropped_oldest', 'conflated', 'flushed'];
const ACTOR_OUTCOMES: readonly (readonly [ActorCount, string])[] = ACTOR_COUNTS.filter((name) => name !== 'arrived').map((name) => {
  return [name, name === 'deadLettered' ? 'dead_lettered' : name];
});

/**
 * Registers the instruments. Register the application's provider first: the API hands out idle meters
 * before, which stay idle.
 * @returns takes them away again
 */
export function registerMetrics(options: MetricsOptions): () => void {
  const { inspect, meter = metrics.getMeter('spillway'), actors = new ActorSeriesChoice() } = options;
  const instruments = createInstruments(meter);
  const observe = (result: BatchObservableResult): void => {
    const inspection = inspect();
    for (const thread of inspection.threads) observeThread(result, instruments, thread);
    for (const series of actors.seriesOf(inspection)) observeActors(result, instruments, series);
  };
  const all = Object.values(instruments);
  meter.addBatchObservableCallback(observe, all);
  return () => meter.removeBatchObservableCallback(observe, all);
}

type Instruments = ReturnType<typeof createInstruments>;

function createInstruments(meter: Meter) {
  const counter = (name: string, unit: string, description: string): Observable => meter.createObservableCounter(name, { unit, description });
  const sum = (name: string, unit: string, description: string): Observable => meter.createObservableUpDownCounter(name, { unit, description });
  const gauge = (name: string, unit: string, description: string): Observable => meter.createObservableGauge(name, { unit, description });
  return {
    sent: counter('spillway.thread.sent', '{message}', 'Messages that the actors of the thread have sent.'),
    messages: counter('spillway.thread.messages', '{message}', 'Messages by their ends.'),
    shed: counter('spillway.thread.shed', '{message}', 'Messages that mailboxes have shed by their policies.'),
    deadLetters: counter('spillway.thread.dead_letters', '{message}', 'Messages that no handler saw, by reason.'),
    redelivered: counter('spillway.thread.redelivered', '{message}', 'Messages that were handled again after the end of a life.'),
    untold: counter('spillway.thread.dead_letters_untold', '{message}', 'Dead letters that subscribers were not told of.'),
    restarts: counter('spillway.thread.restarts', '{restart}', 'How often the thread was started again.'),
    hangs: counter('spillway.thread.hangs', '{hang}', 'How often the thread was held for longer than the system permits.'),
    turns: counter('spillway.thread.turns', '{turn}', 'Turns of the loop of the thread, modulo 2^32.'),
    state: sum('spillway.thread.state', '1', '1 for the state that the thread is in, 0 for the others.'),
    handling: gauge('spillway.thread.handling', 's', 'For how long a handler has held the thread.'),
    laneLevel: sum('spillway.lane.level', 'By', 'What waits in the lanes to the thread.'),
    laneCapacity: sum('spillway.lane.capacity', 'By', 'Record space of the lanes to the thread.'),
    lanePressured: sum('spillway.lane.pressured', '1', '1 while a lane is above its marks.'),
    laneOffered: counter('spillway.lane.offered', '{message}', 'Messages put into the lane.'),
    laneConsumed: counter('spillway.lane.consumed', '{message}', 'Messages taken from the lane.'),
    laneRefused: counter('spillway.lane.refused', '{message}', 'Messages refused for lack of room.'),
    laneLatency: gauge('spillway.lane.latency.quantile', 's', 'From sending to the begin of the handler, since the start.'),
    arrived: counter('spillway.actor.arrived', '{message}', 'Messages that have come to the actor.'),
    actorMessages: counter('spillway.actor.messages', '{message}', 'Messages of the actor by their ends.'),
    actorLatency: gauge('spillway.actor.latency.quantile', 's', 'From sending to the begin of the handler, since the start.'),
    mailboxLevel: sum('spillway.mailbox.level', '{message}', 'Messages that wait in the mailbox.'),
    mailboxMode: sum('spillway.mailbox.mode', '{mailbox}', 'Mailboxes in the mode.'),
  };
}

function observeThread(result: BatchObservableResult, to: Instruments, thread: ThreadInspection): void {
  if (thread.state === 'vacant') return;
  const of = threadAttributes(thread);
  const { counters } = thread;
  result.observe(to.sent, counters.sent, of);
  for (const [name, outcome] of OUTCOMES) result.observe(to.messages, counters[name], { ...of, 'spillway.message.outcome': outcome });
  for (const reason of SHED_REASONS) result.observe(to.shed, counters[reason], { ...of, 'spillway.shed.reason': reason });
  for (const reason of DEAD_LETTER_REASONS) result.observe(to.deadLetters, counters[reason], { ...of, 'spillway.dead_letter.reason': reason });
  result.observe(to.redelivered, counters.redelivered, of);
  result.observe(to.untold, counters.deadLettersUntold, of);
  result.observe(to.restarts, thread.restarts, of);
  result.observe(to.hangs, thread.hangs, of);
  result.observe(to.turns, thread.turns, of);
  for (const state of THREAD_STATES) result.observe(to.state, state === thread.state ? 1 : 0, { ...of, 'spillway.thread.state': state });
  result.observe(to.handling, (thread.handling?.forMs ?? 0) / MS_PER_SECOND, of);
  for (const lane of LANES) {
    const shown = thread.lanes[lane];
    const ofLane = { ...of, 'spillway.lane': lane };
    result.observe(to.laneLevel, shown.levelBytes, ofLane);
    result.observe(to.laneCapacity, shown.capacityBytes, ofLane);
    result.observe(to.lanePressured, shown.pressured ? 1 : 0, ofLane);
    result.observe(to.laneOffered, shown.offered, ofLane);
    result.observe(to.laneConsumed, shown.consumed, ofLane);
    result.observe(to.laneRefused, shown.refused, ofLane);
    observeLatency(result, to.laneLatency, shown.latency, ofLane);
  }
}

function observeActors(result: BatchObservableResult, to: Instruments, { thread, name, level, modes, counts, latency }: ActorSeries): void {
  const of = { ...threadAttributes(thread), 'spillway.actor.name': name };
  result.observe(to.mailboxLevel, level, of);
  for (const mode of MAILBOX_MODES) result.observe(to.mailboxMode, modes.get(mode) ?? 0, { ...of, 'spillway.mailbox.mode': mode });
  if (counts !== undefined) {
    result.observe(to.arrived, counts.arrived, of);
    for (const [count, outcome] of ACTOR_OUTCOMES) result.observe(to.actorMessages, counts[count], { ...of, 'spillway.message.outcome': outcome });
  }
  if (latency !== undefined) observeLatency(result, to.actorLatency, latency, of);
}

function observeLatency(result: BatchObservableResult, to: Observable, latency: LatencySnapshot, of: Attributes): void {
  if (latency.count === 0) return;
  const { p50, p90, p99, max } = latency;
  for (const [quantile, micros] of [[0.5, p50], [0.9, p90], [0.99, p99], [1, max]] as const) {
    result.observe(to, micros / MICROS_PER_SECOND, { ...of, 'spillway.quantile': quantile });
  }
}

/** As every series of a thread names it. */
export function threadAttributes({ id, name }: ThreadInspection): Attributes {
  return { 'thread.id': id, 'thread.name': name };
}
