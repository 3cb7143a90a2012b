/** Sees whether a process lives and keeps to its limits; what is to be done about it is the bridge's affair. */
import { SpillwayError } from '../errors.ts';
import type { BridgeReport } from './process-worker.ts';
import type { CompleteProcessSpec } from './process-spec.ts';
import { usageOf, type ProcessUsage } from './process-usage.ts';

/** How often /proc is read, at the most. */
const USAGE_MS = 100;

export class ProcessWatch {
  readonly #pid: number;
  readonly #spec: CompleteProcessSpec;
  readonly #nowMs: () => number;
  #heardMs: number;
  #lookedMs: number;
  #usageMs = -Infinity;
  /** Processor time when it was last seen to do something. */
  #cpuSeconds = 0;

  constructor(pid: number, spec: CompleteProcessSpec, nowMs: () => number) {
    this.#pid = pid;
    this.#spec = spec;
    this.#nowMs = nowMs;
    this.#heardMs = nowMs();
    this.#lookedMs = nowMs();
    const isLimited = spec.maxRssBytes !== undefined || spec.maxCpuSeconds !== undefined;
    if (isLimited && usageOf(pid) === undefined) {
      throw new SpillwayError('process_limits_unavailable', 'Limits of memory and processor time need /proc, which this system does not show; leave them out, or give them to a sandbox that keeps them.');
    }
  }

  /** The process has said something. */
  heard(): void {
    this.#heardMs = this.#nowMs();
  }

  /** @param isKnown before it is, its handshake has a deadline of its own @returns what is wrong */
  look(isKnown: boolean): BridgeReport | undefined {
    const nowMs = this.#nowMs();
    // A bridge that could not look for long knows nothing of the time in between.
    if (nowMs - this.#lookedMs > this.#spec.silentAfterMs / 2) this.#heardMs = nowMs;
    this.#lookedMs = nowMs;
    return this.#overLimit(nowMs) ?? (isKnown ? this.#silent(nowMs) : undefined);
  }

  #overLimit(nowMs: number): BridgeReport | undefined {
    const { maxRssBytes = Infinity, maxCpuSeconds = Infinity } = this.#spec;
    if (nowMs - this.#usageMs < USAGE_MS || (maxRssBytes === Infinity && maxCpuSeconds === Infinity)) return undefined;
    this.#usageMs = nowMs;
    const usage = usageOf(this.#pid);
    if (usage === undefined) return undefined;
    if (usage.rssBytes > maxRssBytes) return { code: 'process_memory_exceeded', message: `its process had ${usage.rssBytes} bytes in memory; at most ${maxRssBytes} are granted` };
    if (usage.cpuSeconds > maxCpuSeconds) return { code: 'process_cpu_exceeded', message: `its process had used ${usage.cpuSeconds} s of processor time; at most ${maxCpuSeconds} are granted` };
    return undefined;
  }

  /**
   * A process that computes says nothing either: as on a thread, a handler that never returns is the watchdog's
   * affair. Silent is who says nothing and does nothing.
   */
  #silent(nowMs: number): BridgeReport | undefined {
    const { silentAfterMs } = this.#spec;
    if (nowMs - this.#heardMs <= silentAfterMs) return undefined;
    const usage = usageOf(this.#pid);
    if (usage !== undefined && this.#isBusy(usage)) {
      this.#heardMs = nowMs;
      return undefined;
    }
    const how = usage?.isStopped === true ? 'is stopped' : 'says nothing and does nothing';
    return { code: 'process_silent', message: `its process ${how} for more than ${silentAfterMs} ms` };
  }

  #isBusy({ cpuSeconds, isStopped }: ProcessUsage): boolean {
    // Processor time is counted in hundredths of a second.
    const isBusy = !isStopped && cpuSeconds > this.#cpuSeconds;
    this.#cpuSeconds = cpuSeconds;
    return isBusy;
  }
}
