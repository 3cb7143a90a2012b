/** What the processes of the kernel bench tell each other: scenarios there, reports back. */

/** Everybody who takes part; each in a process of its own. */
export const WAYS = [
  'Spillway',
  'Spillway, event loop',
  'BEAM',
  'BEAM, no busy wait',
  'postMessage',
  'postMessage, own port',
  'piscina',
  'tinypool',
  'workerpool',
  'comlink',
  'nact',
] as const;
export type Way = (typeof WAYS)[number];

/** See ../kernel.ts for their topology. */
export type Scenario =
  | { readonly name: 'flow'; readonly way: Way; readonly count: number }
  | { readonly name: 'local'; readonly way: Way; readonly count: number }
  | { readonly name: 'trips'; readonly way: Way; readonly count: number }
  | { readonly name: 'control'; readonly way: Way; readonly seconds: number }
  | {
      readonly name: 'overload';
      readonly way: Way;
      readonly seconds: number;
      /** Messages offered, in multiples of what the consumer takes. */
      readonly times: number;
    }
  | { readonly name: 'crowd'; readonly way: Way; readonly actors: number; readonly laps: number };

export type Row = Scenario['name'];
export type ScenarioNamed<N extends Row> = Extract<Scenario, { name: N }>;

/** From the first message's sending until its sender knows that the receiver has them all. */
export interface FlowReport {
  readonly messages: number;
  readonly elapsedMs: number;
}

/** Each trip but those of the warm-up. */
export interface TripReport {
  readonly roundTripsUs: readonly number[];
}

export interface ControlReport {
  /** From sending a control message to its handling, less what was left of the handler that ran then. */
  readonly p50Us: number;
  readonly p99Us: number;
  readonly maxUs: number;
  readonly sent: number;
  /** Sent, and never handled. */
  readonly shed: number;
  /** The fewest data messages that were seen waiting in front of the actor. */
  readonly queuedMin: number;
}

export interface OverloadReport {
  readonly offered: number;
  /** Offers that were refused: they stay with their sender, who here lets them go. */
  readonly refused: number;
  /** When the load ended. */
  readonly handled: number;
  /** Accepted and still waiting then. */
  readonly queued: number;
  /** Where messages are accounted for: the account once all is quiet. */
  readonly account?: Account;
  readonly idleRssMb: number;
  readonly peakRssMb: number;
  /** Seconds after which the load was ended since memory ran away; undefined where it was not. */
  readonly stoppedAfterS?: number;
}

/** accepted = handled + the sum of the others + queued, or messages have been lost without a trace. */
export interface Account {
  readonly accepted: number;
  readonly handled: number;
  /** Shed, expired, dead letters: whatever counts are not zero, by their names. */
  readonly others: Readonly<Record<string, number>>;
  /** 0 where the actor has taken all that waited, as it does once the load has ended. */
  readonly queued: number;
}

export interface CrowdReport {
  readonly spawnedPerSecond: number;
  /** Live bytes by the runtime's own account, after a collection; without what its threads share. */
  readonly liveBytesPerActor: number;
  /** Growth of the process. */
  readonly residentBytesPerActor: number;
  /** Of the fastest lap. */
  readonly hopsPerSecond: number;
}

export interface Reports {
  readonly flow: FlowReport;
  readonly local: FlowReport;
  readonly trips: TripReport;
  readonly control: ControlReport;
  readonly overload: OverloadReport;
  readonly crowd: CrowdReport;
}

/** What each message costs its handler in the rows in which the handler is what limits. */
export const CONTROL_HANDLER_US = 20;
export const OVERLOAD_HANDLER_US = 200;
/** Data messages that wait in front of the actor in the row of control: a data lane holds no fewer. */
export const WAITING_MESSAGES = 10_000;
export const CONTROL_EVERY_MS = 1;
/** A process whose queue has no bound is not let further than this. */
export const RESIDENT_LIMIT_MB = 2_000;

/** Until then the code is still being compiled, on the same core if there is but one. */
export function warmUpOf(count: number): number {
  return Math.floor(count / 4);
}
