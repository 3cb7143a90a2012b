/**
 * The kernel and its peers, each in processes of its own, all with the same message (kernel/reading.ts).
 *
 *   flow      source ── reading ──> sink                 one way, two threads or schedulers
 *   local     source ── reading ──> sink                 one way, both on one thread or scheduler
 *   trips     caller <── reading ──> echoer              ask and answer between two threads
 *   control   source ── reading ──> actor <── urgent     its data lane is full, and kept full
 *   overload  source ── reading ──> actor                as much as it takes, and ten times as much
 *   crowd     actor ── token ──> actor ──> … ──> actor   100,000 of them on one thread
 *
 * A one-way figure is timed by the sender, from its first message until it knows that the receiver has them
 * all and that their sum is right, after a warm-up of a quarter. A sender whose receiver has a bound waits for
 * room; one without a bound sends on.
 *
 * A pool's caller is the thread of the application and no actor, so pools are only called. Erlang runs with
 * its defaults, which spin before they sleep, and beside them without that spinning. Placements are those of
 * bench/lanes.ts, for the same reason. Memory is that of the whole process.
 */
import { compileBeam, type Beam, type BeamScenario } from './kernel/beam.ts';
import { expectationsOf, type Expectation } from './kernel/expectations.ts';
import { Figures, type KernelResult } from './kernel/figures.ts';
import { inChild, placements, type Placement } from './kernel/launch.ts';
import { tablesOf } from './kernel/tables.ts';
import type { Reports, Row, ScenarioNamed, Way } from './kernel/task.ts';
import { table } from './statistics.ts';

export const ROWS = ['flow', 'local', 'trips', 'control', 'overload', 'crowd'] as const;

/** No round begins that would probably end later, unless the number of rounds is asked for. */
const BUDGET_MS = 200_000;
const ROUNDS = 3;
const SECONDS = 5;

/** How much of each way fits into about half a second. */
const FLOWS: Partial<Record<Way, number>> = { Spillway: 1e6, BEAM: 1e6, postMessage: 2e5 };
const LOCALS: Partial<Record<Way, number>> = { Spillway: 2e6, BEAM: 4e6, nact: 2e5 };
const TRIP_WAYS = ['Spillway', 'Spillway, event loop', 'BEAM', 'BEAM, no busy wait', 'postMessage', 'piscina', 'tinypool', 'workerpool', 'comlink'] as const;
const TRIPS = 30_000;
const CONTROL_WAYS = ['Spillway', 'postMessage', 'postMessage, own port', 'piscina'] as const;
const OVERLOAD_WAYS = ['Spillway', 'postMessage', 'piscina'] as const;
const CROWD_WAYS = ['Spillway', 'BEAM', 'nact'] as const;
const CROWD = { actors: 100_000, laps: 5 };

export interface KernelOptions {
  readonly rounds?: number | undefined;
  /** How long the rows of control and overload keep up their load, each way. */
  readonly seconds?: number | undefined;
  /** Only these of ROWS. */
  readonly rows?: readonly string[] | undefined;
  readonly print?: (line: string) => void;
}

export async function run({ rounds, seconds = SECONDS, rows = ROWS, print = () => {} }: KernelOptions = {}): Promise<KernelResult & { readonly expectations: readonly Expectation[] }> {
  const unknown = rows.find((row) => !ROWS.includes(row as Row));
  if (unknown !== undefined) throw new TypeError(`There is no row '${unknown}'; the rows are ${ROWS.join(', ')}.`);
  const beam = await compileBeam();
  print(`Erlang: ${beam?.version ?? 'not installed, so its rows are left out (it takes erl and erlc)'}`);
  const startedAt = performance.now();
  const figures = new Figures();
  const bench = new Bench(beam, figures);
  try {
    if (rows.includes('control')) await bench.control(seconds);
    if (rows.includes('overload')) await bench.overload(seconds);
    let done = 0;
    const isInTime = (lastMs: number): boolean => rounds !== undefined || performance.now() - startedAt + lastMs < BUDGET_MS;
    // The first is measured however long the rows before it took.
    for (let lastMs = 0; done < (rounds ?? ROUNDS) && (done === 0 || isInTime(lastMs)); done++) {
      const roundAt = performance.now();
      await bench.round(rows);
      lastMs = performance.now() - roundAt;
    }
    print(`Medians of ${done} rounds; control and overload once, for ${seconds} s each.`);
  } finally {
    await beam?.remove();
  }
  const result = figures.result();
  const expectations = expectationsOf(result);
  for (const line of tablesOf(result)) print(line);
  if (expectations.length > 0) {
    const lines = expectations.map(({ what, bound, found, isMet }) => [what, bound, found.toFixed(2), isMet ? 'met' : 'NOT MET']);
    for (const line of ['', ...table([['expected', 'bound', 'found', ''], ...lines])]) print(line);
  }
  for (const { row, way, message } of result.failures) print(`FAILED: ${way} in ${row}: ${message}`);
  return { ...result, expectations };
}

class Bench {
  readonly #beam: Beam | undefined;
  readonly #figures: Figures;

  constructor(beam: Beam | undefined, figures: Figures) {
    this.#beam = beam;
    this.#figures = figures;
  }

  /** Every way once in each row that rounds are made of. */
  async round(rows: readonly string[]): Promise<void> {
    const figures = this.#figures;
    for (const [name, counts] of [['flow', FLOWS], ['local', LOCALS]] as const) {
      if (!rows.includes(name)) continue;
      for (const [way, count] of Object.entries(counts) as [Way, number][]) {
        const report = await this.#measure<'flow' | 'local'>({ name, way, count });
        if (report !== undefined) figures.flow(name, way, report);
      }
    }
    for (const placement of rows.includes('trips') ? placements() : []) {
      for (const way of TRIP_WAYS) {
        const report = await this.#measure<'trips'>({ name: 'trips', way, count: TRIPS }, placement);
        if (report !== undefined) figures.trip(way, placement, report);
      }
    }
    for (const way of rows.includes('crowd') ? CROWD_WAYS : []) {
      const report = await this.#measure<'crowd'>({ name: 'crowd', way, ...CROWD });
      if (report !== undefined) figures.crowd(way, report);
    }
  }

  async control(seconds: number): Promise<void> {
    for (const way of CONTROL_WAYS) {
      const report = await this.#measure<'control'>({ name: 'control', way, seconds });
      if (report !== undefined) this.#figures.control(way, report);
    }
  }

  async overload(seconds: number): Promise<void> {
    for (const way of OVERLOAD_WAYS) {
      const once = await this.#measure<'overload'>({ name: 'overload', way, seconds, times: 1 });
      const tenfold = await this.#measure<'overload'>({ name: 'overload', way, seconds, times: 10 });
      if (once !== undefined && tenfold !== undefined) this.#figures.overload(way, { once, tenfold });
    }
  }

  /** Undefined where the way failed, or is Erlang's where there is none. */
  async #measure<N extends Row>(scenario: ScenarioNamed<N>, placement: Placement = 'as placed'): Promise<Reports[N] | undefined> {
    const { way, name } = scenario;
    try {
      if (way === 'BEAM' || way === 'BEAM, no busy wait') {
        return (await this.#beam?.measure(scenario as BeamScenario, placement)) as Reports[N] | undefined;
      }
      return await inChild<N>(scenario, placement);
    } catch (error) {
      this.#figures.failed(name, way, error);
      return undefined;
    }
  }
}
