/**
 * The models that a user has added, under names of their own, and which of them is the default.
 *
 * Names are for people: what an index or a cache is bound to is a model's hash, so an entry keeps the hash
 * that its files had when it was added, and whoever resolves the name is told when they have another.
 * The former defaults are kept, so that one command leads back; a name that is removed leaves no trace in them.
 */
import { SpillwayError } from '../../../kernel/index.ts';
import type { LockedFile } from './locked-file.ts';
import { BUILT_IN_NAME, assertModelName } from './model-name.ts';
import { PURPOSES, registryFile, type DefaultModel, type Purpose, type RegisteredModel, type RegistryState } from './registry-file.ts';

/** More would be a mistake of a program that adds in a loop. */
const MODELS_MAX = 256;
const FORMER_DEFAULTS_MAX = 16;

/** A default that has changed: from which name to which, undefined for none. */
export interface DefaultChange {
  readonly purpose: Purpose;
  readonly from: string | undefined;
  readonly to: string | undefined;
}

export class ModelRegistry {
  readonly #file: LockedFile<RegistryState>;

  constructor(cacheDir: string) {
    this.#file = registryFile(cacheDir);
  }

  /** The file, for messages. */
  get path(): string {
    return this.#file.path;
  }

  /** In the order in which they were added. @throws SpillwayError `registry_broken` */
  list(): readonly RegisteredModel[] {
    return this.#file.read().models;
  }

  /** @throws SpillwayError `model_unknown`, `registry_broken` */
  get(name: string): RegisteredModel {
    return found(this.#file.read(), name);
  }

  /** @throws SpillwayError `registry_broken` */
  find(name: string): RegisteredModel | undefined {
    return this.#file.read().models.find((model) => model.name === name);
  }

  /**
   * The name of the default for `purpose`: the built-in model for embedding unless the user has chosen, none for the others.
   *
   * @throws SpillwayError `registry_broken`
   */
  defaultName(purpose: Purpose): string | undefined {
    return historyOf(this.#file.read(), purpose).at(-1)?.name;
  }

  /** @throws SpillwayError `model_name_invalid`, `model_name_taken`, `registry_full`, `registry_broken`, `registry_busy`, `registry_unwritable` */
  async add(model: RegisteredModel): Promise<void> {
    assertModelName(model.name);
    await this.#file.update((state) => {
      const taken = state.models.find(({ name }) => name.toLowerCase() === model.name.toLowerCase());
      if (taken !== undefined) {
        throw new SpillwayError('model_name_taken', `there is a model ${taken.name} already (${taken.path}); choose another name, or remove it first with \`spillway models remove ${taken.name}\``, {
          details: { name: taken.name, path: taken.path },
        });
      }
      if (state.models.length >= MODELS_MAX) {
        throw new SpillwayError('registry_full', `the registry has ${MODELS_MAX} models, and no more are kept; remove one with \`spillway models remove\``);
      }
      return { ...state, models: [...state.models, model] };
    });
  }

  /**
   * Forgets a model, also as a default; its files stay.
   *
   * @throws SpillwayError `model_unknown`, `registry_broken`, `registry_busy`, `registry_unwritable`
   */
  async remove(name: string): Promise<{ readonly removed: RegisteredModel; readonly changes: readonly DefaultChange[] }> {
    let removed: RegisteredModel | undefined;
    const changes = await this.#change((state) => {
      removed = found(state, name);
      const defaults = Object.fromEntries(
        PURPOSES.flatMap((purpose) => {
          const history = historyOf(state, purpose).filter((entry) => entry.name !== name);
          return history.length === 0 ? [] : [[purpose, withoutRepeats(history)]];
        }),
      );
      return { ...state, models: state.models.filter((model) => model.name !== name), defaults };
    });
    return { removed: removed!, changes };
  }

  /**
   * Makes a model the default for `purposes`, or for all that it has.
   *
   * @throws SpillwayError `model_unknown`, `model_unsupported` (it is not for that purpose), `registry_broken`, `registry_busy`, `registry_unwritable`
   */
  async use(name: string, purposes?: readonly Purpose[]): Promise<readonly DefaultChange[]> {
    return this.#change((state) => {
      const possible: readonly Purpose[] = name === BUILT_IN_NAME ? ['embed'] : found(state, name).purposes;
      const unfit = purposes?.find((purpose) => !possible.includes(purpose));
      if (unfit !== undefined) throw new SpillwayError('model_unsupported', `the model ${name} is for ${possible.join(', ')}, not for ${unfit}`);
      const change = 1 + Math.max(0, ...PURPOSES.flatMap((purpose) => historyOf(state, purpose).map((entry) => entry.change)));
      const defaults = { ...state.defaults };
      for (const purpose of purposes ?? possible) {
        const history = historyOf(state, purpose);
        if (history.at(-1)?.name === name) continue;
        // One more than the former ones that are kept, for the present one.
        defaults[purpose] = [...history, { name, change }].slice(-FORMER_DEFAULTS_MAX - 1);
      }
      return { ...state, defaults };
    });
  }

  /**
   * Takes the latest `use` back, or the latest for `purpose`.
   *
   * @throws SpillwayError `model_no_former`, `registry_broken`, `registry_busy`, `registry_unwritable`
   */
  async rollback(purpose?: Purpose): Promise<readonly DefaultChange[]> {
    return this.#change((state) => {
      const candidates = (purpose === undefined ? PURPOSES : [purpose]).flatMap((of) => {
        const history = historyOf(state, of);
        // Where nothing was built in, the first `use` leads back to no default at all.
        return history.length < (of === 'embed' ? 2 : 1) ? [] : [{ of, history, change: history.at(-1)!.change }];
      });
      if (candidates.length === 0) {
        throw new SpillwayError('model_no_former', `there is no former default${purpose === undefined ? '' : ` for ${purpose}`} to go back to; choose one with \`spillway models use\``);
      }
      const latest = Math.max(...candidates.map(({ change }) => change));
      const defaults = { ...state.defaults };
      for (const { of, history, change } of candidates) if (change === latest) defaults[of] = history.slice(0, -1);
      return { ...state, defaults };
    });
  }

  async #change(change: (state: RegistryState) => RegistryState): Promise<readonly DefaultChange[]> {
    let before: RegistryState | undefined;
    const after = await this.#file.update((state) => change((before = state)));
    return PURPOSES.flatMap((purpose) => {
      const from = historyOf(before!, purpose).at(-1)?.name;
      const to = historyOf(after, purpose).at(-1)?.name;
      return from === to ? [] : [{ purpose, from, to }];
    });
  }
}

const BUILT_IN: readonly DefaultModel[] = [{ name: BUILT_IN_NAME, change: 0 }];

/** The built-in model is the first default for embedding, without a line in the file. */
function historyOf({ defaults }: RegistryState, purpose: Purpose): readonly DefaultModel[] {
  const history = defaults[purpose];
  if (history !== undefined && history.length > 0) return history;
  return purpose === 'embed' ? BUILT_IN : [];
}

function withoutRepeats(history: readonly DefaultModel[]): DefaultModel[] {
  return history.filter(({ name }, index) => history[index - 1]?.name !== name);
}

function found({ models }: RegistryState, name: string): RegisteredModel {
  const model = models.find((one) => one.name === name);
  if (model !== undefined) return model;
  throw unknownModel(name, models);
}

/** The error for a name that nobody has given: it lists those that there are. */
export function unknownModel(name: string, models: readonly Pick<RegisteredModel, 'name'>[]): SpillwayError {
  const names = [BUILT_IN_NAME, ...models.map((model) => model.name)];
  return new SpillwayError('model_unknown', `there is no model called ${JSON.stringify(name.slice(0, 80))}; there are: ${names.join(', ')}. Add one with \`spillway models add\`, or give a path or hf:user/repo:quant`, {
    details: { name: name.slice(0, 80), names },
  });
}

