/**
 * Reading files that are fine, files that are not text, and files that change under the reader.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { planChunks } from '../../actors/ingestion/chunk-plan.ts';
import type { FileCalls } from '../../actors/ingestion/root-guard.ts';
import { readTextFile } from '../../actors/ingestion/text-file.ts';
import type { TextFile } from '../../actors/ingestion/text-file.ts';

let root: string;
let outside: string;

beforeEach(() => {
  const home = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'spillway-text-')));
  root = join(home, 'root');
  outside = join(home, 'outside');
  fs.mkdirSync(root);
  fs.mkdirSync(outside);
});

afterEach(() => {
  fs.rmSync(join(root, '..'), { recursive: true, force: true });
});

const read = (path: string, calls?: FileCalls): TextFile => readTextFile(root, path, { maxFileBytes: 1000 }, calls);

function put(path: string, content: string | Uint8Array): string {
  fs.writeFileSync(join(root, path), content);
  return path;
}

/** The real calls, with something done before the nth read of a file. */
function disturbing(disturb: (read: number) => void): FileCalls {
  let reads = 0;
  const readSync = ((...args: Parameters<typeof fs.readSync>) => {
    reads += 1;
    disturb(reads);
    return fs.readSync(...args);
  }) as typeof fs.readSync;
  return { ...fs, readSync };
}

/** A system call that always fails. */
function failing(code: string, words: string): () => never {
  return () => { throw Object.assign(new Error(`${code}: ${words}`), { code }); };
}

test('a text file comes with its bytes and the hash of them', () => {
  const text = 'Grüße, 日本, 👋\r\n';
  const bytes = Buffer.from(text);
  expect(read(put('a.txt', text))).toEqual({
    ok: true, text, bytes, hash: createHash('sha256').update(bytes).digest('hex'), sizeBytes: bytes.length,
  });
  expect(read(put('empty.txt', ''))).toMatchObject({ ok: true, text: '', sizeBytes: 0 });
});

test('a UTF-8 byte order mark keeps its place, so that chunk ranges are those of the file', () => {
  const file = read(put('bom.md', '\uFEFF# Title\n'));
  expect(file).toMatchObject({ ok: true, text: '\uFEFF# Title\n' });
  const [chunk] = planChunks({ path: 'bom.md', text: file.ok ? file.text : '' });
  expect(fs.readFileSync(join(root, 'bom.md')).subarray(chunk!.startByte, chunk!.endByte).toString()).toBe('# Title');
});

test.each([
  ['a NUL at the beginning', Buffer.from([0, 97]), 'binary'],
  ['a NUL at the very end', Buffer.from('text'.repeat(200) + '\0'), 'binary'],
  ['UTF-16, little end first', Buffer.from('\uFEFFtext', 'utf16le'), 'binary'],
  ['UTF-16 without a single zero byte', Buffer.from('\uFEFF日本', 'utf16le'), 'binary'],
  ['UTF-16, big end first', Buffer.from('\uFEFF日本', 'utf16le').swap16(), 'binary'],
  ['Latin-1', Buffer.from('caf\u00e9 au lait', 'latin1'), 'invalid_utf8'],
  ['an overlong sequence', Buffer.from([97, 0xc0, 0xaf]), 'invalid_utf8'],
  ['a surrogate', Buffer.from([97, 0xed, 0xa0, 0x80]), 'invalid_utf8'],
  ['a sequence cut off', Buffer.from([97, 0xe2, 0x82]), 'invalid_utf8'],
  ['one byte too many', Buffer.alloc(1001, 97), 'too_large'],
])('%s is not text', (_, content, reason) => {
  expect(read(put('file', content))).toMatchObject({ ok: false, reason });
});

test('a file of exactly the limit is read', () => {
  expect(read(put('full', 'a'.repeat(1000)))).toMatchObject({ ok: true, sizeBytes: 1000 });
});

test('a sparse file of ten gigabytes is refused before a byte is read', () => {
  put('huge', 'x');
  fs.truncateSync(join(root, 'huge'), 10 * 1024 ** 3);
  const calls = disturbing(() => { throw new Error('it was read'); });
  expect(read('huge', calls)).toMatchObject({ ok: false, reason: 'too_large' });
});

test('a file that changes once while it is read is read again', () => {
  put('a.txt', 'before');
  const calls = disturbing((nth) => { if (nth === 1) put('a.txt', 'afterwards, and longer'); });
  expect(read('a.txt', calls)).toMatchObject({ ok: true, text: 'afterwards, and longer' });
});

test('a file that is shortened while it is read is read again', () => {
  put('a.txt', 'before');
  const calls = disturbing((nth) => { if (nth === 1) put('a.txt', 'x'); });
  expect(read('a.txt', calls)).toMatchObject({ ok: true, text: 'x' });
});

test('a file that was overwritten in the same size after its bytes were taken is read again', () => {
  put('a.txt', 'before');
  const calls = disturbing((nth) => {
    // The second read is the one that finds the end.
    if (nth !== 2) return;
    put('a.txt', 'behind');
    fs.utimesSync(join(root, 'a.txt'), 1, 1);
  });
  expect(read('a.txt', calls)).toMatchObject({ ok: true, text: 'behind' });
});

test('a file that never stops changing is given up after three attempts', () => {
  put('a.txt', 'x');
  let opened = 0;
  const openSync = ((...args: Parameters<typeof fs.openSync>) => {
    opened += 1;
    return fs.openSync(...args);
  }) as typeof fs.openSync;
  const calls = { ...disturbing(() => { fs.appendFileSync(join(root, 'a.txt'), 'x'); }), openSync };
  expect(read('a.txt', calls)).toEqual({ ok: false, reason: 'changed' });
  expect(opened).toBe(3);
});

test('an error of the system while opening or reading is a skip with its cause, and nothing stays open', () => {
  put('a.txt', 'x');
  expect(read('a.txt', { ...fs, openSync: failing('EACCES', 'permission denied') })).toEqual({ ok: false, reason: 'unreadable', cause: 'EACCES: permission denied' });
  const open = fs.readdirSync('/dev/fd').length;
  expect(read('a.txt', { ...fs, readSync: failing('EIO', 'i/o error') })).toMatchObject({ reason: 'unreadable', cause: 'EIO: i/o error' });
  expect(fs.readdirSync('/dev/fd').length).toBe(open);
});

test('a file that has vanished is unreadable', () => {
  expect(read('nowhere.txt')).toMatchObject({ ok: false, reason: 'unreadable', cause: expect.stringContaining('ENOENT') });
});

test('a file that became a link is not followed, wherever the link points', () => {
  fs.writeFileSync(join(outside, 'secret.txt'), 'secret');
  fs.symlinkSync(join(outside, 'secret.txt'), join(root, 'a.txt'));
  put('real.txt', 'x');
  fs.symlinkSync('real.txt', join(root, 'b.txt'));
  expect(read('a.txt')).toMatchObject({ ok: false, reason: 'symlink' });
  expect(read('b.txt')).toMatchObject({ ok: false, reason: 'symlink' });
});

test('a folder above the file that became a link is noticed', () => {
  fs.writeFileSync(join(outside, 'secret.txt'), 'secret');
  fs.symlinkSync(outside, join(root, 'folder'));
  expect(read('folder/secret.txt')).toMatchObject({ ok: false, reason: 'symlink' });
});

test('the same escape is noticed where /proc does not exist', () => {
  const withoutProc = { ...fs, readlinkSync: (() => { throw new Error('no /proc'); }) as unknown as typeof fs.readlinkSync };
  fs.writeFileSync(join(outside, 'secret.txt'), 'secret');
  fs.symlinkSync(outside, join(root, 'folder'));
  expect(read('folder/secret.txt', withoutProc)).toMatchObject({ ok: false, reason: 'symlink' });
  expect(read(put('a.txt', 'x'), withoutProc)).toMatchObject({ ok: true, text: 'x' });
});

test('a FIFO, a socket, a device and a folder are refused without waiting', async () => {
  execFileSync('mkfifo', [join(root, 'pipe')]);
  fs.mkdirSync(join(root, 'folder'));
  const server = createServer();
  await new Promise<void>((done) => { server.listen(join(root, 'socket'), done); });
  try {
    for (const path of ['pipe', 'folder', 'socket']) expect(read(path)).toMatchObject({ ok: false, reason: 'not_regular' });
    expect(readTextFile('/dev', 'zero', { maxFileBytes: 1000 })).toMatchObject({ ok: false, reason: 'not_regular' });
  } finally {
    await new Promise((done) => { server.close(done); });
  }
});
