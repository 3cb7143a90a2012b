import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig } from '../../kernel/config.ts';

const schema = {
  optionalProperties: {
    logLevel: { type: 'string' },
    actors: { type: 'uint16' },
    ratio: { type: 'float64' },
    verbose: { type: 'boolean' },
  },
} as const;

const defaults = { logLevel: 'warn', actors: 1 };

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'spillway-config-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const load = (flags: Record<string, unknown> = {}, env: Record<string, string> = {}) =>
  loadConfig({ name: 'spillway', schema, defaults, flags, env, cwd });

const writeFile = (extension: string, text: string): void => writeFileSync(join(cwd, `spillway.config.${extension}`), text);

describe('precedence', () => {
  test('flag goes before environment before file before default', async () => {
    expect(await load()).toEqual({ values: defaults, origins: { logLevel: 'default', actors: 'default' } });
    writeFile('json', '{"logLevel":"info","actors":2,"ratio":0.5}');
    const env = { SPILLWAY_LOG_LEVEL: 'error', SPILLWAY_ACTORS: '3' };
    expect(await load({ actors: 4, verbose: undefined }, env)).toEqual({
      values: { logLevel: 'error', actors: 4, ratio: 0.5 },
      origins: { logLevel: 'environment', actors: 'flag', ratio: 'file' },
    });
  });

  test('empty variables and variables of others are not given', async () => {
    expect((await load({}, { SPILLWAY_ACTORS: '', SPILLWAYS: 'x', PATH: 'y' })).values).toEqual(defaults);
  });
});

describe('files', () => {
  test.each([
    ['ts', 'const actors: number = 7;\nexport default { actors };'],
    ['mjs', 'export default { actors: 7 };'],
    ['json', '{ "actors": 7 }'],
    ['yaml', 'actors: 7\n'],
  ])('a %s file is read', async (extension, text) => {
    writeFile(extension, text);
    expect((await load()).values).toEqual({ logLevel: 'warn', actors: 7 });
  });

  test('a file that cannot be read is refused with its name', async () => {
    writeFile('json', '{ "actors": ');
    await expect(load()).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('spillway.config') as string });
  });

  test('a file cannot draw in other files', async () => {
    writeFileSync(join(cwd, 'base.json'), '{"actors":9}');
    writeFile('json', '{"extends":"./base.json"}');
    await expect(load()).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('extends') as string });
  });
});

describe('unknown keys are refused with the key and the place named', () => {
  test('on the command line', async () => {
    await expect(load({ actorz: 2 })).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringMatching(/command line.*actorz/s) as string });
  });

  test('in the environment', async () => {
    await expect(load({}, { SPILLWAY_ACTORZ: '2' })).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(/environment.*actorz/s) as string,
    });
  });

  test('in the file', async () => {
    writeFile('json', '{"actorz":2}');
    await expect(load()).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringMatching(/spillway\.config.*actorz/s) as string });
  });

  test('the message lists the keys that there are', async () => {
    await expect(load({ actorz: 2 })).rejects.toThrow('logLevel, actors, ratio, verbose');
  });
});

describe('bad values are refused with the key named', () => {
  test.each([
    ['no number', 'SPILLWAY_ACTORS', 'many', 'actors'],
    ['out of range', 'SPILLWAY_ACTORS', '70000', 'actors'],
    ['below zero', 'SPILLWAY_ACTORS', '-1', 'actors'],
    ['only blanks', 'SPILLWAY_ACTORS', '  ', 'actors'],
    ['no boolean', 'SPILLWAY_VERBOSE', 'yes', 'verbose'],
  ])('%s', async (_, variable, text, key) => {
    await expect(load({}, { [variable]: text })).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining(key) as string });
  });

  test('a flag of the wrong type', async () => {
    await expect(load({ actors: '2' })).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('actors') as string });
  });

  test.each([
    ['true', true],
    ['1', true],
    ['false', false],
    ['0', false],
  ])('the variable %s is the boolean %s', async (text, value) => {
    expect((await load({}, { SPILLWAY_VERBOSE: text })).values).toMatchObject({ verbose: value });
  });
});
