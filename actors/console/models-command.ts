/**
 * `spillway models`: the models that the user has added, and which of them is the default.
 *
 * Every command says what it has done in a line or, with `--json`, in an object; what is wrong with a model
 * that is checked is a result (exit code 1), what is wrong with the registry or the call is an error.
 */
import { existsSync } from 'node:fs';
import {
  BUILT_IN_NAME, ModelRegistry, PURPOSES, addModel, estimateMemory, presenceOf, removeOwnFiles, type DefaultChange, type MemoryEstimate, type Presence, type Purpose, type RegisteredModel,
} from '../inference/index.ts';
import { EXIT_DONE } from './exit-codes.ts';
import { withSystem } from './pipeline.ts';
import { printable } from './printable.ts';
import type { Settings } from './settings.ts';

export interface ModelsCommand {
  readonly json: boolean;
  readonly settings: Pick<Settings, 'actors' | 'cacheDir' | 'logLevel'>;
  readonly stdout: (text: string) => void;
}

const STATE_WORDS: Readonly<Record<Presence, string>> = { present: 'as added', missing: 'missing', touched: 'changed since it was added' };
const HASH_SHOWN = 12;

/** @returns the exit code. @throws SpillwayError `registry_broken` */
export async function modelsList({ json, settings, stdout }: ModelsCommand): Promise<number> {
  const registry = new ModelRegistry(settings.cacheDir);
  const defaults = new Map(PURPOSES.map((purpose) => [purpose, registry.defaultName(purpose)]));
  const defaultFor = (name: string): Purpose[] => PURPOSES.filter((purpose) => defaults.get(purpose) === name);
  const models = registry.list();
  if (json) {
    stdout(line('model', { name: BUILT_IN_NAME, defaultFor: defaultFor(BUILT_IN_NAME), purposes: ['embed'] }));
    for (const model of models) {
      const { files: _, ...fields } = model;
      stdout(line('model', { ...fields, defaultFor: defaultFor(model.name), state: presenceOf(model), memory: memoryOf(model, settings.actors) ?? null }));
    }
    return EXIT_DONE;
  }
  const rows = models.map((model) => {
    const { name, purposes, backend, dimensions, contextLength, sizeBytes } = model;
    const memory = memoryOf(model, settings.actors);
    return [
      defaultFor(name).length > 0 ? '*' : '', name, purposes.join(','), backend, String(dimensions), String(contextLength), megabytes(sizeBytes),
      memory === undefined ? '-' : megabytes(memory.totalBytes), STATE_WORDS[presenceOf(model)], printable(model.source),
    ];
  });
  stdout(
    table([
      ['', 'NAME', 'FOR', 'BACKEND', 'VALUES', 'TOKENS', 'FILES', `MEMORY OF ${settings.actors}`, 'STATE', 'SOURCE'],
      [defaultFor(BUILT_IN_NAME).length > 0 ? '*' : '', BUILT_IN_NAME, 'embed', 'llama', '', '', '', '', 'always there', ''],
      ...rows,
    ]),
  );
  stdout(`* is what is taken where no model is named. MEMORY is an estimate for ${settings.actors} ${settings.actors === 1 ? 'actor' : 'actors'}.\n`);
  return EXIT_DONE;
}

export interface ModelsAddCommand extends ModelsCommand {
  readonly name: string;
  readonly source: string;
  readonly copy: boolean;
  /** Absent: what the model's files say. */
  readonly purposes: readonly Purpose[] | undefined;
  readonly stderr: (text: string) => void;
  /** Aborted by Ctrl-C: a download can be continued. */
  readonly interrupt: AbortSignal;
}

/** @returns the exit code. @throws SpillwayError what `addModel` throws */
export function modelsAdd({ name, source, copy, purposes, json, settings, stdout, stderr, interrupt }: ModelsAddCommand): Promise<number> {
  return withSystem(settings, async (system) => {
    const model = await addModel(system, name, source, {
      cacheDir: settings.cacheDir, copy, signal: interrupt, onProgress: downloadProgress(stderr),
      ...(purposes === undefined ? {} : { purposes }),
    });
    const { files: _, ...fields } = model;
    if (json) stdout(line('added', fields));
    else {
      stdout(
        `added ${name}: ${model.purposes.join(', ')}, ${model.backend}, ${model.dimensions} values, ${model.contextLength} tokens, ${megabytes(model.sizeBytes)}, sha256 ${model.sha256.slice(0, HASH_SHOWN)}\n` +
          `  ${printable(model.path)}\n  ${model.checked}\n`,
      );
    }
    return EXIT_DONE;
  });
}

export interface ModelsRemoveCommand extends ModelsCommand {
  readonly name: string;
  /** Whether its files go, too, if they are our own: a copy or a download. */
  readonly files: boolean;
}

/** @returns the exit code. @throws SpillwayError `model_unknown`, `registry_…` */
export async function modelsRemove({ name, files, json, settings, stdout }: ModelsRemoveCommand): Promise<number> {
  const registry = new ModelRegistry(settings.cacheDir);
  const { removed, changes } = await registry.remove(name);
  const isShared = registry.list().some(({ path }) => path === removed.path);
  const filesRemoved = files && !isShared && removeOwnFiles(removed, settings.cacheDir);
  if (json) stdout(line('removed', { name, path: removed.path, filesRemoved }));
  else stdout(`removed ${name}; ${filesOf(removed, files, filesRemoved, isShared)}\n`);
  tellChanges(changes, { json, stdout });
  return EXIT_DONE;
}

function filesOf({ path }: RegisteredModel, wanted: boolean, done: boolean, isShared: boolean): string {
  if (done) return `its files went with it: ${printable(path)}`;
  if (!existsSync(path)) return 'its files were gone already';
  if (isShared) return `its files stay, because another name means them: ${printable(path)}`;
  return `its files stay${wanted ? ', because they are yours' : ''}: ${printable(path)}`;
}

export interface ModelsUseCommand extends ModelsCommand {
  readonly name: string;
  /** Absent: all that the model is for. */
  readonly purposes: readonly Purpose[] | undefined;
}

/** @returns the exit code. @throws SpillwayError `model_unknown`, `model_unsupported`, `registry_…` */
export async function modelsUse({ name, purposes, json, settings, stdout }: ModelsUseCommand): Promise<number> {
  const changes = await new ModelRegistry(settings.cacheDir).use(name, purposes);
  tellChanges(changes, { json, stdout });
  if (changes.length === 0 && !json) stdout(`${name} is the default already\n`);
  return EXIT_DONE;
}

export interface ModelsRollbackCommand extends ModelsCommand {
  /** Absent: whatever was changed last. */
  readonly purpose: Purpose | undefined;
}

/** @returns the exit code. @throws SpillwayError `model_no_former`, `registry_…` */
export async function modelsRollback({ purpose, json, settings, stdout }: ModelsRollbackCommand): Promise<number> {
  tellChanges(await new ModelRegistry(settings.cacheDir).rollback(purpose), { json, stdout });
  return EXIT_DONE;
}

function tellChanges(changes: readonly DefaultChange[], { json, stdout }: Pick<ModelsCommand, 'json' | 'stdout'>): void {
  for (const { purpose, from, to } of changes) {
    stdout(json ? line('default', { purpose, from: from ?? null, to: to ?? null }) : `default for ${purpose}: ${to ?? 'none'} (formerly ${from ?? 'none'})\n`);
  }
}

/** Undefined where the header cannot be read any more; its state says why. */
function memoryOf(model: RegisteredModel, actors: number): MemoryEstimate | undefined {
  try {
    return estimateMemory(model, { actors, purpose: model.purposes[0] ?? 'embed' });
  } catch {
    return undefined;
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 10e6 ? 1 : 0)} MB`;
}

/** One JSON object. */
export function line(event: string, fields: object): string {
  return `${JSON.stringify({ event, ...fields })}\n`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ').trimEnd()}\n`).join('');
}

/** Says how far a download is, once for each tenth. */
function downloadProgress(stderr: (text: string) => void): (progress: { downloadedBytes: number; totalBytes: number }) => void {
  let shown = -1;
  return ({ downloadedBytes, totalBytes }) => {
    const tenth = Math.floor((downloadedBytes / totalBytes) * 10);
    if (!(tenth > shown)) return;
    shown = tenth;
    stderr(`downloading: ${tenth * 10} % of ${megabytes(totalBytes)}\n`);
  };
}
