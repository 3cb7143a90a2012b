/** Whatever is wrong with paths, files, models and disks ends in one line that helps, or is skipped and counted. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, closeSync, existsSync, ftruncateSync, mkdirSync, openSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { tinyBert, writeTinyBert } from '../inference/tiny-bert.ts';
import { doneOf, jsonLines, scratchFolder, spillway, start, type Ended } from './command-line.ts';
import { indexProblems, indexRows, untilStored, writeSampleFolder, writeText } from './sample-folder.ts';

const IS_ROOT = process.getuid?.() === 0;
/** Root may read and write everything, so permissions are tested as nobody. */
const NOBODY = 65_534;

/** One line for people: its code, the path, a remedy; no stack, and nothing on standard output. */
function expectOneLine({ code, stdout, stderr }: Ended, errorCode: string, path: string): void {
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  const lines = stderr.trimEnd().split('\n');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^spillway: .+ \[[a-z_]+\]$/);
  expect(lines[0]).toContain(`[${errorCode}]`);
  expect(lines[0]).toContain(path);
}

/** A folder with one embedded index, and a second index to try things on. */
async function embedded(files = 3): Promise<{ folder: string; index: string; rows: string[] }> {
  const folder = scratchFolder();
  const index = join(scratchFolder(), 'index');
  writeSampleFolder(folder, files);
  doneOf(await spillway(['embed', folder, '--index', index, '--json']));
  return { folder, index, rows: indexRows(index) };
}

/** The skipped entries of a run with `--verbose`, by path. */
function skippedIn(ended: Ended): Record<string, unknown> {
  const skipped = jsonLines(ended.stdout).filter(({ event }) => event === 'skipped');
  expect(doneOf(ended)['skipped']).toBe(skipped.length);
  return Object.fromEntries(skipped.map(({ path, reason }) => [path, reason]));
}

describe('paths and folders', () => {
  it('names a path that is missing, and leaves the index as it was', async () => {
    const { folder, index, rows } = await embedded();
    const missing = join(folder, 'nowhere');
    const ended = await spillway(['embed', folder, missing, '--index', index]);
    expectOneLine(ended, 'path_missing', missing);
    expect(ended.stderr).toContain('Check the spelling');
    expect(indexRows(index)).toEqual(rows);
  });

  it('names a path that it may not read', async () => {
    const folder = scratchFolder();
    const index = join(folder, 'index');
    const locked = join(folder, 'locked');
    mkdirSync(locked);
    chmodSync(folder, 0o777);
    chmodSync(locked, 0o000);
    onTestFinished(() => chmodSync(locked, 0o700));
    expectOneLine(await spillway(['embed', locked, '--index', index], { cwd: folder, ...unprivileged() }), 'path_unreadable', locked);
  });

  it('refuses a path that is neither a folder nor a file', async () => {
    expectOneLine(await spillway(['embed', '/dev/null', '--index', join(scratchFolder(), 'index')]), 'path_unreadable', '/dev/null');
  });

  it('names an index folder that is a file', async () => {
    const folder = scratchFolder();
    writeText(folder, 'a.md', 'A harbour.\n');
    writeText(folder, 'file', 'kept');
    expectOneLine(await spillway(['embed', folder, '--index', join(folder, 'file')]), 'index_unwritable', join(folder, 'file'));
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('kept');
  });

  it('names an index folder that it may not write', async () => {
    const folder = scratchFolder();
    chmodSync(folder, 0o755);
    writeText(folder, 'text/a.md', 'A harbour.\n');
    const index = join(folder, 'closed');
    mkdirSync(index, { mode: 0o555 });
    expectOneLine(await spillway(['embed', join(folder, 'text'), '--index', index], { cwd: folder, ...unprivileged() }), 'index_unwritable', index);
  });

  it('names the index when its file is something else', async () => {
    const folder = scratchFolder();
    writeText(folder, 'text/a.md', 'A harbour.\n');
    writeText(folder, 'index/index.db', 'This is not a database, but it is long enough to look at.'.repeat(100));
    const at = ['--index', join(folder, 'index')];
    expectOneLine(await spillway(['embed', join(folder, 'text'), ...at]), 'index_corrupt', join(folder, 'index'));
    expectOneLine(await spillway(['search', 'harbour', ...at]), 'index_corrupt', join(folder, 'index'));
  });

  it('names another root than that of the index', async () => {
    const { folder, index, rows } = await embedded(8);
    const other = scratchFolder();
    writeSampleFolder(other, 2);
    const ended = await spillway(['embed', folder, other, '--index', index]);
    expectOneLine(ended, 'index_root_mismatch', folder);
    expect(ended.stderr).toContain('--rebuild');
    expect(indexRows(index)).toEqual(rows);
  });

  it('names other settings than those of the index', async () => {
    const { folder, index, rows } = await embedded();
    const ended = await spillway(['embed', folder, '--index', index, '--chunk-tokens', '64']);
    expectOneLine(ended, 'index_settings_mismatch', index);
    expect(ended.stderr).toContain('--rebuild');
    expect(indexRows(index)).toEqual(rows);
  });

  it('says that the disk is full, keeps the index as it was, and goes on when there is room', { timeout: 120_000 }, async (context) => {
    const disk = scratchFolder();
    context.skip(!mountSmallDisk(disk, 3), 'mounting a small disk takes root');
    const folder = scratchFolder();
    const index = join(disk, 'index');
    const at = ['--index', index];
    writeSampleFolder(folder, 3);
    doneOf(await spillway(['embed', folder, '--json', ...at]));
    const rows = indexRows(index);
    writeSampleFolder(folder, 600);
    const full = await spillway(['embed', folder, '--verbose', ...at]);
    expect(full.code).toBe(1);
    expect(full.stderr.trimEnd().split('\n').at(-1)).toMatch(/^spillway: No space is left .*Free space and run again.*\[storage_full\]$/);
    expect(full.stderr).toContain(index);
    expect(indexRows(index)).toEqual(rows);
    expect(indexProblems(index)).toEqual([]);
    execFileSync('mount', ['-o', 'remount,size=64m', disk]);
    expect(doneOf(await spillway(['embed', folder, '--json', ...at]))).toMatchObject({ files: 600 });
    expect(indexProblems(index)).toEqual([]);
  });
});

describe('files among readable ones', () => {
  it('skips and counts what it cannot read as text, lists it with --verbose, and goes on', async () => {
    const folder = scratchFolder();
    chmodSync(folder, 0o777);
    writeText(folder, 'good.md', 'A harbour.\n');
    writeText(folder, 'latin1.txt', Uint8Array.from([0x63, 0x61, 0x66, 0xe9, 0x0a]));
    writeText(folder, 'image.png', Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0, 0, 0, 1]));
    writeText(folder, 'utf16.txt', Buffer.from('\uFEFFA harbour.', 'utf16le'));
    writeText(folder, 'secret.md', 'Not for everybody.\n');
    chmodSync(join(folder, 'secret.md'), 0o000);
    writeText(folder, 'closed/inside.md', 'Not for everybody.\n');
    chmodSync(join(folder, 'closed'), 0o000);
    onTestFinished(() => chmodSync(join(folder, 'closed'), 0o700));
    const ended = await spillway(['embed', '.', '--json', '--verbose'], { cwd: folder, ...unprivileged() });
    expect(ended.code).toBe(0);
    expect(doneOf(ended)).toMatchObject({ files: 1, chunks: 1, embedded: 1 });
    expect(skippedIn(ended)).toEqual({ 'latin1.txt': 'invalid_utf8', 'image.png': 'binary', 'utf16.txt': 'binary', 'secret.md': 'unreadable', closed: 'unreadable' });
  });

  it('keeps what is indexed for a file that cannot be read just now', async () => {
    const folder = scratchFolder();
    chmodSync(folder, 0o777);
    writeText(folder, 'a.md', 'A harbour.\n');
    writeText(folder, 'closed/b.md', 'A lighthouse.\n');
    const options = { cwd: folder, ...unprivileged() };
    doneOf(await spillway(['embed', '.', '--json'], options));
    for (const path of ['a.md', 'closed']) chmodSync(join(folder, path), 0o000);
    onTestFinished(() => chmodSync(join(folder, 'closed'), 0o700));
    expect(doneOf(await spillway(['embed', '.', '--json'], options))).toMatchObject({ files: 0, chunks: 2, embedded: 0, removed: 0, skipped: 2 });
  });

  it('never follows a link, a loop of links or a FIFO, and never reads a file of 10 GB', async () => {
    const folder = scratchFolder();
    const outside = scratchFolder();
    writeText(outside, 'outside.md', 'A submarine.\n');
    writeText(folder, 'good.md', 'A harbour.\n');
    symlinkSync(outside, join(folder, 'out'));
    symlinkSync(join(outside, 'outside.md'), join(folder, 'out.md'));
    symlinkSync('loop-b', join(folder, 'loop-a'));
    symlinkSync('loop-a', join(folder, 'loop-b'));
    symlinkSync('.', join(folder, 'self'));
    execFileSync('mkfifo', [join(folder, 'pipe.md')]);
    const fd = openSync(join(folder, 'huge.md'), 'w');
    ftruncateSync(fd, 10 * 2 ** 30);
    closeSync(fd);
    const ended = await spillway(['embed', folder, '--json', '--verbose', '--index', join(outside, 'index')]);
    expect(doneOf(ended)).toMatchObject({ files: 1, chunks: 1 });
    expect(skippedIn(ended)).toEqual({
      out: 'symlink', 'out.md': 'symlink', 'loop-a': 'symlink', 'loop-b': 'symlink', self: 'symlink', 'pipe.md': 'not_regular', 'huge.md': 'too_large',
    });
    expect((await spillway(['search', 'submarine', '--index', join(outside, 'index')])).stdout).not.toContain('submarine');
  });

  it('ends with a sound index when files change, come and go under it', { timeout: 60_000 }, async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeSampleFolder(folder, 150);
    const run = start(['embed', folder, '--index', index, '--json']);
    let over = false;
    void run.ended.then(() => (over = true));
    for (let turn = 0; !over; turn++) {
      appendFileSync(join(folder, 'folder-6/item-0146.md'), `Line ${turn}.\n`);
      writeText(folder, 'folder-5/item-0145.md', turn % 2 === 0 ? '' : 'Short.\n');
      writeText(folder, 'folder-6/new.md', `Turn ${turn}.\n`);
      // Faster, and on a slow machine the file would grow faster than it is embedded.
      await pause(1);
    }
    doneOf(await run.ended);
    expect(indexProblems(index)).toEqual([]);
    const settled = doneOf(await spillway(['embed', folder, '--index', index, '--json']));
    expect(settled['files']).toBe(151);
    expect(doneOf(await spillway(['embed', folder, '--index', index, '--json']))['embedded']).toBe(0);
  });
});

describe('models', () => {
  it.each([
    ['is missing', 'model_missing', (): void => {}],
    ['is cut off', 'model_truncated', (path: string): void => {
      writeTinyBert(path);
      truncateSync(path, readFileSync(path).length >> 1);
    }],
    ['is no GGUF', 'model_not_gguf', (path: string): void => writeFileSync(path, 'These are no weights. '.repeat(100))],
    ['is empty', 'model_not_gguf', (path: string): void => writeFileSync(path, '')],
    ['is of another architecture', 'model_unsupported', (path: string): void => {
      const { metadata, tensors } = tinyBert();
      writeGguf(path, { metadata: { ...metadata, 'general.architecture': { type: 'str', value: 'clip' } }, tensors });
    }],
    ['is a folder', 'model_unreadable', (path: string): void => mkdirSync(path)],
  ])('refuses a model file that %s before native code sees it: %s', async (_, code, make) => {
    const folder = scratchFolder();
    const model = join(folder, 'model.gguf');
    writeText(folder, 'text/a.md', 'A harbour.\n');
    make(model);
    expectOneLine(await spillway(['embed', join(folder, 'text'), '--model', model, '--index', join(folder, 'index')]), code, model);
    expect(existsSync(join(folder, 'index'))).toBe(false);
  });

  it('refuses a model that did not make the index, with both names, until --rebuild embeds again', async () => {
    const { folder, index, rows } = await embedded();
    const model = writeTinyBert(join(scratchFolder(), 'other.gguf'));
    const args = ['embed', folder, '--index', index, '--model', model];
    const refused = await spillway(args);
    expectOneLine(refused, 'index_model_mismatch', model);
    expect(refused.stderr).toContain('spillway-lexical');
    expect(refused.stderr).toContain('--rebuild');
    expect(indexRows(index)).toEqual(rows);
    const rebuilt = doneOf(await spillway([...args, '--rebuild', '--json']));
    expect(rebuilt['embedded']).toBe(rebuilt['chunks']);
    expect(indexProblems(index)).toEqual([]);
    const back = await spillway(['embed', folder, '--index', index]);
    expectOneLine(back, 'index_model_mismatch', model);
  });

  it('splits what is too long for the model instead of cutting it off', async () => {
    const folder = scratchFolder();
    const model = writeTinyBert(join(folder, 'short.gguf'), { contextLength: 32 });
    writeText(folder, 'text/long.md', `${'w1 w2 w3 w4 w5 w6 w7 w8 w9 '.repeat(60)}\n`);
    const index = join(folder, 'index');
    const done = doneOf(await spillway(['embed', join(folder, 'text'), '--model', model, '--index', index, '--json']));
    expect(done).toMatchObject({ files: 1, skipped: 0 });
    const texts = indexRows(index).map((row) => (JSON.parse(row.slice(0, row.lastIndexOf('}') + 1)) as { text: string }).text);
    expect(texts.join('').match(/w\d/g)).toHaveLength(9 * 60);
  });
});

describe('two runs at once', () => {
  it('tells the second who holds the index', { timeout: 120_000 }, async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeSampleFolder(folder, 150);
    const first = start(['embed', folder, '--index', index, '--json']);
    await untilStored(index, 1, first);
    // The holder stands still, so the second run cannot come too late.
    first.child.kill('SIGSTOP');
    const second = await spillway(['embed', folder, '--index', index]);
    const status = await spillway(['status', '--index', index]);
    first.child.kill('SIGCONT');
    expectOneLine(second, 'index_locked', index);
    expect(second.stderr).toMatch(new RegExp(`process ${first.child.pid} on \\S+ \\(spillway embed .*\\) since \\d{4}-`));
    // Readers are not kept out.
    expect(status.code).toBe(0);
    expect(doneOf(await first.ended)).toMatchObject({ files: 150 });
    expect(doneOf(await spillway(['embed', folder, '--index', index, '--json']))).toMatchObject({ embedded: 0 });
  });
});

function unprivileged(): { uid?: number } {
  return IS_ROOT ? { uid: NOBODY } : {};
}

/** Mounts an empty disk of so many megabytes that goes with the test. @returns false where that is not permitted */
function mountSmallDisk(folder: string, megabytes: number): boolean {
  if (!IS_ROOT) return false;
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    return false;
  }
  onTestFinished(() => void execFileSync('umount', ['-l', folder]));
  return true;
}
