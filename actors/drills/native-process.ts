/**
 * The process that a case of the native drill takes place in, because it may be the case's victim: a system
 * with one inference actor, whose end is brought about while its native calls run. It says what it finds as
 * lines of JSON; what it can no longer say, its exit code or signal does.
 */
import { copyFileSync } from 'node:fs';
import { SpillwayError, siblingModule, systemClock, type ActorRef } from '../../kernel/index.ts';
import { createSystem, type ChildSpec, type Placement, type System } from '../../supervisors/index.ts';
import type { CheckedModel } from '../inference/index.ts';
import { NATIVE_COUNTERS, NATIVE_FAULTS, nativeSubjectProtocol, type NativeFault, type NativeSubjectArgs, type NativeSubjectSpec } from './native-subject.ts';

/** What is done to the actor or around it while a native call runs; the meaning is said in native-cases.ts. */
export type NativeDeed =
  | NativeFault
  | 'none' | 'terminate' | 'stop-late' | 'kill' | 'brutal-kill' | 'close-late'
  | 'application-exit' | 'application-throw' | 'guardian-exit' | 'interrupt' | 'interrupt-in-order';

export interface NativeOrder {
  readonly deed: NativeDeed;
  readonly placement: Placement;
  readonly model: CheckedModel;
  /** The file that `model` is a copy of. */
  readonly original: string;
}

export interface NativeLine {
  /** `begun`: the batch is in the actor's hands. */
  readonly event: 'begun' | 'done' | 'recovered' | 'closed';
  readonly atMs: number;
  /** What the call that was to end the actor has answered. */
  readonly answer?: string;
  readonly restarts?: number;
  /** Whether the vectors are those of before. */
  readonly sameVectors?: boolean;
}

const SUBJECT = 'subject';
const BACKOFF_MS = 10;
/** Long ones, so that a native call takes its time; enough of them to outlast the fault. */
const TEXTS = Array.from({ length: 24 }, (_, text) => Array.from({ length: 240 }, (_, word) => `word${(word * 31 + text) % 97}`).join(' '));
const PROBE = ['the quick brown fox', 'jumps over the lazy dog'];
/** Texts that have begun when the fault comes from without: those before are done, and one computes. */
const TEXTS_BEGUN = 4;
const ASK_MS = 30_000;
const HUNG_AFTER_MS = 300;
const HEAP_MB = 48;
const LATE_MS = 50;
const LOOK_MS = 1;
const LIFE_MS = 120_000;
/** What the process ends with when its application says so itself. */
export const APPLICATION_EXIT_CODE = 7;

async function holdCase({ deed, placement, model, original }: NativeOrder, say: (line: NativeLine) => void): Promise<void> {
  const tell = (event: NativeLine['event'], rest: Partial<NativeLine> = {}): void => say({ event, atMs: systemClock.monotonicMs(), ...rest });
  const system = await createSystem({ logLevel: 'error', supervisor: { backoff: { minMs: BACKOFF_MS, maxMs: BACKOFF_MS, jitter: 0 } } });
  const spec = specOf(deed, placement, { model, modelPath: model.path, load: 'start' });
  if (deed === 'brutal-kill' && placement === 'thread') return refused(system, spec, tell);
  const subject = await system.spawn(spec, nativeSubjectProtocol);
  const before = await embed(subject, PROBE);
  const enough = textsBegun(system) + TEXTS_BEGUN;
  // The batch that the fault meets; whether it is answered depends on the case.
  const batch = subject.ask('embed', { texts: TEXTS, ...(isFault(deed) ? { fault: deed } : {}) }, { deadlineMs: ASK_MS }).then(() => 'answered', codeOf);
  // A fault from within finds its moment itself, and what its actor shows of itself may end before that is seen.
  while (!isFault(deed) && textsBegun(system) < enough) await pause();
  tell('begun');
  const answer = await bringAbout(deed, system, batch);
  tell('done', { answer });
  if (deed === 'truncate') copyFileSync(original, model.path);
  if (deed === 'close-late' || deed === 'interrupt-in-order' || deed === 'guardian-exit') {
    tell('closed');
    return;
  }
  const after = await recovered(system);
  tell('recovered', { restarts: system.thread(SUBJECT).restarts, sameVectors: after.every((value, index) => value === before[index]) });
  await system.close(ASK_MS);
  tell('closed');
}

function specOf(deed: NativeDeed, placement: Placement, args: NativeSubjectArgs): ChildSpec {
  return {
    id: SUBJECT,
    start: { module: siblingModule('native-subject', import.meta.url), export: 'nativeSubject', args },
    placement,
    native: true,
    ...(deed === 'brutal-kill' ? { brutalKill: true } : { shutdownMs: deed === 'stop-late' ? LATE_MS : ASK_MS }),
    ...(deed === 'hang' ? { hungAfterMs: HUNG_AFTER_MS } : {}),
    ...(deed === 'memory' ? { resourceLimits: { maxOldGenerationSizeMb: HEAP_MB } } : {}),
  };
}

/** @returns what came of it */
async function bringAbout(deed: NativeDeed, system: System, batch: Promise<string>): Promise<string> {
  const supervisor = system.supervisor();
  switch (deed) {
    case 'terminate':
    case 'stop-late':
    case 'brutal-kill': {
      const ended = await supervisor.terminateChild(SUBJECT);
      const outcome = await batch;
      // What is late goes on to its end, and only then can there be another.
      await restart(system);
      return ended ? 'ended' : `not ended, batch ${outcome}`;
    }
    case 'kill': {
      const killed = await supervisor.killChild(SUBJECT);
      return killed ? 'killed' : `not killed, batch ${await batch}`;
    }
    case 'close-late': {
      const closed = await system.close(LATE_MS).then(() => 'closed', codeOf);
      await system.close(ASK_MS);
      return closed;
    }
    case 'application-exit':
      return process.exit(APPLICATION_EXIT_CODE);
    case 'application-throw':
      setImmediate(() => {
        throw new Error('thrown by the application while a native call runs');
      });
      return batch;
    case 'guardian-exit':
      await system.supervisor().startChild({ id: 'exiter', placement: 'inline', start: { module: siblingModule('native-exiter', import.meta.url), export: 'nativeExiter' } }).catch(() => {});
      return batch;
    case 'interrupt':
      process.kill(process.pid, 'SIGINT');
      return batch;
    case 'interrupt-in-order': {
      const interrupted = new Promise((resolve) => process.once('SIGINT', resolve));
      process.kill(process.pid, 'SIGINT');
      await interrupted;
      await system.close(ASK_MS);
      return batch;
    }
    default:
      return batch;
  }
}

/** The supervisor refuses to kill it by its spec, before anything has started. */
async function refused(system: System, spec: ChildSpec, tell: (event: NativeLine['event'], rest?: Partial<NativeLine>) => void): Promise<void> {
  tell('begun');
  tell('done', { answer: await system.spawn(spec, nativeSubjectProtocol).then(() => 'started', codeOf) });
  await system.close();
  tell('closed');
}

async function restart(system: System): Promise<void> {
  for (;;) {
    try {
      await system.supervisor().restartChild(SUBJECT);
      return;
    } catch (error) {
      if (codeOf(error) !== 'child_running') throw error;
      await pause();
    }
  }
}

function textsBegun(system: System): number {
  return system.counters(SUBJECT, NATIVE_COUNTERS).begun;
}

async function recovered(system: System): Promise<Float32Array> {
  for (const endMs = systemClock.monotonicMs() + ASK_MS; ; ) {
    try {
      // One that was terminated and started again has another address.
      return await embed(await system.resolve(SUBJECT, nativeSubjectProtocol), PROBE);
    } catch (error) {
      if (!(error instanceof SpillwayError) || systemClock.monotonicMs() > endMs) throw error;
      await pause();
    }
  }
}

async function embed(subject: ActorRef<NativeSubjectSpec>, texts: readonly string[]): Promise<Float32Array> {
  return Float32Array.from((await subject.ask('embed', { texts: [...texts] }, { deadlineMs: ASK_MS })).vectors);
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_MS));
}

function isFault(deed: NativeDeed): deed is NativeFault {
  return (NATIVE_FAULTS as readonly string[]).includes(deed);
}

function codeOf(error: unknown): string {
  if (error instanceof SpillwayError) return error.code;
  throw error;
}

if (import.meta.main) {
  // Nobody may be there any more to end a case that hangs.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), LIFE_MS).unref();
  await holdCase(JSON.parse(process.argv[2]!) as NativeOrder, (line) => console.log(JSON.stringify(line)));
}
