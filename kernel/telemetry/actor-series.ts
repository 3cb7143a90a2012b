/**
 * Which actors have a series of their own in the metrics, and what stands together for the others.
 *
 * A series costs memory in everything that stores metrics, so their number must not grow with the number
 * of actors. Light actors never have one. The others have one under their names, up to a bound; who has
 * one keeps it as long as he lives, so that no series jumps from one actor to another. What is left
 * stands together for each thread, and only as levels and modes: a sum of counts would fall whenever an
 * actor leaves, and what all actors of a thread have counted, the thread's own counters say.
 */
import { ACTOR_COUNTS, type ActorCount } from '../board.ts';
import type { MailboxMode } from '../mailbox/mailbox-spec.ts';
import type { ActorInspection, Inspection, ThreadInspection } from './inspection.ts';
import { mergedLatency, type LatencySnapshot } from './latency-histogram.ts';

const DEFAULT_ACTOR_SERIES_MAX = 200;

/** What stands for a name in the series of all those that have none of their own. */
const OTHER_ACTORS = '*';

export interface ActorSeries {
  readonly thread: ThreadInspection;
  readonly name: string;
  readonly level: number;
  /** How many mailboxes are in each mode. */
  readonly modes: ReadonlyMap<MailboxMode, number>;
  /** Undefined in the series of the others. */
  readonly counts: Readonly<Record<ActorCount, number>> | undefined;
  readonly latency: LatencySnapshot | undefined;
}

export class ActorSeriesChoice {
  readonly #seriesMax: number;
  #chosen: ReadonlySet<string> = new Set();

  constructor(seriesMax = DEFAULT_ACTOR_SERIES_MAX) {
    this.#seriesMax = seriesMax;
  }

  /** Actors of one thread under one name share a series. */
  seriesOf(inspection: Inspection): ActorSeries[] {
    const named = new Set(inspection.threads.flatMap((thread) => thread.actors.filter(({ light }) => !light).map(({ name }) => key(thread, name))));
    const kept = [...this.#chosen].filter((name) => named.has(name));
    // A set keeps its order, so those who have a series come before those who would like one.
    const chosen = new Set([...new Set([...kept, ...named])].slice(0, this.#seriesMax));
    this.#chosen = chosen;
    return inspection.threads.flatMap((thread) => {
      const own = Map.groupBy(thread.actors, ({ light, name }) => (!light && chosen.has(key(thread, name)) ? name : OTHER_ACTORS));
      return [...own].map(([name, actors]) => together(thread, name, actors));
    });
  }
}

function key({ id }: ThreadInspection, name: string): string {
  return `${id}/${name}`;
}

function together(thread: ThreadInspection, name: string, actors: readonly ActorInspection[]): ActorSeries {
  const modes = new Map<MailboxMode, number>();
  for (const { mode } of actors) modes.set(mode, (modes.get(mode) ?? 0) + 1);
  const isOwn = name !== OTHER_ACTORS;
  const latencies = isOwn ? actors.flatMap(({ latency }) => latency ?? []) : [];
  return {
    thread,
    name,
    level: actors.reduce((sum, { level }) => sum + level, 0),
    modes,
    counts: isOwn ? sumOfCounts(actors) : undefined,
    latency: latencies.length === 0 ? undefined : mergedLatency(latencies),
  };
}

function sumOfCounts(actors: readonly ActorInspection[]): Record<ActorCount, number> {
  const sums = ACTOR_COUNTS.map((name) => [name, actors.reduce((sum, { counts }) => sum + counts[name], 0)]);
  return Object.fromEntries(sums) as Record<ActorCount, number>;
}
