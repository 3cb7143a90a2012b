/** Piscina's task: it says when it ran, or ends its worker. A task that throws is piscina's everyday, and no death. */

export interface MortalTask {
  /** Takes the moment of the fault; without it the task only says when it ran. */
  readonly stamps?: Float64Array;
}

export function mortalTask({ stamps }: MortalTask): number {
  if (stamps === undefined) return nowMs();
  stamps[0] = nowMs();
  return process.exit(1);
}

/** Milliseconds of the machine's monotonic clock, the same on every thread. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
