/** What the sides of the kernel bench measure with, and how they pass their time. */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Nobody rings it: a wait on it is a short sleep. */
const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Microseconds on the clock that all threads and processes of a machine share. */
export function nowUs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + nanoseconds / 1e3;
}

/** Works for so long, as a handler would. */
export function busy(us: number): void {
  const until = nowUs() + us;
  while (nowUs() < until);
}

/** Lets go of the core for a moment, where a sender finds no room and has no other work. */
export function nap(): void {
  Atomics.wait(sleeper, 0, 0, 0.05);
}

/** What the process holds now, and the most that it has ever held. */
export function residentMb(): { readonly now: number; readonly peak: number } {
  const now = process.memoryUsage.rss() / 2 ** 20;
  if (process.platform !== 'linux') return { now, peak: process.resourceUsage().maxRSS / 2 ** 10 };
  // The peak that getrusage tells begins with that of the process which made this one.
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return { now, peak: Number(peak) / 2 ** 10 };
}

/** Bytes that this thread's objects take once those that nobody needs are gone. */
export function liveBytes(): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let time = 0; time < 3; time++) collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Offers messages at a steady rate, however coarse the timers are. */
export class Pace {
  readonly #startedAtUs = nowUs();
  readonly #perSecond: number;
  #given = 0;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** How many are due since the last call. */
  due(): number {
    const due = Math.floor((this.elapsedS * this.#perSecond)) - this.#given;
    this.#given += due;
    return due;
  }

  get elapsedS(): number {
    return (nowUs() - this.#startedAtUs) / 1e6;
  }
}
