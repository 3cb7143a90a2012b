/** Searching what was embedded, through the command line. */
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTinyBert } from '../inference/tiny-bert.ts';
import { doneOf, jsonLines, scratchFolder, spillway, type Ended } from './command-line.ts';
import { sampleText, samplePath, writeSampleFolder, writeText } from './sample-folder.ts';

const HIT_FIELDS = ['path', 'startLine', 'endLine', 'score', 'text'];
const ITEMS = 40;

interface Hit {
  readonly path: string;
  readonly startLine: number;
  readonly endLine: number;
  readonly score: number;
  readonly text: string;
}

describe('spillway search', () => {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-e2e-')));
  const folder = join(scratch, 'folder');
  const index = join(scratch, 'index');
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  beforeAll(async () => {
    writeSampleFolder(folder, ITEMS);
    writeText(folder, 'unicode/russian.md', '# Кит\n\nСиний кит поёт глубоко под полярным льдом.\n');
    writeText(folder, 'unicode/japanese.md', '# 鯨\n\nシロナガスクジラは北極の氷の下で歌う。\n');
    writeText(folder, 'unicode/emoji 🐳.md', '# Fête\n\nUne baleine à bosse — naïve, déjà vue — 🐳 danse.\r\nDeuxième ligne.\r\n');
    doneOf(await spillway(['embed', folder, '--index', index, '--json']));
  });

  const search = (query: string, ...more: string[]): Promise<Ended> => spillway(['search', query, '--index', index, ...more]);
  const hits = async (query: string, ...more: string[]): Promise<Hit[]> => jsonLines((await search(query, '--json', ...more)).stdout) as unknown as Hit[];

  it('answers with one object a line, best first, of exactly five fields', async () => {
    const found = await hits('glacier harbour island');
    expect(found).toHaveLength(10);
    for (const hit of found) expect(Object.keys(hit)).toEqual(HIT_FIELDS);
    expect(found.map(({ score }) => score)).toEqual(found.map(({ score }) => score).sort((a, b) => b - a));
    expect(found.every(({ score }) => score >= -1 && score <= 1)).toBe(true);
  });

  it('finds each text by its own words', async () => {
    for (const number of [1, 7, 22]) {
      const line = sampleText(number).split('\n').find((text) => text.length > 60)!;
      expect((await hits(line.slice(0, 120), '--limit', '1'))[0]).toMatchObject({ path: samplePath(number) });
    }
  });

  it('names a path relative to the embedded root, and the exact lines of the file', async () => {
    const found = await hits('valley willow', '--limit', '1000');
    expect(found.length).toBeGreaterThan(ITEMS);
    for (const { path, startLine, endLine, text } of found) {
      // Lines as an editor counts them, with whatever ends them.
      const lines = readFileSync(join(folder, path), 'utf8').split('\n');
      const range = lines.slice(startLine - 1, endLine).join('\n');
      expect(range.replace(/\r$/, '')).toContain(text.replace(/\r?\n$/, ''));
      expect(text.trimStart().startsWith(lines[startLine - 1]!.trim().slice(0, 5))).toBe(true);
    }
  });

  it('keeps to --limit', async () => {
    expect(await hits('valley', '--limit', '3')).toHaveLength(3);
    expect(await hits('valley', '--limit', '1')).toHaveLength(1);
  });

  it('shows path, lines, score and a snippet to people', async () => {
    const { stdout, code } = await search('summit tundra', '--limit', '2');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^folder-\d\/item-\d{4}\.(md|ts):\d+-\d+ {2}\d\.\d{3}\n( {4}.+\n)+\n/);
  });

  it.each([
    ['Синий кит под льдом', 'unicode/russian.md'],
    ['シロナガスクジラ 北極', 'unicode/japanese.md'],
    ['baleine à bosse 🐳 déjà', 'unicode/emoji 🐳.md'],
    ['BALEINE A\u0300 BOSSE', 'unicode/emoji 🐳.md'],
  ])('finds %s', async (query, path) => {
    expect((await hits(query, '--limit', '1'))[0]!.path).toBe(path);
  });

  it.each([['an empty query', ''], ['a blank query', ' \t\n'], ['a query of control characters', '\u0001\u0002']])('refuses %s as wrong usage', async (_, query) => {
    const { code, stdout, stderr } = await search(query);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('[query_empty]');
  });

  it('says how much too long a query is', async () => {
    const { code, stderr } = await search('valley '.repeat(10_000));
    expect(code).toBe(1);
    expect(stderr).toMatch(/\d+ tokens, the model takes \d+.*\[query_refused\]/);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  it('refuses to search where there is no index, and does not make one', async () => {
    const nowhere = join(scratchFolder(), 'index');
    const { code, stderr } = await spillway(['search', 'valley', '--index', nowhere]);
    expect(code).toBe(1);
    expect(stderr).toContain(nowhere);
    expect(stderr).toContain('spillway embed <path>');
    expect(stderr).toContain('[index_missing]');
    expect((await spillway(['status', '--index', nowhere])).stderr).toContain('[index_missing]');
  });

  it('writes an error as an object with --json', async () => {
    const { code, stdout } = await spillway(['search', 'valley', '--json', '--index', join(scratchFolder(), 'index')]);
    expect(code).toBe(1);
    expect(jsonLines(stdout)).toEqual([{ event: 'error', code: 'index_missing', message: expect.any(String) as string }]);
  });

  it('refuses a model that did not make the index, with both names', async () => {
    const model = writeTinyBert(join(scratchFolder(), 'other.gguf'));
    const { code, stderr } = await search('valley', '--model', model);
    expect(code).toBe(1);
    expect(stderr).toContain('spillway-lexical');
    expect(stderr).toContain('other.gguf');
    expect(stderr).toContain('[index_model_mismatch]');
  });

  it('finds the model that made the index by itself', async () => {
    const own = scratchFolder();
    const model = writeTinyBert(join(own, 'own.gguf'));
    writeText(own, 'text/a.md', 'w1 w2 w3 w4\n');
    writeText(own, 'text/b.md', 'w100 w101 w102 w103\n');
    const at = ['--index', join(own, 'index')];
    doneOf(await spillway(['embed', 'text', '--model', 'own.gguf', '--json', ...at], { cwd: own }));
    const { stdout } = await spillway(['search', 'w100 w101 w102 w103', '--json', ...at]);
    expect(jsonLines(stdout)[0]).toMatchObject({ path: 'b.md' });

    rmSync(model);
    const { code, stderr } = await spillway(['search', 'w100', ...at]);
    expect(code).toBe(1);
    expect(stderr).toContain(model);
    expect(stderr).toContain('[model_missing]');
  });
});
