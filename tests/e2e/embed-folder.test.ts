/** The main job: a folder becomes an index, and stays one as the folder changes. */
import { readFileSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { doneOf, jsonLines, scratchFolder, spillway, type Ended } from './command-line.ts';
import { indexProblems, indexRows, writeSample, writeSampleFolder, writeText } from './sample-folder.ts';

const DONE_FIELDS = ['event', 'files', 'chunks', 'embedded', 'skipped', 'removed', 'masked', 'restarts', 'seconds', 'textsPerSecond'];

/** Composed here, so that no secret stands in the repo. */
const GITHUB_TOKEN = ['ghp', 'Zq7Lm2Xv9Tc4Rw8Yb3Nd6Kf1Hs5Jg0PuEoAi'].join('_');
const AWS_KEY = ['AKIA', 'QZ7LM2XV9TC4RW8Y'].join('');

async function embed(folder: string, index: string, ...more: string[]): Promise<Ended> {
  const ended = await spillway(['embed', folder, '--index', index, '--json', ...more]);
  expect(ended.stderr).toBe('');
  expect(ended.code).toBe(0);
  return ended;
}

async function hits(query: string, index: string, limit = 5): Promise<Record<string, unknown>[]> {
  const { stdout } = await spillway(['search', query, '--index', index, '--json', '--limit', String(limit)]);
  return jsonLines(stdout);
}

describe('spillway embed', () => {
  it('embeds a folder once, and then only what has changed in it', { timeout: 120_000 }, async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeSampleFolder(folder, 120);
    writeText(folder, 'notes/walrus.md', '# Walrus\n\nThe walrus telegraphs its xylophone recital.\n');

    const first = doneOf(await embed(folder, index, '--actors', '2'));
    expect(first).toMatchObject({ files: 121, skipped: 0, removed: 0, masked: 0, restarts: 0 });
    expect(first['embedded']).toBe(first['chunks']);
    expect(first['chunks']).toBeGreaterThan(121);

    const second = doneOf(await embed(folder, index));
    expect(second).toMatchObject({ files: 121, chunks: first['chunks'], embedded: 0, removed: 0 });

    writeText(folder, 'notes/walrus.md', '# Walrus\n\nThe walrus faxes its bassoon recital.\n');
    const edited = doneOf(await embed(folder, index));
    expect(edited).toMatchObject({ files: 121, chunks: first['chunks'], embedded: 1, removed: 1 });
    expect((await hits('walrus bassoon recital', index))[0]).toMatchObject({ path: 'notes/walrus.md', text: expect.stringContaining('bassoon') as string });
    expect(indexRows(index).join('\n')).not.toContain('xylophone');

    rmSync(join(folder, 'notes/walrus.md'));
    const deleted = doneOf(await embed(folder, index));
    expect(deleted).toMatchObject({ files: 120, chunks: (first['chunks'] as number) - 1, embedded: 0, removed: 1 });
    expect((await hits('walrus bassoon recital', index, 1_000)).map(({ path }) => path)).not.toContain('notes/walrus.md');
    expect(indexProblems(index)).toEqual([]);
  });

  it('follows a file that moves', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    const [path] = writeSampleFolder(folder, 4) as [string];
    const before = doneOf(await embed(folder, index));
    renameSync(join(folder, path), join(folder, 'moved.ts'));
    const after = doneOf(await embed(folder, index));
    expect(after).toMatchObject({ files: 4, chunks: before['chunks'] });
    expect(after['removed']).toBe(after['embedded']);
    const paths = new Set((await hits('item', index, 100)).map((hit) => hit['path']));
    expect(paths).toContain('moved.ts');
    expect(paths).not.toContain(path);
  });

  it('keeps the root of an index when only a part of it is embedded again', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeText(folder, 'docs/heron.md', 'The heron waits in the reeds.\n');
    writeText(folder, 'src/otter.md', 'The otter sleeps on its back.\n');
    doneOf(await embed(folder, index));
    writeText(folder, 'docs/heron.md', 'The heron waits in the shallows.\n');
    rmSync(join(folder, 'src/otter.md'));
    const done = doneOf(await embed(join(folder, 'docs'), index));
    // What lies outside of the part is not its business, not even that it is gone.
    expect(done).toMatchObject({ files: 1, chunks: 2, embedded: 1, removed: 1 });
    expect((await hits('heron shallows', index, 1))[0]).toMatchObject({ path: 'docs/heron.md' });
    expect((await hits('otter sleeps', index, 1))[0]).toMatchObject({ path: 'src/otter.md' });
    expect(doneOf(await embed(folder, index))).toMatchObject({ files: 1, chunks: 1, embedded: 0, removed: 1 });
    expect(indexProblems(index)).toEqual([]);
  });

  it('puts two paths into one index under their common folder', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeText(folder, 'src/a.ts', 'export const lighthouse = 1;\n');
    writeText(folder, 'docs/b.md', 'A submarine surfaces.\n');
    writeText(folder, 'elsewhere/c.md', 'Never embedded.\n');
    await spillway(['embed', join(folder, 'src'), join(folder, 'docs'), '--index', index, '--json']);
    expect(new Set((await hits('submarine', index)).map(({ path }) => path))).toEqual(new Set(['docs/b.md', 'src/a.ts']));
  });

  it('embeds a single file', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeText(folder, 'one.md', 'A submarine surfaces.\n');
    writeText(folder, 'two.md', 'Never embedded.\n');
    expect(doneOf(await embed(join(folder, 'one.md'), index))).toMatchObject({ files: 1, chunks: 1, embedded: 1 });
    expect((await hits('submarine', index)).map(({ path }) => path)).toEqual(['one.md']);
  });

  it('makes the index in .spillway of the current folder and does not index it', async () => {
    const folder = scratchFolder();
    writeSampleFolder(folder, 3);
    await spillway(['embed', '.'], { cwd: folder });
    const again = await spillway(['embed', '.', '--json'], { cwd: folder });
    expect(doneOf(again)).toMatchObject({ files: 3, embedded: 0 });
    expect(readdirSync(folder)).toContain('.spillway');
    const status = jsonLines((await spillway(['status', '--json'], { cwd: folder })).stdout)[0];
    expect(status).toMatchObject({ index: join(folder, '.spillway'), root: folder, generation: 1, files: 3 });
  });

  it('indexes an empty folder as nothing', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    expect(doneOf(await embed(folder, index))).toMatchObject({ files: 0, chunks: 0, embedded: 0 });
    const found = await spillway(['search', 'anything', '--index', index]);
    expect(found).toMatchObject({ code: 0, stdout: expect.stringContaining('Nothing found') as string });
  });

  it('writes one JSON object a line with --json, the last of them the counts', async () => {
    const folder = scratchFolder();
    writeSampleFolder(folder, 30);
    const { stdout } = await embed(folder, join(scratchFolder(), 'index'));
    const lines = jsonLines(stdout);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(lines.slice(0, -1).map(({ event }) => event).filter((event) => event !== 'progress')).toEqual([]);
    expect(Object.keys(lines.at(-1)!)).toEqual(DONE_FIELDS);
    for (const [field, value] of Object.entries(lines.at(-1)!).slice(1)) expect([field, typeof value]).toEqual([field, 'number']);
  });

  it('ends a plain run with a summary and says how to go on', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeSampleFolder(folder, 3);
    const { code, stdout, stderr } = await spillway(['embed', folder, '--index', index]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^3 files, \d+ chunks in the index; \d+ embedded in \d+\.\d s \(\d+ texts\/s\); 0 chunks removed, 0 entries skipped, 0 secrets masked, 0 restarts\.\n/);
    expect(stdout).toContain(index);
    expect(stderr).not.toContain('\u001b');
  });

  it('masks secrets before they reach the index or any output, and reports them by kind and place', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeText(folder, 'config.ts', `// settings\nexport const token = '${GITHUB_TOKEN}';\n`);
    writeText(folder, 'deploy.md', `# Deploy\n\naws_access_key_id = ${AWS_KEY}\n`);
    const ended = await embed(folder, index, '--verbose');
    const masked = jsonLines(ended.stdout).filter(({ event }) => event === 'masked');
    expect(doneOf(ended)['masked']).toBe(masked.length);
    expect(masked).toContainEqual(expect.objectContaining({ path: 'config.ts', detail: expect.stringMatching(/^line 2, column \d+$/) as string }));
    expect(masked).toContainEqual(expect.objectContaining({ path: 'deploy.md', detail: expect.stringMatching(/^line 3, column \d+$/) as string }));
    const found = await spillway(['search', 'token', '--index', index, '--json']);
    const shown = ended.stdout + ended.stderr + found.stdout + found.stderr;
    const stored = readdirSync(index).map((name) => readFileSync(join(index, name), 'latin1')).join('');
    for (const secret of [GITHUB_TOKEN, AWS_KEY]) {
      expect(shown).not.toContain(secret);
      expect(stored).not.toContain(secret);
    }
  });

  it('stores chunks of the largest size there is, in any script', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    const sentence = 'Широкая электрификация южных губерний даст мощный толчок подъёму сельского хозяйства. ';
    writeText(folder, 'long.md', `${sentence.repeat(20)}\n\n`.repeat(100));
    const done = doneOf(await embed(folder, index, '--chunk-tokens', '2048', '--max-file-bytes', '4000000'));
    expect(done).toMatchObject({ files: 1, skipped: 0, embedded: done['chunks'] });
    expect(indexRows(index).join('').split('электрификация').length - 1).toBe(2_000);
  });

  it('embeds everything again with --rebuild', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeSampleFolder(folder, 5);
    const first = doneOf(await embed(folder, index));
    writeSample(folder, 1, 2);
    const rebuilt = doneOf(await embed(folder, index, '--rebuild'));
    expect(rebuilt['embedded']).toBe(rebuilt['chunks']);
    expect(rebuilt['chunks']).toBe(first['chunks']);
    expect(indexProblems(index)).toEqual([]);
  });
});
