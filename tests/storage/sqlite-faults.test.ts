/** Bad disks, bad files and no room: what is said, and that the index stays as it was. */
import { spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import Database from 'better-sqlite3-multiple-ciphers';
import { describe, expect, it, onTestFinished } from 'vitest';

import { asStorageError } from '../../actors/storage/sqlite-connection.ts';
import { sqliteIndex } from '../../actors/storage/sqlite-index.ts';
import { hashOf, OPTIONS, problemsOf, rowsOf, runOver, sampleFile, sampleFiles, segmentsOf, vectorOf, visibleRows } from './sample.ts';
import { closing, scratchIndex } from './scratch.ts';

const withCode = (code: string): Error => expect.objectContaining({ name: 'SpillwayError', code }) as Error;
const hugeFile = (number: number) => sampleFile(number, 'long text '.repeat(2000), 5);

const PAGE_SIZE_BYTES = 16_384;

/** Writes the page backwards. `page` counts from 0. */
function overwrite(file: string, page: number, bytes: Buffer): void {
  const handle = openSync(file, 'r+');
  const [start, end] = [page * PAGE_SIZE_BYTES, (page + 1) * PAGE_SIZE_BYTES];
  writeSync(handle, bytes.subarray(start, end).toReversed(), 0, PAGE_SIZE_BYTES, start);
  closeSync(handle);
}

describe('a full disk', () => {
  it('refuses a put beyond the allowed size with storage_full, keeps the index as it was, and goes on when there is room', () => {
    const dir = scratchIndex();
    const files = sampleFiles(10);
    runOver(sqliteIndex, dir, files);
    const limited = closing(sqliteIndex.openWriter(dir, { ...OPTIONS, maxSizeBytes: 2 ** 20 }));
    limited.begin({ runId: 'b' });
    let stored = 0;
    expect(() => {
      for (; stored < 100; stored += 1) limited.put(segmentsOf(hugeFile(100 + stored), 5));
    }).toThrow(withCode('storage_full'));
    expect(stored).toBeGreaterThan(0);
    expect(visibleRows(sqliteIndex, dir)).toEqual(rowsOf(files));
    expect(problemsOf(sqliteIndex, dir)).toEqual([]);
    expect(limited.status().building).toMatchObject({ files: stored, chunks: stored * 5 });
    limited.close();
    expect(statSync(join(dir, 'index.db')).size).toBeLessThanOrEqual(2 ** 20);

    const all = [...files, ...Array.from({ length: 30 }, (_, i) => hugeFile(100 + i))];
    expect(runOver(sqliteIndex, dir, all).sent).toHaveLength(30 - stored);
    expect(visibleRows(sqliteIndex, dir)).toEqual(rowsOf(all));
  });

  it('names the path, the cause and the remedy', () => {
    const dir = scratchIndex();
    const writer = closing(sqliteIndex.openWriter(dir, { ...OPTIONS, maxSizeBytes: 300_000 }));
    writer.begin({ runId: 'a' });
    const fill = () => writer.put(Array.from({ length: 20 }, (_, i) => segmentsOf(hugeFile(i), 5)).flat());
    expect(fill).toThrow(dir);
    expect(fill).toThrow(/SQLITE_FULL.*Free space/);
  });
});

describe('a disk that is really full', () => {
  // A file system of six megabytes; only the superuser may mount one.
  const canMount = process.platform === 'linux' && process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

  it.skipIf(!canMount)('leaves the published generation readable, and an acknowledged publication true', () => {
    const disk = scratchIndex();
    mkdirSync(disk);
    expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]).status).toBe(0);
    onTestFinished(() => void spawnSync('umount', [disk]));
    const dir = join(disk, 'index');
    const files = sampleFiles(10);
    runOver(sqliteIndex, dir, files);
    const writer = sqliteIndex.openWriter(dir, OPTIONS);
    onTestFinished(() => writer.close());
    writer.begin({ runId: 'b' });
    writer.compare(files.map((file) => ({ path: file.path, hash: hashOf(file) })));
    let stored = 0;
    expect(() => {
      for (; stored < 100; stored += 1) writer.put(segmentsOf(hugeFile(100 + stored), 5));
    }).toThrow(withCode('storage_full'));
    expect(stored).toBeGreaterThan(0);
    expect(visibleRows(sqliteIndex, dir)).toEqual(rowsOf(files));
    expect(problemsOf(sqliteIndex, dir)).toEqual([]);

    let published = true;
    try {
      writer.publish();
    } catch (error) {
      expect(error).toEqual(withCode('storage_full'));
      published = false;
    }
    const shown = [...files, ...Array.from({ length: published ? stored : 0 }, (_, i) => hugeFile(100 + i))];
    expect(visibleRows(sqliteIndex, dir)).toEqual(rowsOf(shown));
    expect(problemsOf(sqliteIndex, dir)).toEqual([]);
  });
});

describe('a folder that cannot be used', () => {
  it.each([
    ['is below a file', (dir: string) => writeFileSync(dir, ''), 'below'],
    ['is a file', (dir: string) => writeFileSync(dir, ''), '.'],
    ['has a folder where its database should be', (dir: string) => mkdirSync(join(dir, 'index.db'), { recursive: true }), '.'],
    ['has a folder where its lock should be', (dir: string) => mkdirSync(join(dir, 'writer.db'), { recursive: true }), '.'],
  ])('is index_unwritable when it %s', (_name, prepare, below) => {
    const dir = scratchIndex();
    prepare(dir);
    expect(() => sqliteIndex.openWriter(join(dir, below), OPTIONS)).toThrow(withCode('index_unwritable'));
  });

  it('does not keep the lock when the database cannot be opened', () => {
    const dir = scratchIndex();
    mkdirSync(join(dir, 'index.db'), { recursive: true });
    for (let i = 0; i < 2; i += 1) expect(() => sqliteIndex.openWriter(dir, OPTIONS)).toThrow(withCode('index_unwritable'));
  });
});

describe('a damaged index', () => {
  const openBoth = [(dir: string) => sqliteIndex.openWriter(dir, OPTIONS), (dir: string) => sqliteIndex.openReader(dir)];

  it.each([
    ['holds something else', (file: string) => writeFileSync(file, 'not a database at all '.repeat(1000)), 'index_corrupt'],
    ['is another SQLite database', (file: string) => new Database(file).exec('CREATE TABLE recipes (dish TEXT)').close(), 'index_corrupt'],
    ['lost its end', (file: string) => truncateSync(file, 40_000), 'index_corrupt'],
    ['comes from a newer Spillway', (file: string) => void new Database(file).pragma('user_version = 2'), 'index_version'],
  ])('is refused when its file %s', (name, damage, code) => {
    const dir = scratchIndex();
    if (name.startsWith('is another')) mkdirSync(dir);
    else runOver(sqliteIndex, dir, sampleFiles(40));
    damage(join(dir, 'index.db'));
    for (const open of openBoth) expect(() => closing(open(dir))).toThrow(withCode(code));
  });

  it('is taken as unmade when the first writer died before its tables were committed', () => {
    const dir = scratchIndex();
    mkdirSync(dir);
    new Database(join(dir, 'index.db')).exec('PRAGMA journal_mode = WAL').close();
    expect(() => sqliteIndex.openReader(dir)).toThrow(withCode('index_missing'));
    expect(runOver(sqliteIndex, dir, sampleFiles(3)).files).toBe(3);
  });

  it('makes integrityCheck or the access itself speak, wherever a page is overwritten', () => {
    const whole = scratchIndex();
    runOver(sqliteIndex, whole, Array.from({ length: 60 }, (_, i) => hugeFile(i)));
    const file = join(whole, 'index.db');
    const pages = statSync(file).size / PAGE_SIZE_BYTES;
    const bytes = readFileSync(file);
    let noticed = 0;
    const tried = 12;
    for (let i = 0; i < tried; i += 1) {
      const page = 1 + Math.floor((i / tried) * (pages - 1));
      const dir = join(whole, `copy-${i}`);
      mkdirSync(dir);
      copyFileSync(file, join(dir, 'index.db'));
      overwrite(join(dir, 'index.db'), page, bytes);
      try {
        if (problemsOf(sqliteIndex, dir).length > 0) noticed += 1;
      } catch (error) {
        expect(error).toEqual(withCode('index_corrupt'));
        noticed += 1;
      }
    }
    expect(noticed).toBe(tried);
  });

  it('refuses everything after the first sign of damage, until it is opened again', () => {
    const dir = scratchIndex();
    const files = sampleFiles(20);
    runOver(sqliteIndex, dir, files);
    const file = join(dir, 'index.db');
    const db = new Database(file, { readonly: true });
    const page = (db.prepare("SELECT rootpage FROM sqlite_master WHERE name = 'files_by_path'").pluck().get() as number) - 1;
    db.close();
    overwrite(file, page, readFileSync(file));

    const writer = closing(sqliteIndex.openWriter(dir, OPTIONS));
    writer.begin({ runId: 'b' });
    expect(() => writer.compare(files.map(({ path }) => ({ path, hash: 'x' })))).toThrow(withCode('index_corrupt'));
    expect(() => writer.status()).toThrow(withCode('index_corrupt'));
    expect(() => writer.publish()).toThrow(withCode('index_corrupt'));
    writer.close();
    expect(closing(sqliteIndex.openWriter(dir, OPTIONS)).status().generation).toBe(1);
  });
});

describe('integrityCheck', () => {
  it.each([
    ['a vector that is missing', 'DELETE FROM vectors WHERE key IN (SELECT max(key) FROM vectors)', /has no vector/],
    ['a chunk that is missing', 'DELETE FROM chunks WHERE key IN (SELECT max(key) FROM chunks)', /has no chunk/],
    ['a visible file with too few chunks', 'UPDATE files SET chunk_count = chunk_count + 1 WHERE id = 2', /has 2 of its 3 chunks/],
    ['a count of stored chunks that is wrong', 'UPDATE files SET stored_chunks = 9 WHERE id = 2', /says that 9 chunks are stored; 2 are/],
    ['a chunk beyond the declared count', 'UPDATE files SET chunk_count = 1 WHERE id = 2', /is beyond its 1 chunks/],
    ['a chunk of no file', 'DELETE FROM files WHERE id = 2', /belongs to no file/],
    ['two visible versions of a path', "INSERT INTO files SELECT NULL, path, 'x', 0, 0, 0, recipe, 0, gen_to, 1 FROM files WHERE id = 2", /shows 2 versions/],
    ['a vector of another length', "UPDATE vectors SET embedding = x'00' WHERE key IN (SELECT max(key) FROM vectors)", /is 1 bytes long, not 64/],
    ['a version beyond the next generation', 'UPDATE files SET gen_from = 5 WHERE id = 2', /waits for generation 5/],
    ['a pointer to nowhere', 'UPDATE state SET published = 9', /pointer shows generation 9/],
    ['a recipe that does not exist', 'UPDATE state SET former_recipe = 77', /recipe 77 of the pointer/],
  ])('reports %s', (_name, sql, sentence) => {
    const dir = scratchIndex();
    runOver(sqliteIndex, dir, sampleFiles(5));
    expect(problemsOf(sqliteIndex, dir)).toEqual([]);
    const db = new Database(join(dir, 'index.db'));
    db.pragma('foreign_keys = OFF');
    db.exec(sql);
    db.close();
    expect(problemsOf(sqliteIndex, dir).join('\n')).toMatch(sentence);
  });
});

describe('asStorageError', () => {
  it.each([
    ['SQLITE_FULL', 'writing', 'storage_full'],
    ['ENOSPC', 'opening', 'storage_full'],
    ['SQLITE_IOERR_FSYNC', 'writing', 'storage_failed'],
    ['SQLITE_IOERR_READ', 'reading', 'storage_failed'],
    ['SQLITE_BUSY', 'writing', 'storage_failed'],
    ['SQLITE_CORRUPT_VTAB', 'reading', 'index_corrupt'],
    ['SQLITE_NOTADB', 'opening', 'index_corrupt'],
    ['SQLITE_READONLY_DIRECTORY', 'writing', 'index_unwritable'],
    ['EACCES', 'opening', 'index_unwritable'],
    ['SQLITE_CANTOPEN', 'reading', 'index_unreadable'],
  ] as const)('turns %s while %s into %s, with path and cause', (cause, doing, code) => {
    const error = asStorageError('/some/index', doing, new Database.SqliteError('as it says', cause));
    expect(error).toMatchObject({ code, details: { path: '/some/index', cause } });
    expect((error as Error).message).toContain('/some/index');
  });

  it('leaves other errors alone', () => {
    const error = new TypeError('a mistake of the program');
    expect(asStorageError('/some/index', 'writing', error)).toBe(error);
  });
});

it('frees the space of what nobody can see: thirty rewrites occupy hardly more than six', () => {
  const dir = scratchIndex();
  const rewrite = (round: number) => runOver(sqliteIndex, dir, [{ ...hugeFile(1), content: `${10 + round} `.repeat(20_000) }]);
  for (let round = 0; round < 6; round += 1) rewrite(round);
  const sizeBytes = statSync(join(dir, 'index.db')).size;
  for (let round = 6; round < 30; round += 1) rewrite(round);
  expect(statSync(join(dir, 'index.db')).size).toBeLessThanOrEqual(sizeBytes * 1.2);
  expect(closing(sqliteIndex.openReader(dir)).search(vectorOf('any'), 10)).toHaveLength(5);
  // The published version and the former one, for rollback.
  const db = closing(new Database(join(dir, 'index.db'), { readonly: true }));
  expect(db.prepare('SELECT (SELECT count(*) FROM files), (SELECT count(*) FROM chunks), (SELECT count(*) FROM vectors)').raw().get()).toEqual([2, 10, 10]);
});
