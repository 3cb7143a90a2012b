/**
 * The calling side of administrative calls. Each call ends: with its result, a failure of the thread, its
 * deadline, or the end of the thread.
 *
 * comlink alone does none of that: a call to a thread that dies stays pending (comlink#601), and so does one
 * whose proxy is collected meanwhile, because its finalizer closes the port (comlink#692). Therefore the
 * client listens to the port's end itself and holds the proxy for as long as the port is open; and it
 * takes back a call only when the thread has answered it, so that those given up do not pile up in comlink.
 */
import type { Remote } from 'comlink';
import { createRequire } from 'node:module';
import type { MessagePort } from 'node:worker_threads';
import { SpillwayError } from '../errors.ts';
import type { Timer } from '../time/timer-wheel.ts';
import { requireAbsolutePath, requireDuration, type AdminAnswer, type AdminCalls, type MeasureOptions, type SnapshotOptions, type ThreadAdmin } from './admin-protocol.ts';

/** Calls that a thread may owe an answer at once, those included whose deadline has passed. */
const UNANSWERED_MAX = 8;
/** Longest time that `setTimeout` knows, less the longest measurement. */
const DEADLINE_MS_MAX = 2 ** 30;

export interface AdminOptions {
  /** How long a call may take beyond the duration that it asks for. */
  readonly deadlineMs: number;
  /** Runs something later. Default: `setTimeout`. */
  readonly after?: (delayMs: number, run: () => void) => Timer;
}

type Result<Name extends keyof AdminCalls> = Promise<AdminCalls[Name][1]>;

/** @throws TypeError without a deadline */
export function adminOf(port: MessagePort, options: AdminOptions): AdminClient {
  return new AdminClient(port, options);
}

/**
 * All calls reject with a SpillwayError: `admin_deadline`, `thread_ended`, `admin_closed` after `close`,
 * `admin_busy` (too many calls are unanswered), `admin_failed` (the thread could not; the message says why).
 */
export class AdminClient {
  readonly #port: MessagePort;
  readonly #deadlineMs: number;
  readonly #after: NonNullable<AdminOptions['after']>;
  readonly #releaseProxy: symbol;
  readonly #proxy: Remote<ThreadAdmin>;
  /** How to end each call that is awaited. */
  readonly #awaited = new Set<(error: SpillwayError) => void>();
  #unanswered = 0;
  #end: 'thread_ended' | 'admin_closed' | undefined;

  constructor(port: MessagePort, { deadlineMs, after = afterTimeout }: AdminOptions) {
    if (!(deadlineMs > 0 && deadlineMs <= DEADLINE_MS_MAX)) {
      throw new TypeError(`Administrative calls need a deadlineMs above zero and up to ${DEADLINE_MS_MAX}; got ${deadlineMs}.`);
    }
    const { wrap, releaseProxy } = createRequire(import.meta.url)('comlink') as typeof import('comlink');
    this.#port = port;
    this.#deadlineMs = deadlineMs;
    this.#after = after;
    this.#releaseProxy = releaseProxy;
    this.#proxy = wrap<ThreadAdmin>(port);
    // The port's end is told here too when the thread at its other end has died.
    port.on('close', () => this.#finish('thread_ended'));
    // A client that waits for nothing does not keep its own thread alive.
    port.unref();
  }

  /** A profile of the processor's use, as a `.cpuprofile` file holds it. @throws TypeError for a duration out of bounds */
  cpuProfile(options: MeasureOptions): Result<'cpuProfile'> {
    return this.#call('cpuProfile', requireDuration(options), () => this.#proxy.cpuProfile(options));
  }

  /**
   * Writes a heap snapshot to a file that does not exist yet. The thread stands still meanwhile, seconds for
   * each GB, and needs as much memory again; a deadline that passes does not stop it.
   * Rejects with `admin_file_exists` too.
   * @throws TypeError for a path that is not absolute
   */
  heapSnapshot(options: SnapshotOptions): Result<'heapSnapshot'> {
    requireAbsolutePath(options);
    return this.#call('heapSnapshot', 0, () => this.#proxy.heapSnapshot(options));
  }

  /** By how much the thread's event loop was late while it was measured. @throws TypeError for a duration out of bounds */
  eventLoopDelay(options: MeasureOptions): Result<'eventLoopDelay'> {
    return this.#call('eventLoopDelay', requireDuration(options), () => this.#proxy.eventLoopDelay(options));
  }

  memory(): Result<'memory'> {
    return this.#call('memory', 0, () => this.#proxy.memory(undefined));
  }

  /** Ends all calls with `admin_closed`, releases the proxy and closes the port; then the thread's end is closed too. */
  close(): void {
    if (this.#end !== undefined) return;
    this.#finish('admin_closed');
    (this.#proxy as unknown as Record<symbol, () => void>)[this.#releaseProxy]!();
    this.#port.close();
  }

  async #call<Value>(name: keyof AdminCalls, durationMs: number, call: () => Promise<AdminAnswer<Value>>): Promise<Value> {
    if (this.#end !== undefined) throw ended(this.#end, name);
    if (this.#unanswered >= UNANSWERED_MAX) {
      throw new SpillwayError('admin_busy', `The thread owes ${this.#unanswered} answers already, so ${name} was not asked; try again later.`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<AdminAnswer<Value>>();
    const limitMs = durationMs + this.#deadlineMs;
    const onDeadline = (): void => reject(new SpillwayError('admin_deadline', `The thread did not answer ${name} within ${limitMs} ms. It may hang, or be parked.`));
    const timer = this.#after(limitMs, onDeadline);
    this.#awaited.add(reject);
    this.#countUnanswered(1);
    call()
      .then(resolve, reject)
      .finally(() => this.#countUnanswered(-1));
    try {
      const answer = await promise;
      if (answer.ok) return answer.value;
      throw new SpillwayError(answer.code, `The thread could not do ${name}: ${answer.message}`);
    } finally {
      timer.cancel();
      this.#awaited.delete(reject);
      if (this.#awaited.size === 0) this.#port.unref();
    }
  }

  #countUnanswered(delta: number): void {
    this.#unanswered += delta;
    if (delta > 0) this.#port.ref();
  }

  #finish(end: 'thread_ended' | 'admin_closed'): void {
    this.#end ??= end;
    for (const reject of this.#awaited) reject(ended(this.#end, 'the call'));
  }
}

function ended(end: 'thread_ended' | 'admin_closed', name: string): SpillwayError {
  if (end === 'thread_ended') return new SpillwayError('thread_ended', `The thread has ended, so ${name} has no answer.`);
  return new SpillwayError('admin_closed', `This client is closed, so ${name} has no answer.`);
}

function afterTimeout(delayMs: number, run: () => void): Timer {
  const timeout = setTimeout(run, delayMs);
  return { cancel: () => clearTimeout(timeout) };
}
