/**
 * The figures of all rounds. Ways take turns within a round, so that drift hits all of them, and a figure is
 * the median over the rounds. A way that fails is missing from its row, and why is told.
 */
import { median, quantile } from '../statistics.ts';
import type { Placement } from './launch.ts';
import type { ControlReport, CrowdReport, FlowReport, OverloadReport, Row, TripReport, Way } from './task.ts';

export interface Trip {
  readonly p50Us: number;
  readonly p99Us: number;
}

export interface Load {
  /** At the consumer's own pace, and at ten times that. */
  readonly once: OverloadReport;
  readonly tenfold: OverloadReport;
}

export interface Failure {
  readonly row: Row;
  readonly way: Way;
  readonly message: string;
}

/** What the bench answers with `--json`. Rates are per second. */
export interface KernelResult {
  readonly flow: Partial<Record<Way, number>>;
  readonly local: Partial<Record<Way, number>>;
  readonly trips: Partial<Record<Placement, Partial<Record<Way, Trip>>>>;
  readonly control: Partial<Record<Way, ControlReport>>;
  readonly overload: Partial<Record<Way, Load>>;
  readonly crowd: Partial<Record<Way, CrowdReport>>;
  readonly failures: readonly Failure[];
}

export class Figures {
  readonly #samples = new Map<string, number[]>();
  readonly #control: KernelResult['control'] = {};
  readonly #overload: KernelResult['overload'] = {};
  readonly #ways = new Map<string, Set<Way>>();
  readonly #failures = new Map<string, Failure>();

  flow(row: 'flow' | 'local', way: Way, { messages, elapsedMs }: FlowReport): void {
    this.#add(row, way, 'perSecond', (messages / elapsedMs) * 1_000);
  }

  trip(way: Way, placement: Placement, { roundTripsUs }: TripReport): void {
    this.#add(placement, way, 'p50Us', quantile(roundTripsUs, 0.5));
    this.#add(placement, way, 'p99Us', quantile(roundTripsUs, 0.99));
  }

  control(way: Way, report: ControlReport): void {
    this.#control[way] = report;
  }

  overload(way: Way, load: Load): void {
    this.#overload[way] = load;
  }

  crowd(way: Way, report: CrowdReport): void {
    for (const [figure, value] of Object.entries(report)) this.#add('crowd', way, figure, value as number);
  }

  failed(row: Row, way: Way, error: unknown): void {
    const { stderr, message } = error as Error & { readonly stderr?: string };
    // What Node prints of an error begins with the source line; the line that names the error says most, and
    // where an actor ended of a defect, the reason in the line that was logged of it.
    const lines = (stderr ?? '').split('\n').filter((line) => line.trim() !== '');
    const named = lines.find((line) => /^\w*(?:Error|Exception)\b/.test(line)) ?? lines[0] ?? message.split('\n')[0]!;
    const reason = /"reason":"([^"]*)"/.exec(stderr ?? '')?.[1];
    this.#failures.set(`${row} ${way}`, { row, way, message: reason === undefined ? named : `${named} (${reason})` });
  }

  result(): KernelResult {
    const rates = (row: string): Partial<Record<Way, number>> => this.#each(row, (figure) => figure('perSecond'));
    const trips = (placement: Placement): Partial<Record<Way, Trip>> => this.#each(placement, (figure) => ({ p50Us: figure('p50Us'), p99Us: figure('p99Us') }));
    return {
      flow: rates('flow'),
      local: rates('local'),
      trips: Object.fromEntries((['one core', 'as placed'] as const).filter((placement) => this.#ways.has(placement)).map((placement) => [placement, trips(placement)])),
      control: this.#control,
      overload: this.#overload,
      crowd: this.#each('crowd', (figure) => ({
        spawnedPerSecond: figure('spawnedPerSecond'),
        liveBytesPerActor: figure('liveBytesPerActor'),
        residentBytesPerActor: figure('residentBytesPerActor'),
        hopsPerSecond: figure('hopsPerSecond'),
      })),
      failures: [...this.#failures.values()],
    };
  }

  #add(row: string, way: Way, figure: string, value: number): void {
    const ways = this.#ways.get(row) ?? new Set();
    this.#ways.set(row, ways.add(way));
    const key = `${row} ${way} ${figure}`;
    const samples = this.#samples.get(key) ?? [];
    this.#samples.set(key, samples);
    samples.push(value);
  }

  #each<T>(row: string, read: (figure: (name: string) => number) => T): Partial<Record<Way, T>> {
    const ways = [...(this.#ways.get(row) ?? [])];
    return Object.fromEntries(ways.map((way) => [way, read((name) => median(this.#samples.get(`${row} ${way} ${name}`)!))]));
  }
}
