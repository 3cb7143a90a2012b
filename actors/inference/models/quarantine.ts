/**
 * The first load of a model that was never loaded here: in a process of its own, sandboxed where the system can, with
 * limits of time and memory. If that process aborts, hangs or eats up its memory, so would the application.
 *
 * What the header check lets through is not sound for all that: weights may be NaN, and native parsers have faults that
 * nobody knows of yet. A model that has passed is known by its hash, and then loads on a thread like any other.
 */
import { randomUUID } from 'node:crypto';
import { SpillwayError, siblingModule, systemClock, type Addressed } from '../../../kernel/index.ts';
import type { System } from '../../../supervisors/index.ts';
import { PIPELINE_HEAP } from '../../pipeline-heap.ts';
import { isolatedModel, type IsolationLevel } from '../isolation.ts';
import type { CheckedModel } from '../model-choice.ts';
import { quarantineProtocol, type QuarantineArgs } from './quarantine-actor.ts';
import { isTrusted, trust } from './trusted.ts';

export interface QuarantineOptions {
  /** Default: embed. */
  readonly purpose?: QuarantineArgs['purpose'];
  /** For the whole trial. Default: a minute, and a second for each 50 MB of the model. */
  readonly deadlineMs?: number;
  /** Resident memory at the most, the mapped model included. Default: from the model's size. */
  readonly memoryBytes?: number;
}

export interface QuarantineVerdict {
  readonly verdict: 'passed' | 'refused';
  /** What it was kept in. */
  readonly level: IsolationLevel;
  /** Of what it was refused with: the backend's, that of its process's end, or `ask_deadline`. */
  readonly code?: string;
  readonly reason?: string;
  /** Values in each vector; 0 for a model that gives none, and one that was refused. */
  readonly dimensions: number;
  /** Until it was loaded; of one that was refused, until that. */
  readonly loadMs: number;
  /** The most that its process had in memory, where it lived to say so. */
  readonly rssBytes?: number;
}

const TRIAL_MS = 60_000;
const BYTES_PER_MS = 50_000;
/** How long the supervision tree may take to say how a process ended. */
const END_MS = 10_000;
/** What an ask is told when the process has ended before its answer. */
const ENDED: ReadonlySet<string> = new Set(['actor_restarted', 'actor_stopped']);
/** What the backends' messages end with. */
const ENDS_IN_ADVICE = /choose another model[^;]*$/;
/** Failures of this machine or of the application, which say nothing of the model. */
const NOT_THE_MODELS: ReadonlySet<string> = new Set(['backend_unavailable', 'system_closed', 'ask_refused', 'ask_cancelled']);

/**
 * Tries `checked` in a process that is made for it and ends with it.
 * @throws SpillwayError where it could not be tried at all: `backend_unavailable`, `too_many_threads`, `system_closed`, ...
 */
export async function quarantineModel(system: System, checked: CheckedModel, options: QuarantineOptions = {}): Promise<QuarantineVerdict> {
  try {
    return await tryModel(system, checked, options, 'sandboxed');
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.code !== 'sandbox_unavailable') throw error;
    return tryModel(system, checked, options, 'process');
  }
}

/** Trials under way, so that two that load one model at once try it once. */
const underWay = new WeakMap<System, Map<string, Promise<void>>>();

export interface TrustOptions extends QuarantineOptions {
  /** Where it is kept which models have passed. Default: the user's cache folder. */
  readonly cacheDir?: string;
}

/**
 * Resolves once `checked` may be loaded on a thread: at once if it is the built-in model or has passed before, else when it
 * has passed the quarantine.
 * @throws SpillwayError `model_quarantined` with `details` of the verdict; and as `quarantineModel`
 */
export async function ensureTrusted(system: System, checked: CheckedModel, options: TrustOptions = {}): Promise<void> {
  const { cacheDir, purpose = 'embed' } = options;
  if (checked.builtIn || isTrusted(checked.sha256, cacheDir === undefined ? {} : { cacheDir })) return;
  const trials = underWay.get(system) ?? new Map<string, Promise<void>>();
  underWay.set(system, trials);
  const key = `${purpose}:${checked.sha256}`;
  const trial = trials.get(key) ?? tryAndTrust(system, checked, options).finally(() => trials.delete(key));
  trials.set(key, trial);
  await trial;
}

async function tryAndTrust(system: System, checked: CheckedModel, options: TrustOptions): Promise<void> {
  const { verdict, level, code, reason = '', loadMs } = await quarantineModel(system, checked, options);
  const { name, path, sha256, backend } = checked;
  if (verdict === 'refused') {
    throw new SpillwayError('model_quarantined', `model ${name} did not pass its first load, in a ${wordsFor(level)}: ${reason}${ENDS_IN_ADVICE.test(reason) ? '' : '; choose another model, or convert it again'}`, {
      details: { path, sha256, level, code: code ?? '', reason },
    });
  }
  try {
    await trust(sha256, { backend, how: `loaded in a ${wordsFor(level)} in ${Math.round(loadMs)} ms` }, options.cacheDir === undefined ? {} : { cacheDir: options.cacheDir });
  } catch (error) {
    // It has passed all the same, and is tried again the next time.
    if (!(error instanceof SpillwayError)) throw error;
    system.log('quarantine').warn('that a model has passed could not be kept', { model: name, error: error.message });
  }
}

async function tryModel(system: System, checked: CheckedModel, options: QuarantineOptions, level: IsolationLevel): Promise<QuarantineVerdict> {
  const { memoryBytes, purpose = 'embed' } = options;
  const { model, process, sizeBytes } = isolatedModel(checked, { required: level === 'sandboxed', ...(memoryBytes === undefined ? {} : { memoryBytes }) });
  const deadlineMs = options.deadlineMs ?? TRIAL_MS + Math.ceil(sizeBytes / BYTES_PER_MS);
  const id = `quarantine-${checked.sha256.slice(0, 8)}-${randomUUID().slice(0, 8)}`;
  const args: QuarantineArgs = { model, purpose };
  const subject = await system.spawn(
    {
      id,
      restart: 'temporary',
      start: { module: siblingModule('quarantine-actor', import.meta.url), export: 'quarantine', args },
      placement: 'process',
      native: true,
      resourceLimits: PIPELINE_HEAP,
      // It holds nothing that has to be put in order, and may compute without end.
      brutalKill: true,
      process,
    },
    quarantineProtocol,
  );
  const end = endOf(system, id, subject);
  const beganMs = systemClock.monotonicMs();
  const refused = (code: string, reason: string): QuarantineVerdict => ({ verdict: 'refused', level, code, reason, dimensions: 0, loadMs: systemClock.monotonicMs() - beganMs });
  try {
    return { verdict: 'passed', level, ...(await subject.ask('try', {}, { deadlineMs })) };
  } catch (error) {
    if (!(error instanceof SpillwayError) || NOT_THE_MODELS.has(error.code)) throw error;
    if (error.code === 'ask_deadline') return refused(error.code, `it was not done after ${deadlineMs} ms`);
    if (!ENDED.has(error.code)) return refused(error.code, error.message);
    const { code, message } = await end.reason();
    return refused(code, message);
  } finally {
    end.ignore();
    if (!system.closing) await endTrial(system, id);
  }
}

interface TrialEnd {
  /** Of a process that has ended, why. */
  reason(): Promise<{ readonly code: string; readonly message: string }>;
  ignore(): void;
}

function endOf(system: System, id: string, subject: Addressed): TrialEnd {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const watching = system.watch(subject, () => resolve());
  return {
    ignore: () => watching.cancel(),
    async reason() {
      const late = setTimeout(resolve, END_MS);
      await ended;
      clearTimeout(late);
      const report = (await system.crashReports()).findLast(({ child }) => child === id);
      return report ?? { code: 'actor_stopped', message: 'its process ended without saying why' };
    },
  };
}

async function endTrial(system: System, id: string): Promise<void> {
  try {
    await system.terminate(id);
  } catch (error) {
    // A temporary child that has ended is forgotten.
    if (!(error instanceof SpillwayError) || (error.code !== 'child_unknown' && error.code !== 'system_closed')) throw error;
  }
}

function wordsFor(level: IsolationLevel): string {
  return level === 'sandboxed' ? 'sandboxed process' : 'process of its own';
}
