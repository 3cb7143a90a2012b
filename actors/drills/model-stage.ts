/**
 * The system in which a model is broken while it is used: its own, with one isolated model, the scheduler in front of
 * it and a load that goes on. What the drills have in common is here; what is broken is the drill's.
 */
import { copyFileSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { SpillwayError, siblingModule, systemClock, type ActorRef } from '../../kernel/index.ts';
import { EMPTY_TALLY, createSystem, drillCheck, type ChildSpec, type CrashReport, type DrillRecord, type DrillRun, type System } from '../../supervisors/index.ts';
import { BUILT_IN_NAME, EmbedScheduler, chooseModel, inferenceSpec, type CheckedModel } from '../inference/index.ts';
import { ModelLoad } from './model-load.ts';
import { modelSubjectProtocol, type ModelFailure, type ModelSubjectArgs, type ModelSubjectSpec } from './model-subject.ts';

const SUBJECT = 'model';
export const MODEL_BACKOFF_MS = 50;
/** Requests that are answered before anything is broken, and after it has come back. */
const STEADY = 20;
const LOOK_MS = 1;
const RECOVERY_MS = 30_000;
const CLOSE_MS = 30_000;

export interface ModelFault {
  /** What its supervisor is to say of the end of its process. */
  readonly code: string;
  readonly message: RegExp;
  /** Resident memory that its process may have. Default: what a model of its size is granted. */
  readonly memoryBytes?: number;
  /** Brings it about. */
  break(stage: ModelStage): void | Promise<void>;
  /** Puts right what would break its next life too; called as soon as its end is seen. */
  mend?(stage: ModelStage): void;
}

export class ModelStage {
  readonly system: System;
  readonly load: ModelLoad;
  /** The file that the model is mapped from; a copy of the drill's own. */
  readonly modelPath: string;
  /** Another one, to take its place. */
  readonly sparePath: string;
  readonly #run: DrillRun;
  readonly #subject: ActorRef<ModelSubjectSpec>;

  private constructor(run: DrillRun, system: System, subject: ActorRef<ModelSubjectSpec>, scheduler: EmbedScheduler, files: ModelFiles) {
    this.#run = run;
    this.system = system;
    this.#subject = subject;
    this.modelPath = files.model.path;
    this.sparePath = files.sparePath;
    this.load = new ModelLoad((texts) => scheduler.embed({ texts, cache: false }), run.random.fork('load'));
  }

  /** One run of a drill, from an empty system to a closed one. */
  static async hold(run: DrillRun, fault: ModelFault): Promise<DrillRecord> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-drill-')));
    try {
      const files = await modelFiles(folder);
      // What fails here is meant to.
      const system = await createSystem({ logLevel: 'silent' });
      try {
        const subject = await system.spawn(subjectSpec(files, fault), modelSubjectProtocol);
        const { sha256, dimensions, tokensMax, fusedTextsMax, fusedTokensMax, overlaps } = await subject.ask('load', {}, { deadlineMs: RECOVERY_MS });
        const worker = {
          embed: (texts: readonly string[], { deadlineMs, signal }: { readonly deadlineMs: number; readonly signal?: AbortSignal }) =>
            subject.ask('embed', { texts: [...texts] }, { deadlineMs, ...(signal === undefined ? {} : { signal }) }),
        };
        const scheduler = new EmbedScheduler({ workers: [worker], model: { sha256, dimensions, tokensMax, fusedTextsMax, fusedTokensMax, overlaps }, clock: systemClock, cacheBytes: 0 });
        const stage = new ModelStage(run, system, subject, scheduler, files);
        try {
          return await stage.#hold(fault);
        } finally {
          const stopped = stage.load.stop();
          await scheduler.close();
          await stopped;
        }
      } finally {
        // What does not end in time is found among the leaks.
        await system.close(CLOSE_MS).catch(() => {});
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  /** Tells the actor to do something to itself. */
  fail(how: ModelFailure): void {
    this.#subject.tell('fail', { how });
  }

  async #hold(fault: ModelFault): Promise<DrillRecord> {
    const { load } = this;
    await load.learn();
    load.start();
    await this.#answers(STEADY);
    const timeline: DrillRecord['timeline'] = this.#run.withFault ? await this.#recovery(fault) : {};
    await this.#answers(STEADY);
    await load.stop();
    const isAsBefore = await load.isAsBefore();
    const { restarts } = this.system.thread(SUBJECT);
    const restartsExpected = this.#run.withFault ? 1 : 0;
    const { readyMs } = timeline;
    return {
      timeline,
      lanes: { control: EMPTY_TALLY, data: load.attempts.tally(load.answers, 0, false), telemetry: EMPTY_TALLY },
      restarts,
      checks: [
        drillCheck('no vector is wrong', load.wrong === 0, load.wrong),
        drillCheck('each request is answered, or refused with a code', load.unanswered === 0, load.unanswered),
        drillCheck('its vectors are those of before', isAsBefore, 'they are others'),
        drillCheck('restarted as often as the fault demands', restarts === restartsExpected, restarts),
        ...(this.#run.withFault ? [await this.#endCheck(fault)] : []),
      ],
      notes: readyMs === undefined ? [] : [`${load.acknowledged} requests answered${describeCodes(load.attempts.codes)}; embeds again ${Math.round(readyMs)} ms after the fault, its process started and its model loaded`],
    };
  }

  /** @returns what happened when, from the fault on */
  async #recovery(fault: ModelFault): Promise<DrillRecord['timeline']> {
    const thread = this.system.thread(SUBJECT);
    const before = { incarnation: thread.incarnation, restarts: thread.restarts };
    const faultMs = systemClock.monotonicMs();
    const sinceMs = (): number => systemClock.monotonicMs() - faultMs;
    await fault.break(this);
    await this.#until(() => thread.state !== 'running' || thread.restarts > before.restarts, 'its end');
    const detectedMs = sinceMs();
    fault.mend?.(this);
    await this.#until(() => thread.incarnation > before.incarnation, 'its next life');
    const restartedMs = sinceMs();
    await this.#answers(1);
    return { detectedMs, restartedMs, readyMs: sinceMs() };
  }

  /** Of how the process ended, as its supervisor tells it. */
  async #endCheck({ code, message }: ModelFault): Promise<DrillRecord['checks'][number]> {
    const report: CrashReport | undefined = (await this.system.crashReports()).findLast(({ child }) => child === SUBJECT);
    return drillCheck('its end is told by its name', report?.code === code && message.test(report.message), report === undefined ? 'nothing was told' : `${report.code}: ${report.message}`);
  }

  /** Waits until so many more requests have been answered. */
  async #answers(count: number): Promise<void> {
    const wanted = this.load.acknowledged + count;
    await this.#until(() => this.load.acknowledged >= wanted, `${count} answers`);
  }

  async #until(isSo: () => boolean, what: string): Promise<void> {
    for (const endMs = systemClock.monotonicMs() + RECOVERY_MS; !isSo(); ) {
      if (this.#run.signal.aborted) throw new SpillwayError('drill_aborted', `The abort rule fired while ${what} was waited for.`);
      if (systemClock.monotonicMs() > endMs) throw new SpillwayError('drill_aborted', `The model did not come to ${what} within ${RECOVERY_MS / 1_000} s.`);
      await pause(LOOK_MS);
    }
  }
}

interface ModelFiles {
  readonly model: CheckedModel;
  readonly sparePath: string;
  readonly badModelPath: string;
}

/** The built-in model, once to be mapped, once to take its place, and once with a count of layers that llama.cpp asserts not to be. */
async function modelFiles(folder: string): Promise<ModelFiles> {
  const original = await chooseModel(BUILT_IN_NAME);
  const at = (name: string): string => join(folder, name);
  const [path, sparePath, badModelPath] = [at('model.gguf'), at('spare.gguf'), at('bad.gguf')];
  copyFileSync(original.path, path);
  copyFileSync(original.path, sparePath);
  const bytes = readFileSync(original.path);
  const key = 'bert.block_count';
  // The key's value follows its type.
  bytes.writeUInt32LE(0, bytes.indexOf(key) + key.length + 4);
  writeFileSync(badModelPath, bytes);
  return { model: { ...original, path }, sparePath, badModelPath };
}

function subjectSpec({ model, badModelPath }: ModelFiles, { memoryBytes }: ModelFault): ChildSpec {
  const spec = inferenceSpec(SUBJECT, { model, load: 'start' }, { isolate: true, ...(memoryBytes === undefined ? {} : { isolation: { memoryBytes } }) });
  const { sandbox, ...granted } = spec.process!;
  const args: ModelSubjectArgs = { model, load: 'start', badModelPath };
  return {
    ...spec,
    start: { module: siblingModule('model-subject', import.meta.url), export: 'modelSubject', args },
    process: { ...granted, sandbox: { ...sandbox, read: [...(sandbox?.read ?? []), badModelPath] } },
    backoff: { minMs: MODEL_BACKOFF_MS, maxMs: MODEL_BACKOFF_MS, jitter: 0 },
  };
}

function describeCodes(codes: Readonly<Record<string, number>>): string {
  const told = Object.entries(codes).map(([code, count]) => `${count} ${code}`);
  return told.length === 0 ? ', none refused' : `, refused: ${told.join(', ')}`;
}
