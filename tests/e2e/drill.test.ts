/** `spillway drill` as it is typed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLines, scratchFolder, spillway, start } from './command-line.ts';

const STORAGE_DRILLS = ['disk-full', 'fsync-fails'];
const canTrace = process.platform === 'linux' && process.getuid?.() === 0;

describe('spillway drill', () => {
  it('explains itself with examples', async () => {
    const { code, stdout } = await spillway(['drill', '--help']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n( {2}\$ spillway drill.+\n)+/);
  });

  it('lists what there is, and what each drill claims', async () => {
    const { code, stdout } = await spillway(['drill', '--list']);
    expect(code).toBe(0);
    for (const name of ['throw', 'sigkill', 'blocked-application', ...STORAGE_DRILLS]) expect(stdout).toMatch(new RegExp(`^${name} +(thread|process).*\n  \\S`, 'm'));
    const listed = jsonLines((await spillway(['drill', '--list', '--json'])).stdout);
    expect(listed.map(({ drill }) => drill)).toEqual(expect.arrayContaining(['throw', ...STORAGE_DRILLS]));
    for (const { hypothesis, placements } of listed) expect([typeof hypothesis, Array.isArray(placements)]).toEqual(['string', true]);
  });

  it('holds a drill, tells the plan first, and passes with its seed', async () => {
    const { code, stdout } = await spillway(['drill', 'throw', '--runs', '2', '--seed', '7']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^drill {9}throw .*\nhypothesis .*\nblast radius .*\nabort rule .*\n/);
    expect(stdout).toMatch(/^PASSED {2}throw on placement thread: 2 of 2 runs in [\d.]+ s, seed 7$/m);
  });

  it('tells everything as JSON, the report last, and writes a page', async () => {
    const page = join(scratchFolder(), 'report.html');
    const { code, stdout } = await spillway(['drill', 'exit', '--runs', '1', '--seed', '7', '--json', '--html', page]);
    expect(code).toBe(0);
    const lines = jsonLines(stdout);
    expect(lines.map(({ event }) => event)).toEqual(['plan', 'progress', 'progress', 'report']);
    expect(lines.at(-1)).toMatchObject({ drill: 'exit', verdict: 'passed', seed: 7, runsDone: 1, leaked: {}, reasons: [] });
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>[^]*Drill exit[^]*<\/html>\n$/);
  });

  it.each([
    ['an unknown drill', ['drill', 'earthquake'], /There is no drill 'earthquake'.*throw, reject.*fsync-fails.*\[drill_unknown\]/],
    ['no drill', ['drill'], /Name the drill/],
    ['no runs', ['drill', 'throw', '--runs', '0'], /\[drill_invalid\]/],
    ['a placement that the drill is not made for', ['drill', 'exit', '--placement', 'inline'], /\[drill_invalid\]/],
    ['a placement that there is not', ['drill', 'exit', '--placement', 'moon'], /moon/],
    ['a seed that is no number', ['drill', 'throw', '--seed', 'x'], /seed/],
  ])('exits with 2 at %s', async (_, args, said) => {
    const { code, stdout, stderr } = await spillway(args);
    expect({ code, isQuiet: !stdout.includes('PASSED') }).toEqual({ code: 2, isQuiet: true });
    expect(stderr).toMatch(said);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('exits with 1 before anything is broken when the page cannot be written', async () => {
    const { code, stdout, stderr } = await spillway(['drill', 'throw', '--html', join(scratchFolder(), 'nowhere', 'report.html')]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('[report_unwritable]');
  });

  it('ends after the present run at Ctrl-C, and tells what was measured', { timeout: 120_000 }, async () => {
    const run = start(['drill', 'throw', '--runs', '10000', '--seed', '7', '--json']);
    await run.until(/"runsDone":1,/);
    run.child.kill('SIGINT');
    const { code, stdout } = await run.ended;
    const report = jsonLines(stdout).at(-1)!;
    expect(code).toBe(130);
    expect(report).toMatchObject({ event: 'report', verdict: 'interrupted', runsWanted: 10_000, leaked: {} });
    expect(report['runsDone']).toBeGreaterThan(0);
  });

  it.skipIf(!canTrace).each(STORAGE_DRILLS)('holds %s, for which it takes rights', { timeout: 120_000 }, async (name) => {
    const { code, stdout } = await spillway(['drill', name, '--runs', '2', '--seed', '7', '--json']);
    // Also a superuser may lack the right to mount or to trace, which is then said before anything is broken.
    if (stdout.includes('"drill_unavailable"')) return expect(code).toBe(1);
    expect(code).toBe(0);
    const { lanes, ...report } = jsonLines(stdout).at(-1) as { lanes: { data: Record<string, number> } };
    expect(report).toMatchObject({ verdict: 'passed', leaked: {} });
    expect(lanes.data['acknowledged']).toBeGreaterThan(0);
    expect(lanes.data['lost']).toBe(0);
  });
});
