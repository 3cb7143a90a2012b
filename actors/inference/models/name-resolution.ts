/**
 * What a user may write after `--model`: a name from the registry, a path, or an `hf:` URI, looked for in
 * this order. What looks like a path is never taken for a name, so no name that is added later changes its meaning.
 */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { cacheFolder, SpillwayError } from '../../../kernel/index.ts';
import { BUILT_IN_NAME, isModelName } from './model-name.ts';
import { ModelRegistry, unknownModel } from './registry.ts';
import type { Purpose, RegisteredModel } from './registry-file.ts';

export interface NameOptions {
  /** Where the registry lies. Default: the user's cache folder. */
  readonly cacheDir?: string;
  /** Whose default is meant when nothing was named. Default: embed. */
  readonly purpose?: Purpose;
}

/** `registered` has an entry; `source` is a path or a URI, as it was written. */
export type ResolvedName =
  | { readonly kind: 'built_in' }
  | { readonly kind: 'registered'; readonly model: RegisteredModel }
  | { readonly kind: 'source'; readonly source: string };

/**
 * @param source undefined for the default
 * @throws SpillwayError `model_unknown` (a name that nobody has given, or no default for the purpose), `registry_broken`
 */
export function resolveModelName(source: string | undefined, { cacheDir = cacheFolder(), purpose = 'embed' }: NameOptions = {}): ResolvedName {
  if (source !== undefined && !isModelName(source)) return { kind: 'source', source };
  if (source === BUILT_IN_NAME) return { kind: 'built_in' };
  const registry = new ModelRegistry(cacheDir);
  const name = source ?? registry.defaultName(purpose);
  if (name === undefined) {
    throw new SpillwayError('model_unknown', `no model was named, and there is no default for ${purpose}; name one, or choose a default with \`spillway models use\``, { details: { purpose } });
  }
  if (name === BUILT_IN_NAME) return { kind: 'built_in' };
  const model = registry.find(name);
  if (model !== undefined) return { kind: 'registered', model };
  // A file or folder of the present folder may have such a name, too.
  if (existsSync(resolve(name))) return { kind: 'source', source: name };
  throw unknownModel(name, registry.list());
}

/** Holds a registered model's hash against that of its files now. @throws SpillwayError `model_changed` naming both */
export function assertUnchanged({ name, path, sha256: added }: RegisteredModel, sha256: string): void {
  if (sha256 === added) return;
  throw new SpillwayError(
    'model_changed',
    `model ${name} (${path}): its hash is ${sha256.slice(0, 16)} now and was ${added.slice(0, 16)} when it was added; put the former files back, or remove it and add it again`,
    { details: { name, path, sha256, addedSha256: added } },
  );
}
