/**
 * How a model comes into the registry: found or downloaded, its header checked, hashed, copied if that is
 * asked for, tried in quarantine, and only then written down. A step that fails leaves the registry as it was.
 */
import { SpillwayError, cacheFolder } from '../../../kernel/index.ts';
import type { System } from '../../../supervisors/index.ts';
import { checkGgufHeader, type GgufSummary } from '../gguf/header.ts';
import { checkModelFiles, type CheckedModel } from '../model-choice.ts';
import { resolveModel, type ModelSourceOptions } from '../model-source.ts';
import { checkOnnxModel, checkPurpose, isOnnxModel } from '../onnx/model-folder.ts';
import { assertModelName } from './model-name.ts';
import { marksOf, modelFiles } from './model-files.ts';
import { copyIntoStore, removeOwnFiles } from './model-store.ts';
import { ensureTrusted } from './quarantine.ts';
import { ModelRegistry } from './registry.ts';
import type { Purpose, RegisteredModel } from './registry-file.ts';
import { trustOf } from './trusted.ts';

export interface AddModelOptions extends ModelSourceOptions {
  /** What the model is for. Default: what its files say. */
  readonly purposes?: readonly Purpose[];
  /** Whether a copy of our own is taken of a path, which nobody can cut short or overwrite while it is mapped. Default false. */
  readonly copy?: boolean;
  /** The clock, in ms since the epoch. */
  readonly now?: () => number;
}

/**
 * Adds the model at `source` (a path or an `hf:` URI) under `name`.
 *
 * @throws SpillwayError `model_name_invalid`, `model_name_taken`, `registry_…`, and the codes of `resolveModel`,
 *   `checkModelFiles` and `ensureTrusted`
 */
export async function addModel(system: System, name: string, source: string, options: AddModelOptions = {}): Promise<RegisteredModel> {
  const { cacheDir = cacheFolder(), copy = false, now = Date.now } = options;
  const registry = new ModelRegistry(cacheDir);
  assertModelName(name);
  // A name that is taken should be known before an hour's download; that nobody took it meanwhile is known at the end.
  if (registry.find(name) !== undefined) throw nameTaken(name);
  const { path: found, uri } = await resolveModel(source, options);
  const purposes = options.purposes ?? [suitablePurpose(found)];
  const [first = 'embed'] = purposes;
  const original = await checkModelFiles(found, first, uri);
  for (const purpose of purposes.slice(1)) await checkModelFiles(found, purpose, uri);
  // What was downloaded is our own and read-only already.
  const copied = copy && uri === undefined;
  const checked = copied ? await takeCopy(original, first, cacheDir) : original;
  const files = marksOf(modelFiles(checked.path));
  const model: RegisteredModel = {
    name, source: uri ?? found, path: checked.path, backend: checked.backend, purposes, sha256: checked.sha256,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    dimensions: checked.dimensions, contextLength: checked.contextLength, copied,
    checked: await tried(system, checked, first, cacheDir),
    addedAt: new Date(now()).toISOString(), files,
  };
  await registry.add(model);
  return model;
}

/** The copy is hashed, not believed: the original may have been written to meanwhile, and an older copy may be damaged. */
async function takeCopy({ path, sha256 }: CheckedModel, purpose: Purpose, cacheDir: string): Promise<CheckedModel> {
  const copy = copyIntoStore(modelFiles(path), sha256, cacheDir);
  const checked = await checkModelFiles(copy, purpose);
  if (checked.sha256 === sha256) return checked;
  removeOwnFiles({ path: copy, copied: true, sha256 }, cacheDir);
  throw new SpillwayError('model_changed', `model ${path}: its copy has the hash ${checked.sha256.slice(0, 16)}, and the file had ${sha256.slice(0, 16)}; wait until nobody writes to it, then try again`, { details: { path, sha256 } });
}

/** How the model was checked, in a few words. */
async function tried(system: System, checked: CheckedModel, purpose: Purpose, cacheDir: string): Promise<string> {
  await ensureTrusted(system, checked, { cacheDir, purpose });
  return trustOf(checked.sha256, { cacheDir })?.how ?? 'tried';
}

/** What the files say that the model is for. @throws SpillwayError the codes of `checkGgufHeader` or `checkOnnxModel`, of a model that is for nothing */
export function suitablePurpose(path: string): Purpose {
  if (isOnnxModel(path)) {
    const files = checkOnnxModel(path);
    const embed = refusalOf(() => checkPurpose(files, 'embed'));
    if (embed === undefined) return 'embed';
    if (refusalOf(() => checkPurpose(files, 'rank')) === undefined) return 'rank';
    throw embed;
  }
  let summary: GgufSummary | undefined;
  const embed = refusalOf(() => { summary = checkGgufHeader(path, 'embed'); });
  if (summary?.isEncoder === true || summary?.poolingType !== undefined) return 'embed';
  // A decoder without a word about pooling was most likely made to write; but it has a head if it was made to rank.
  for (const purpose of ['rank', 'generate'] as const) if (refusalOf(() => checkGgufHeader(path, purpose)) === undefined) return purpose;
  if (embed !== undefined) throw embed;
  return 'embed';
}

function refusalOf(check: () => unknown): SpillwayError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof SpillwayError) return error;
    throw error;
  }
}

function nameTaken(name: string): SpillwayError {
  return new SpillwayError('model_name_taken', `there is a model ${name} already; choose another name, or remove it first with \`spillway models remove ${name}\``, { details: { name } });
}
