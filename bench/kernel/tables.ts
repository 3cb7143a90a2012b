/** The tables of the kernel bench, one for each row of it that was measured, with the ratios to each peer. */
import { table } from '../statistics.ts';
import type { KernelResult } from './figures.ts';
import { WAYS, type Account, type Way } from './task.ts';

/** Lines to print, an empty one before each table. */
export function tablesOf(result: KernelResult): string[] {
  const tables = [rates(result), trips(result), control(result), overload(result), crowd(result)];
  return [...tables.flatMap((rows) => (rows.length > 1 ? ['', ...table(rows)] : [])), ...accounts(result)];
}

/** Accepted messages that nobody accounts for: the accounting law says none. */
export function unaccounted({ accepted, handled, others, queued }: Account): number {
  return accepted - handled - queued - Object.values(others).reduce((sum, count) => sum + count, 0);
}

type Rows = readonly (readonly string[])[];

function waysOf(figures: Partial<Record<Way, unknown>>): Way[] {
  return WAYS.filter((way) => figures[way] !== undefined);
}

function rates({ flow, local }: KernelResult): Rows {
  const rowsOf = (where: string, figures: Partial<Record<Way, number>>): string[][] => waysOf(figures).map((way) => [
    `${where}, ${way}`,
    millions(figures[way]!),
    ours(figures.Spillway, (own) => own / figures[way]!),
  ]);
  return [['one way, actor to actor', 'million/s', 'Spillway is'], ...rowsOf('two threads', flow), ...rowsOf('one thread', local)];
}

function trips({ trips }: KernelResult): Rows {
  const rows = Object.entries(trips).flatMap(([placement, figures]) => waysOf(figures).map((way) => {
    const { p50Us, p99Us } = figures[way]!;
    return [`${placement}, ${way}`, p50Us.toFixed(1), p99Us.toFixed(1), ours(figures.Spillway, (own) => own.p50Us / p50Us), ours(figures.Spillway, (own) => own.p99Us / p99Us)];
  }));
  return [['ask and answer between threads', 'p50, us', 'p99, us', 'Spillway is', 'of the p99'], ...rows];
}

function control({ control }: KernelResult): Rows {
  const rows = waysOf(control).map((way) => {
    const { p50Us, p99Us, maxUs, sent, shed, queuedMin } = control[way]!;
    return [way, ...[p50Us, p99Us, maxUs].map((us) => us.toFixed(1)), String(queuedMin), String(sent), String(shed)];
  });
  return [['control message past a full data lane', 'p50, us', 'p99, us', 'longest, us', 'data waiting', 'sent', 'shed'], ...rows];
}

function overload({ overload }: KernelResult): Rows {
  const rows = waysOf(overload).flatMap((way) => (['once', 'tenfold'] as const).map((load) => {
    const report = overload[way]![load];
    const { offered, refused, handled, queued, idleRssMb, peakRssMb, stoppedAfterS } = report;
    return [
      `${way}, ${load === 'once' ? '1 x' : '10 x'}${stoppedAfterS === undefined ? '' : `, stopped after ${stoppedAfterS.toFixed(1)} s`}`,
      ...[offered, refused, handled, queued].map(String),
      ...[idleRssMb, peakRssMb].map((mb) => mb.toFixed(1)),
      load === 'once' ? '' : times(peakRssMb / overload[way]!.once.peakRssMb),
    ];
  }));
  return [['load, of what the consumer takes', 'offered', 'refused', 'handled', 'queued at the end', 'idle, MB', 'peak, MB', '10 x / 1 x'], ...rows];
}

/** The accounting law, to the message; what is refused stays with its sender. */
function accounts({ overload }: KernelResult): string[] {
  const lines = waysOf(overload).flatMap((way) => (['once', 'tenfold'] as const).flatMap((load) => {
    const { account, refused } = overload[way]![load];
    if (account === undefined) return [];
    const { accepted, handled, others, queued } = account;
    const named = Object.entries({ handled, ...others, queued }).map(([name, count]) => `${count} ${name}`);
    return [`${way}, ${load === 'once' ? '1 x' : '10 x'}, at rest: ${accepted} accepted = ${named.join(' + ')}, and ${unaccounted(account)} unaccounted for; ${refused} refused`];
  }));
  return lines.length > 0 ? ['', ...lines] : [];
}

function crowd({ crowd }: KernelResult): Rows {
  const rows = waysOf(crowd).map((way) => {
    const { spawnedPerSecond, liveBytesPerActor, residentBytesPerActor, hopsPerSecond } = crowd[way]!;
    return [
      way,
      millions(spawnedPerSecond),
      ours(crowd.Spillway, (own) => own.spawnedPerSecond / spawnedPerSecond),
      liveBytesPerActor.toFixed(0),
      residentBytesPerActor.toFixed(0),
      ours(crowd.Spillway, (own) => own.residentBytesPerActor / residentBytesPerActor),
      millions(hopsPerSecond),
      ours(crowd.Spillway, (own) => own.hopsPerSecond / hopsPerSecond),
    ];
  });
  return [['a ring of light actors', 'million spawned/s', 'Spillway is', 'bytes each, live', 'resident', 'Spillway is', 'million hops/s', 'Spillway is'], ...rows];
}

function ours<T>(own: T | undefined, ratio: (own: T) => number): string {
  return own === undefined ? '-' : times(ratio(own));
}

function times(ratio: number): string {
  return `${ratio.toFixed(ratio < 10 ? 2 : 0)} x`;
}

function millions(perSecond: number): string {
  const millions = perSecond / 1e6;
  return millions.toFixed(millions >= 10 ? 1 : 3);
}
