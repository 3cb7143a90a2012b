/** Holds docs/reference/semantics.md and its tests together: each promise has a test, each test shows a promise. */
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';

const MARK = /\[(S[1-9][0-9]*)\]/g;
const page = readFileSync(new URL('../../../docs/reference/semantics.md', import.meta.url), 'utf8');
const files = globSync('*.test.ts', { cwd: import.meta.dirname }).filter((file) => file !== basename(import.meta.filename));

const marksOf = (text: string): string[] => [...text.matchAll(MARK)].map(([, mark]) => mark!);
/** The names of the tests of a file, which are string literals in one line. */
const namesOf = (file: string): string[] =>
  [...readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(/^\s*test(?:\.each\([\w.]+\))?\('(.*)', (?:async )?\(/gm)].map(([, name]) => name!);

/** Example marks in the text about marks. */
const promised = marksOf(page.slice(page.indexOf('## ')));
const names = files.flatMap(namesOf);
const shown = new Set(names.flatMap(marksOf));

test('every promise of the page is made once and is shown by a test', () => {
  expect(promised.length).toBeGreaterThan(50);
  expect(promised.filter((mark, index) => promised.indexOf(mark) !== index)).toEqual([]);
  expect(promised.filter((mark) => !shown.has(mark))).toEqual([]);
});

test('every test shows a promise of the page, and names it first', () => {
  for (const file of files) expect(namesOf(file).length, file).toBeGreaterThan(0);
  expect(names.filter((name) => !/^\[S[0-9]+\] /.test(name))).toEqual([]);
  expect([...shown].filter((mark) => !promised.includes(mark))).toEqual([]);
});

test('no test of the folder is written so that it is not seen here', () => {
  const calls = files.flatMap((file) => [...readFileSync(join(import.meta.dirname, file), 'utf8').matchAll(/^\s*(?:test|it)[.(]/gm)]);
  expect(names).toHaveLength(calls.length);
});

test('the marks are numbered without gaps', () => {
  expect(promised.map((mark) => Number(mark.slice(1))).toSorted((a, b) => a - b)).toEqual(promised.map((_, index) => index + 1));
});

test('the page is one page', () => {
  expect(page.split('\n').length).toBeLessThanOrEqual(140);
});
