/** Makes the worker threads of a system; for an actor in a process, the one that stands for it. */
import { Worker, type ResourceLimits, type WorkerOptions } from 'node:worker_threads';
import { SpillwayError } from './errors.ts';
import { newProcessWorker } from './process/process-worker.ts';
import type { StandbyWorker } from './standby.ts';
import { siblingModule, type ThreadBoot } from './thread-boot.ts';
import type { ThreadSpec } from './thread-spec.ts';

/** Node's bounds of a worker's heap that make sense for an actor; a thread that exceeds them ends like one that crashed. */
export type HeapLimits = Pick<ResourceLimits, 'maxYoungGenerationSizeMb' | 'maxOldGenerationSizeMb'>;

/** The part of a worker thread that the guardian uses. */
export interface ThreadWorker {
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (exitCode: number) => void): unknown;
  once(event: 'exit', listener: (exitCode: number) => void): unknown;
  terminate(): Promise<unknown>;
}

/** @throws SpillwayError `actor_start_failed`, for instance when the actor's arguments cannot be cloned */
export function newWorker(boot: ThreadBoot, spec: ThreadSpec): ThreadWorker {
  if (spec.process !== undefined) return newProcessWorker(boot, spec, spec.process);
  return threadOf('thread-entry', spec, { workerData: boot, transferList: [boot.port] });
}

/** A thread that is ready for a life; see standby-thread.ts. @throws SpillwayError `actor_start_failed` */
export function newStandby(spec: ThreadSpec): StandbyWorker {
  return threadOf('standby-entry', spec, { workerData: spec.source });
}

function threadOf(entry: string, { name, resourceLimits = {} }: ThreadSpec, options: WorkerOptions): Worker {
  try {
    return new Worker(new URL(siblingModule(entry, import.meta.url)), { ...options, name, resourceLimits });
  } catch (error) {
    const reason = describe(error).message;
    throw new SpillwayError('actor_start_failed', `No thread could be made for ${name}: ${reason}`, { cause: error });
  }
}

export function describe(error: unknown): { message: string; stack: string } {
  return error instanceof Error
    ? { message: error.message, stack: error.stack ?? '' }
    : { message: String(error), stack: '' };
}
