/**
 * Configuration from four places: flag > environment > file > default. One schema says which keys
 * there are and what they take; a key that it does not name is refused wherever it comes from,
 * because a misspelt key would otherwise silently mean the default.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { JtdSchema, JtdType } from 'atomics-ring-buffer';
import { SpillwayError } from './errors.ts';
import { validatorOf } from './validator.ts';

type Keys = Readonly<Record<string, JtdSchema & { readonly type: string }>>;
export interface ConfigSchema {
  readonly optionalProperties: Keys;
}

export type ConfigValues<Schema extends ConfigSchema> = JtdType<Schema>;
export type ConfigOrigin = 'flag' | 'environment' | 'file' | 'default';

export interface ConfigOptions<Schema extends ConfigSchema> {
  /** Base name of files and prefix of variables: `spillway` gives `spillway.config.ts` and `SPILLWAY_`. */
  readonly name: string;
  readonly schema: Schema;
  readonly defaults: ConfigValues<Schema>;
  /** Keys that are undefined were not given. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folder in which the file is looked for. */
  readonly cwd: string;
}

export interface Config<Values> {
  readonly values: Values;
  /** Where each value came from. */
  readonly origins: Readonly<Record<string, ConfigOrigin>>;
}

const EXTENSIONS = ['ts', 'mts', 'js', 'mjs', 'cjs', 'json', 'json5', 'jsonc', 'yaml', 'yml', 'toml'];

/** @throws SpillwayError `config_invalid` naming place and key, what was expected and what came */
export async function loadConfig<Schema extends ConfigSchema>(
  options: ConfigOptions<Schema>,
): Promise<Config<ConfigValues<Schema>>> {
  const layers: readonly [ConfigOrigin, string, Record<string, unknown>][] = [
    ['default', 'the defaults', { ...(options.defaults as Record<string, unknown>) }],
    ['file', `${options.name}.config`, await fromFile(options)],
    ['environment', 'the environment', fromEnvironment(options)],
    ['flag', 'the command line', given(options.flags)],
  ];
  const validate = validatorOf(options.schema);
  const values: Record<string, unknown> = {};
  const origins: Record<string, ConfigOrigin> = {};
  for (const [origin, place, layer] of layers) {
    try {
      validate(layer);
    } catch (error) {
      const { path, expected, found } = (error as SpillwayError).details;
      throw invalid(`In ${place}, ${String(path).slice(1)} must be ${String(expected)}, and is ${String(found)}.`, options.schema, error);
    }
    for (const [key, value] of Object.entries(layer)) {
      values[key] = value;
      origins[key] = origin;
    }
  }
  return { values: values as ConfigValues<Schema>, origins };
}

async function fromFile<Schema extends ConfigSchema>({ name, cwd }: ConfigOptions<Schema>): Promise<Record<string, unknown>> {
  const files = EXTENSIONS.map((extension) => join(cwd, `${name}.config.${extension}`));
  // c12 takes longer to load than the rest of the command line; most folders have no such file.
  if (!files.some((file) => existsSync(file))) return {};
  const { loadConfig: load } = await import('c12');
  try {
    const { config } = await load<Record<string, unknown>>({
      name,
      cwd,
      rcFile: false,
      globalRc: false,
      packageJson: false,
      dotenv: false,
      // An `extends` key would draw in other files, and even fetch them from the network.
      extend: false,
      envName: false,
    });
    return config ?? {};
  } catch (error) {
    throw new SpillwayError('config_invalid', `${name}.config in ${cwd} could not be read: ${(error as Error).message}`, { cause: error });
  }
}

/** Variables are the prefix and the key in capitals with underscores: `SPILLWAY_LOG_LEVEL` is `logLevel`. */
function fromEnvironment<Schema extends ConfigSchema>({ name, schema, env }: ConfigOptions<Schema>): Record<string, unknown> {
  const prefix = `${name.toUpperCase()}_`;
  const keys = schema.optionalProperties;
  const layer: Record<string, unknown> = {};
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(prefix) || text === undefined || text === '') continue;
    const key = variable
      .slice(prefix.length)
      .toLowerCase()
      .replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    layer[key] = fromText(keys[key]?.type, text);
  }
  return layer;
}

function fromText(type: string | undefined, text: string): unknown {
  if (type === undefined || type === 'string') return text;
  if (type === 'boolean') return text === 'true' || text === '1' ? true : text === 'false' || text === '0' ? false : text;
  const number = Number(text);
  // Number takes blanks for zero.
  return Number.isNaN(number) || text.trim() === '' ? text : number;
}

function given(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
}

function invalid(message: string, schema: ConfigSchema, cause: unknown): SpillwayError {
  const known = Object.keys(schema.optionalProperties).join(', ');
  return new SpillwayError('config_invalid', `${message} Known keys: ${known}.`, { cause });
}
