/**
 * A histogram of latencies in shared memory: recorded by one thread with every message, read by any.
 *
 * The buckets are log-linear, as in Gil Tene's HdrHistogram: each power of two of microseconds is cut
 * into 16 buckets of equal width. The bucket is taken from the number itself, since the exponent and the
 * first four bits of the fraction of an IEEE 754 double, read as one integer, count exactly these
 * buckets. (DDSketch's linearly interpolated mapping rests on the same: Masson, Rim and Lee, VLDB 2019.)
 *
 *     0       8       16                 24                           5136           5144
 *     +-------+-------+------------------+----------------------+- ... -+--------------+
 *     |  sum  |  max  | below 2^-4 µs    | 2^-4 to 17/16 × 2^-4 |       | up to 2^36   |   one double each
 *     +-------+-------+------------------+----------------------+- ... -+--------------+
 *
 * Only the recording thread writes, with plain stores. That is safe: nothing is ever added to a stale
 * value, an aligned double is stored whole on the 64-bit machines that Node runs on, and a reader may
 * see a count a moment late, also one without its part of the sum.
 */

const BUCKET_BITS = 4;
const BUCKETS_PER_OCTAVE = 1 << BUCKET_BITS;
const LEAST_EXPONENT = -4;
const END_EXPONENT = 36;
/** Longer latencies, above 19 hours, count as this one. */
const MAX_LATENCY_MICROS = 2 ** END_EXPONENT - 1;
const BUCKETS = 1 + (END_EXPONENT - LEAST_EXPONENT) * BUCKETS_PER_OCTAVE;

const SUM = 0;
const MAX = 1;
const FIRST_BUCKET = 2;

/** How far the high word of a double is shifted to leave its exponent and the bucket's bits. */
const SHIFT = 20 - BUCKET_BITS;
/** What that leaves of 2^LEAST_EXPONENT. */
const LEAST_BITS = (1023 + LEAST_EXPONENT) << BUCKET_BITS;

/** One double seen as two words; the high one is second, for every host of shared memory is little-endian. */
const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);

/** What a quantile from a histogram may be off, as a part of it, if it is at least RESOLUTION_MICROS. */
export const LATENCY_ERROR_MAX = 1 / (2 * BUCKETS_PER_OCTAVE);
/** Latencies below this share one bucket: 62.5 ns. */
export const RESOLUTION_MICROS = 2 ** LEAST_EXPONENT;

/** Latencies from `fromMicros` to below `toMicros`. */
export interface LatencyBucket {
  readonly fromMicros: number;
  readonly toMicros: number;
  readonly count: number;
}

/** All in microseconds. `count` is the sum of the buckets; those that are empty are left out. */
export interface LatencySnapshot {
  readonly count: number;
  readonly sum: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
  readonly buckets: readonly LatencyBucket[];
}

export class LatencyHistogram {
  /** Bytes that one occupies: whole pairs of cache lines, so that neighbours do not slow each other. */
  static readonly bytes = Math.ceil(((FIRST_BUCKET + BUCKETS) * 8) / 128) * 128;

  readonly #cells: Float64Array;

  /** @param byteOffset a multiple of 8, best of 128 */
  constructor(buffer: SharedArrayBuffer, byteOffset: number) {
    this.#cells = new Float64Array(buffer, byteOffset, FIRST_BUCKET + BUCKETS);
  }

  /** For the one writer. What is not a number above zero counts as zero. */
  record(latencyMicros: number): void {
    const latency = latencyMicros > 0 ? Math.min(latencyMicros, MAX_LATENCY_MICROS) : 0;
    const cells = this.#cells;
    cells[SUM]! += latency;
    if (latency > cells[MAX]!) cells[MAX] = latency;
    double[0] = latency;
    cells[FIRST_BUCKET + Math.max(0, (words[1]! >>> SHIFT) - LEAST_BITS + 1)]! += 1;
  }

  /** For the one writer: forgets everything, when another actor comes to this place. */
  reset(): void {
    this.#cells.fill(0);
  }

  /** For any thread. */
  snapshot(): LatencySnapshot {
    const buckets: LatencyBucket[] = [];
    for (let index = 0; index < BUCKETS; index++) {
      const count = this.#cells[FIRST_BUCKET + index]!;
      if (count > 0) buckets.push({ fromMicros: index === 0 ? 0 : edge(index - 1), toMicros: edge(index), count });
    }
    return summary(buckets, this.#cells[SUM]!, this.#cells[MAX]!);
  }
}

/**
 * What was recorded between two snapshots of one histogram. `max` is exact if it was exceeded meanwhile,
 * else the end of the highest bucket. A histogram that was reset in between counts from its reset.
 */
export function latencyBetween(before: LatencySnapshot, after: LatencySnapshot): LatencySnapshot {
  if (after.count < before.count) return after;
  const counted = new Map(before.buckets.map(({ fromMicros, count }) => [fromMicros, count]));
  const buckets = after.buckets
    .map((bucket) => ({ ...bucket, count: bucket.count - (counted.get(bucket.fromMicros) ?? 0) }))
    .filter(({ count }) => count > 0);
  const highest = buckets.at(-1)?.toMicros ?? 0;
  const max = after.max > before.max ? after.max : Math.min(highest, after.max);
  return summary(buckets, Math.max(0, after.sum - before.sum), max);
}

/** Several histograms taken as one. */
export function mergedLatency(snapshots: readonly LatencySnapshot[]): LatencySnapshot {
  const merged = new Map<number, LatencyBucket>();
  for (const bucket of snapshots.flatMap(({ buckets }) => buckets)) {
    const count = bucket.count + (merged.get(bucket.fromMicros)?.count ?? 0);
    merged.set(bucket.fromMicros, { ...bucket, count });
  }
  const buckets = [...merged.values()].sort((a, b) => a.fromMicros - b.fromMicros);
  const sum = snapshots.reduce((total, snapshot) => total + snapshot.sum, 0);
  return summary(buckets, sum, Math.max(0, ...snapshots.map(({ max }) => max)));
}

/** Where the bucket begins that is `index` buckets above RESOLUTION_MICROS. */
function edge(index: number): number {
  const octave = Math.floor(index / BUCKETS_PER_OCTAVE);
  const step = index % BUCKETS_PER_OCTAVE;
  return 2 ** (LEAST_EXPONENT + octave) * (1 + step / BUCKETS_PER_OCTAVE);
}

function summary(buckets: readonly LatencyBucket[], sum: number, shownMax: number): LatencySnapshot {
  const count = buckets.reduce((total, bucket) => total + bucket.count, 0);
  // A reader may see a bucket before the maximum that fell into it.
  const max = Math.max(shownMax, buckets.at(-1)?.fromMicros ?? 0);
  const quantile = (part: number): number => quantileOf(buckets, Math.ceil(part * count), max);
  return { count, sum, p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max, buckets };
}

/** The middle of the bucket that holds the latency of this rank, from 1 (nearest-rank quantiles); never above `max`. */
function quantileOf(buckets: readonly LatencyBucket[], rank: number, max: number): number {
  let passed = 0;
  for (const { fromMicros, toMicros, count } of buckets) {
    passed += count;
    if (passed >= rank) return Math.min((fromMicros + toMicros) / 2, max);
  }
  return 0;
}
