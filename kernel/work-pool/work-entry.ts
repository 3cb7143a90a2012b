/**
 * The file that piscina loads into every worker of a pool; it finds the functions of the pool's own module.
 *
 * It stands in between because of how piscina takes errors: a module that cannot be loaded leaves the
 * waiting tasks without an end, and a result that cannot be copied kills the worker with an empty message.
 * Here both become answers.
 */
import { workerData } from 'node:worker_threads';
import type { WorkAnswer, WorkError, WorkFunction, WorkRequest, WorkerSetup } from './work-messages.ts';
import { WorkPlaces } from './work-places.ts';

/** Bounds of what an error may bring along. */
const MESSAGE_CHARACTERS = 2_000;
const STACK_CHARACTERS = 8_000;

const setup = workerData as WorkerSetup;
const places = new WorkPlaces(setup.places);

export async function runWork({ place, name, input }: WorkRequest): Promise<WorkAnswer> {
  try {
    const functions = (await import(setup.module)) as Record<string, unknown>;
    const run = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (typeof run !== 'function') {
      return { outcome: 'unknown', known: Object.keys(functions).filter((key) => typeof functions[key] === 'function') };
    }
    if (!places.begin(place)) return { outcome: 'skipped' };
    const value = await (run as WorkFunction)(input as never, { isCancelled: () => places.isAbandoned(place) });
    if (places.isAbandoned(place)) return { outcome: 'skipped' };
    refuseUncopyable(value);
    return { outcome: 'done', value };
  } catch (error) {
    return { outcome: 'threw', error: toWorkError(error) };
  }
}

/**
 * Copies a result on trial. Piscina would post it and die of the exception, so the worker, not the caller's
 * thread, pays for a second copy; bytes and primitives always pass and are spared.
 * @throws DOMException `DataCloneError`
 */
function refuseUncopyable(value: unknown): void {
  if (typeof value === 'symbol' || typeof value === 'function') structuredClone(value);
  if (typeof value !== 'object' || ArrayBuffer.isView(value)) return;
  structuredClone(value);
}

function toWorkError(thrown: unknown): WorkError {
  // Anything may be thrown, also what has no prototype or a getter that throws itself.
  try {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const { code }: NodeJS.ErrnoException = error;
    return {
      name: text(error.name, MESSAGE_CHARACTERS),
      message: text(error.message, MESSAGE_CHARACTERS),
      stack: text(error.stack, STACK_CHARACTERS),
      code: typeof code === 'string' ? text(code, MESSAGE_CHARACTERS) : '',
    };
  } catch {
    return { name: 'Error', message: 'something was thrown that has no text', stack: '', code: '' };
  }
}

function text(value: unknown, charactersMax: number): string {
  return String(value).slice(0, charactersMax);
}
