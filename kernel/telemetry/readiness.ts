/**
 * Whether the system should be given work at present, and if not, why: a pure function of what
 * `system.inspect()` shows. The reasons are a closed list, and their number is bounded by the threads.
 */
import { formatAddress } from '../address.ts';
import type { ActorInspection, Inspection, ThreadInspection } from './inspection.ts';

export const READINESS_CODES = ['starting', 'closing', 'thread_down', 'thread_hung', 'data_pressured', 'mailbox_dropping'] as const;
export type ReadinessCode = (typeof READINESS_CODES)[number];

interface OfThread {
  readonly thread: { readonly id: number; readonly name: string };
}

export type ReadinessReason =
  | { readonly code: 'starting' }
  | { readonly code: 'closing' }
  | (OfThread & { readonly code: 'thread_down'; readonly state: 'crashed' | 'restarting' | 'starting' })
  | (OfThread & { readonly code: 'thread_hung'; readonly actor: string; readonly forMs: number })
  | (OfThread & { readonly code: 'data_pressured'; readonly levelBytes: number; readonly highMarkBytes: number })
  /** `actors` names the first few, `count` says how many there are on the thread. */
  | (OfThread & { readonly code: 'mailbox_dropping'; readonly actors: readonly string[]; readonly count: number });

export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly ReadinessReason[];
}

export interface ReadinessThresholds {
  /** How long one handler may hold its thread. */
  readonly handlingMsMax: number;
  /** Threads whose data lanes may be pressured at the same time. */
  readonly pressuredThreadsMax: number;
  /** Mailboxes that may drop messages at the same time. */
  readonly droppingMailboxesMax: number;
}

export const DEFAULT_READINESS_THRESHOLDS: ReadinessThresholds = {
  handlingMsMax: 5_000,
  pressuredThreadsMax: 0,
  droppingMailboxesMax: 0,
};

const NAMED_ACTORS_MAX = 5;

export function readinessOf(inspection: Inspection, thresholds: Partial<ReadinessThresholds> = {}): Readiness {
  const { handlingMsMax, pressuredThreadsMax, droppingMailboxesMax } = { ...DEFAULT_READINESS_THRESHOLDS, ...thresholds };
  const { phase, threads } = inspection;
  const pressured = threads.flatMap(pressure);
  const dropping = threads.flatMap(drops);
  const droppingCount = dropping.reduce((sum, { count }) => sum + count, 0);
  const reasons: ReadinessReason[] = [
    ...(phase === 'running' ? [] : [{ code: phase }]),
    ...threads.flatMap(down),
    ...threads.flatMap((thread) => hang(thread, handlingMsMax)),
    ...(pressured.length > pressuredThreadsMax ? pressured : []),
    ...(droppingCount > droppingMailboxesMax ? dropping : []),
  ];
  return { ready: reasons.length === 0, reasons };
}

type ReasonOf<Code extends ReadinessCode> = Extract<ReadinessReason, { code: Code }>;

/** A thread that has stopped has done its work, and one that is new was not counted on yet; one that is to come back is missing. */
function down({ id, name, state, restarts }: ThreadInspection): ReasonOf<'thread_down'>[] {
  return state === 'crashed' || state === 'restarting' || (state === 'starting' && restarts > 0) ? [{ code: 'thread_down', thread: { id, name }, state }] : [];
}

function hang({ id, name, handling }: ThreadInspection, handlingMsMax: number): ReasonOf<'thread_hung'>[] {
  if (handling === undefined || handling.forMs <= handlingMsMax) return [];
  return [{ code: 'thread_hung', thread: { id, name }, actor: handling.actor, forMs: handling.forMs }];
}

function pressure({ id, name, lanes }: ThreadInspection): ReasonOf<'data_pressured'>[] {
  const { pressured, levelBytes, highMarkBytes } = lanes.data;
  return pressured ? [{ code: 'data_pressured', thread: { id, name }, levelBytes, highMarkBytes }] : [];
}

function drops({ id, name, actors }: ThreadInspection): ReasonOf<'mailbox_dropping'>[] {
  const dropping = actors.filter(({ mode }) => mode === 'drop' || mode === 'flush');
  if (dropping.length === 0) return [];
  const names = dropping.slice(0, NAMED_ACTORS_MAX).map(nameOf);
  return [{ code: 'mailbox_dropping', thread: { id, name }, actors: names, count: dropping.length }];
}

function nameOf({ name, address }: ActorInspection): string {
  return name === '' ? formatAddress(address) : name;
}
