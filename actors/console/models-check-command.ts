/**
 * `spillway models check`: what is known of a model before it is used. First what its files say, every number that
 * was found, then a load in a process of its own. A model that does not pass is the result, and the exit code.
 */
import { SpillwayError } from '../../kernel/index.ts';
import {
  BUILT_IN_NAME, chooseModel, distrust, modelFacts, quarantineModel, resolveModel, resolveModelName, suitablePurpose, trust, type CheckedModel, type Purpose, type QuarantineVerdict,
} from '../inference/index.ts';
import { EXIT_DONE, EXIT_FAILED } from './exit-codes.ts';
import { line, megabytes, type ModelsCommand } from './models-command.ts';
import { withSystem } from './pipeline.ts';
import { printable } from './printable.ts';

export interface ModelsCheckCommand extends ModelsCommand {
  /** A name, a path or an `hf:` URI. */
  readonly model: string;
  /** Absent: what its entry or its files say. */
  readonly purpose: Purpose | undefined;
  readonly interrupt: AbortSignal;
}

/** @returns the exit code: 1 for a model that is refused. @throws SpillwayError `model_unknown`, `model_missing`, `registry_broken`, ... */
export async function modelsCheck(command: ModelsCheckCommand): Promise<number> {
  const { json, settings, stdout, interrupt } = command;
  let checked: CheckedModel;
  let purpose: Purpose;
  try {
    ({ checked, purpose } = await checkFiles(command, interrupt));
  } catch (error) {
    if (!(error instanceof SpillwayError) || !REFUSALS.has(error.code)) throw error;
    stdout(json ? line('checked', { verdict: 'refused', by: 'files', code: error.code, message: error.message }) : `refused by the check of its files: ${printable(error.message)} [${error.code}]\n`);
    return EXIT_FAILED;
  }
  const facts = { purpose, ...modelFacts(checked, purpose, settings.actors), sha256: checked.sha256 };
  stdout(json ? line('files', { ...facts, path: checked.path }) : `files passed  ${printable(checked.path)}\n${listed(facts)}`);
  const verdict = await withSystem(settings, (system) => quarantineModel(system, checked, { purpose }));
  await keep(checked, verdict, settings.cacheDir);
  if (json) stdout(line('checked', { ...verdict, by: 'first load' }));
  else stdout(verdict.verdict === 'passed' ? `first load passed  ${noteOf(verdict)}\n` : `refused by the first load: ${printable(verdict.reason ?? 'it gave no reason')} [${verdict.code ?? 'failed'}]\n`);
  return verdict.verdict === 'passed' ? EXIT_DONE : EXIT_FAILED;
}

/** What says that a model is not sound; other errors are about finding it. */
const REFUSALS: ReadonlySet<string> = new Set(['model_not_gguf', 'model_not_onnx', 'model_truncated', 'model_malformed', 'model_unsupported', 'model_too_complex', 'model_changed']);

async function checkFiles({ model, purpose, settings: { cacheDir } }: ModelsCheckCommand, signal: AbortSignal): Promise<{ checked: CheckedModel; purpose: Purpose }> {
  const named = resolveModelName(model, { cacheDir });
  if (named.kind === 'built_in') return { checked: await chooseModel(BUILT_IN_NAME, { cacheDir, purpose: purpose ?? 'embed' }), purpose: purpose ?? 'embed' };
  const found = named.kind === 'source' ? await resolveModel(named.source, { cacheDir, signal }) : undefined;
  const chosen = purpose ?? (named.kind === 'registered' ? named.model.purposes[0] : undefined) ?? suitablePurpose(found?.path ?? model);
  return { checked: await chooseModel(model, { cacheDir, signal, purpose: chosen }), purpose: chosen };
}

/** A later load on a thread need not try it again, or must not trust it any more. */
async function keep({ sha256, backend, builtIn }: CheckedModel, verdict: QuarantineVerdict, cacheDir: string): Promise<void> {
  if (builtIn) return;
  if (verdict.verdict === 'passed') await trust(sha256, { backend, how: noteOf(verdict) }, { cacheDir });
  else await distrust(sha256, { cacheDir });
}

function listed(facts: Readonly<Record<string, string | number | boolean>>): string {
  const shown = (name: string, value: string | number | boolean): string => (name.endsWith('Bytes') ? `${String(value)} (${megabytes(Number(value))})` : printable(String(value)));
  return Object.entries(facts).map(([name, value]) => `  ${name.padEnd(18)}${shown(name, value)}\n`).join('');
}

function noteOf({ level, loadMs }: QuarantineVerdict): string {
  return `loaded in a ${level === 'sandboxed' ? 'sandboxed process' : 'process of its own'} in ${Math.round(loadMs)} ms`;
}
