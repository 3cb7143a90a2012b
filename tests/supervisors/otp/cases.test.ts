// The table of OTP's cases in the docs and the tests of these cases say the same.
import { readFileSync, readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const folder = new URL('.', import.meta.url);
const table = readFileSync(new URL('../../../docs/reference/otp.md', folder), 'utf8');

interface Case {
  readonly name: string;
  readonly file: string;
  readonly reason: string;
}

const cases: readonly Case[] = [...table.matchAll(/^\| `(\w+)` \| (?:`([\w-]+\.test\.ts)`|–) \| ?(.*?) ?\|$/gm)].map(([, name = '', file = '', reason = '']) => ({ name, file, reason }));

/** Names that begin the title of a test, and the file that it is in. */
const titles = readdirSync(folder)
  .filter((file) => file.endsWith('.test.ts') && file !== 'cases.test.ts')
  .flatMap((file) => [...readFileSync(new URL(file, folder), 'utf8').matchAll(/['"`]([a-z]+(?:_\w+)+|tree): /g)].map(([, name = '']) => ({ name, file })));

test('88 cases are listed, each once', () => {
  expect(cases).toHaveLength(88);
  expect(new Set(cases.map(({ name }) => name)).size).toBe(88);
});

test('73 of them are each in exactly one test name, in the file that is named, and no other test has such a name', () => {
  const applicable = cases.filter(({ file }) => file !== '');
  expect(applicable).toHaveLength(73);
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
  expect(titles.toSorted(byName)).toEqual(applicable.map(({ name, file }) => ({ name, file })).toSorted(byName));
  for (const { reason } of applicable) expect(reason).toBe('');
});

test('the other 15 are not, and have a reason', () => {
  const others = cases.filter(({ file }) => file === '');
  expect(others).toHaveLength(15);
  for (const { reason } of others) expect(reason.length).toBeGreaterThan(20);
});
