/**
 * The walk against git itself, and against everything a tree can hold that must not be followed
 * or read.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { resolveRoot, walk } from '../../actors/ingestion/walk.ts';
import type { WalkEntry, WalkOptions } from '../../actors/ingestion/walk.ts';
import { RULE_FILE_BYTES_MAX } from '../../actors/ingestion/rule-file.ts';

let home: string;
let tree: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  home = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'spillway-walk-')));
  tree = join(home, 'tree');
  fs.mkdirSync(tree);
  env = { PATH: process.env['PATH'], HOME: home, XDG_CONFIG_HOME: join(home, 'xdg'), GIT_CONFIG_NOSYSTEM: '1' };
});

afterEach(() => {
  fs.rmSync(home, { recursive: true, force: true });
});

function put(path: string, text = 'x\n'): void {
  const absolute = join(tree, path);
  fs.mkdirSync(dirname(absolute), { recursive: true });
  fs.writeFileSync(absolute, text);
}

function entries(path = tree, options: Partial<WalkOptions> = {}): WalkEntry[] {
  return [...walk(resolveRoot(path), { maxFileBytes: 1_000_000, env, ...options })];
}

function files(path = tree, options: Partial<WalkOptions> = {}): string[] {
  return entries(path, options).filter((entry) => entry.kind === 'file').map((entry) => entry.path);
}

function git(...args: string[]): Buffer {
  return execFileSync('git', args, { cwd: tree, env, maxBuffer: 1 << 28 });
}

function filesOfGit(): string[] {
  return git('ls-files', '-z', '-co', '--exclude-standard').toString().split('\0').filter((path) => path !== '');
}

/** Names that meet the rules below in many ways; every folder gets all of them. */
const NAMES = [
  'a.log', 'keep.log', 'b.txt', 'B.TXT', 'foo', 'foo.c', 'foo.o', 'bar', '#hash', '!bang', 'with space', 'trail ',
  'star*', 'q?', '[x]', 'x', 'y', 'z1', '.hidden', 'secret.env', 'ünïcode', '日本.md', '😀.md', '\uFB01.md', 'back\\slash', 'doc.md', 'a', '-dash', 'tab\tname',
];

const RULES: Record<string, string> = {
  '': [
    '# a comment', '', '*.log', '!keep.log', '/bar', 'build/', 'sub/*.c', '**/deep/**/foo', 'docs/**', '!docs/**/',
    '!docs/**/keep.log', '\\#hash', '\\!bang', 'trail\\ ', 'star\\*', 'q\\?', '[[]x]', '[a-w]1', 'z[0-9]', 'with space',
    '*.[oa]', '!sub/foo.o', 'back\\\\slash', 'vendor', '!vendor/kept', 'only/', '/sub/only', '**/mid/x', 'a/**/y', '日*',
    'spaces   ', '[!a-z]bang', 'nodir/', '*.TXT', 'un[closed', 'x/',
  ].join('\n'),
  'sub/': ['!*.log', '/a.log', 'build', '!build/', '*', '!*.md', '!*/', '!foo*', '!.gitignore'].join('\r\n'),
  'sub/deep/': ['!*', 'keep.log', '/foo/'].join('\n'),
  'build-not/': '\uFEFF*.md\n!doc.md\n',
  'docs/inner/': 'doc.md\n!x\n',
  'vendor2/': '*\n!vendor2\n!/keep/\n!/keep/doc.md\n',
  'reincluded/': '!vendor\n!build/\n!a.log\n',
};

const FOLDERS = [
  '', 'sub/', 'sub/build/', 'sub/deep/', 'sub/deep/mid/', 'sub/deep/foo2/', 'build/', 'build-not/', 'docs/', 'docs/inner/', 'docs/inner/more/',
  'vendor/', 'vendor/kept/', 'vendor2/', 'vendor2/keep/', 'only/', 'deep/one/two/', 'mid/', 'a1/', 'nodir/', 'reincluded/vendor/', 'reincluded/vendor/kept/',
  'reincluded/build/in/', 'reincluded/build/in/vendor/', '[brackets]/', 'sp ace/', 'ünter/', 'a.dir/', 'a-dir/', 'a0dir/',
];

function plantTree(): void {
  for (const folder of FOLDERS) for (const name of NAMES) if (!fs.existsSync(join(tree, folder + name))) put(folder + name);
  for (const [folder, rules] of Object.entries(RULES)) put(`${folder}.gitignore`, rules);
  for (const folder of ['[brackets]/', 'sp ace/', 'ünter/']) put(`${folder}.gitignore`, 'sub/*\n!sub/*.md\n/doc.md\n');
  for (const folder of ['[brackets]/sub/', 'sp ace/sub/', 'ünter/sub/']) for (const name of ['doc.md', 'x', 'y']) put(folder + name);
}

test('a walk yields exactly what git lists, in the same order, on a tree full of nasty rules', () => {
  git('init', '-q');
  plantTree();
  fs.appendFileSync(join(tree, '.git/info/exclude'), '\n/b.txt\n!a.log\n-dash\n');
  fs.mkdirSync(join(home, 'xdg/git'), { recursive: true });
  fs.writeFileSync(join(home, 'xdg/git/ignore'), '.hidden\n-dash\n!-dash\n');
  const expected = filesOfGit();
  expect(expected.length).toBeGreaterThan(150);
  expect(expected.length).toBeLessThan(FOLDERS.length * NAMES.length * 0.7);
  expect(files()).toEqual(expected);
});

test('every single rule of the list, alone, gives the same files as git', () => {
  git('init', '-q');
  const rules = Object.values(RULES).flatMap((text) => text.replace('\uFEFF', '').split(/\r?\n/));
  rules.push('**/', '*/', '/*', '**', '/**', 'sub', 'sub/**', 'sub/*', '**/inner', 'docs/**/x', '[[:upper:]]*', '[^a-z]*', '??', '.*', '*.*', '\\', '/');
  for (const folder of ['', 'sub/', 'docs/inner/', 'vendor/kept/', 'deep/one/foo/']) {
    for (const name of NAMES) if (!fs.existsSync(join(tree, folder + name))) put(folder + name);
  }
  const differing: string[] = [];
  for (const rule of new Set(rules)) {
    put('.gitignore', `${rule}\n`);
    if (JSON.stringify(files()) !== JSON.stringify(filesOfGit())) differing.push(rule);
  }
  expect(differing).toEqual([]);
});

test('rules between the top of the repository and the root apply to the root', () => {
  git('init', '-q');
  put('.gitignore', '*.log\n/pkg/gen\n');
  put('pkg/.gitignore', 'tmp/\n');
  for (const path of ['pkg/src/a.log', 'pkg/src/a.ts', 'pkg/src/tmp/b.ts', 'pkg/src/gen/c.ts']) put(path);
  expect(files(join(tree, 'pkg/src'))).toEqual(['a.ts', 'gen/c.ts']);
});

test('a root that its parents ignore is walked, with its own rules only', () => {
  git('init', '-q');
  put('.gitignore', 'node_modules/\n*.md\n');
  put('node_modules/x/readme.md');
  put('node_modules/x/out.js');
  put('node_modules/x/.gitignore', 'out.js\n');
  expect(files()).toEqual(['.gitignore']);
  expect(files(join(tree, 'node_modules/x'))).toEqual(['.gitignore', 'readme.md']);
});

test('core.excludesFile and core.ignoreCase of the configuration are respected', () => {
  git('init', '-q');
  git('config', 'core.ignoreCase', 'true');
  fs.writeFileSync(join(home, '.gitconfig'), '[core]\n\texcludesFile = "~/my ignores" ; personal\n');
  fs.writeFileSync(join(home, 'my ignores'), '*.TMP\n');
  put('a.tmp');
  put('a.txt');
  expect(files()).toEqual(['a.txt']);
  expect(filesOfGit()).toEqual(['a.txt']);
});

test('outside a repository the rule files of the tree still apply', () => {
  put('.gitignore', '*.log\n');
  put('a.log');
  put('b.txt');
  expect(files()).toEqual(['.gitignore', 'b.txt']);
});

test('a nested repository is walked by its own rules', () => {
  git('init', '-q');
  put('.gitignore', '*.log\n');
  put('inner/a.log');
  put('inner/b.txt');
  put('inner/.gitignore', 'b.txt\n');
  execFileSync('git', ['init', '-q'], { cwd: join(tree, 'inner'), env });
  fs.appendFileSync(join(tree, 'inner/.git/info/exclude'), '\n.gitignore\n');
  expect(files()).toEqual(['.gitignore', 'inner/a.log']);
});

test('a linked work tree has the excludes of its main repository', () => {
  git('init', '-q');
  put('a.txt');
  git('-c', 'user.name=t', '-c', 'user.email=t@t', 'commit', '-q', '--allow-empty', '-m', 'first');
  fs.appendFileSync(join(tree, '.git/info/exclude'), '\nb.txt\n');
  git('worktree', 'add', '-q', join(home, 'linked'));
  fs.writeFileSync(join(home, 'linked/b.txt'), 'x');
  fs.writeFileSync(join(home, 'linked/c.txt'), 'x');
  expect(files(join(home, 'linked'))).toEqual(['c.txt']);
});

test('an ignored file that git tracks stays ignored, unlike in git', () => {
  git('init', '-q');
  put('a.log');
  git('add', 'a.log');
  put('.gitignore', '*.log\n');
  expect(filesOfGit()).toEqual(['.gitignore', 'a.log']);
  expect(files()).toEqual(['.gitignore']);
});

test('links, FIFOs and sockets are counted and never followed, and the walk ends', async () => {
  put('real/a.txt');
  fs.writeFileSync(join(home, 'outside.txt'), 'outside');
  fs.symlinkSync('..', join(tree, 'real/loop'));
  fs.symlinkSync(join(home, 'outside.txt'), join(tree, 'leak.txt'));
  fs.symlinkSync(home, join(tree, 'leak'));
  fs.symlinkSync('nowhere', join(tree, 'dangling'));
  execFileSync('mkfifo', [join(tree, 'pipe')]);
  const server = createServer();
  await new Promise<void>((done) => { server.listen(join(tree, 'socket'), done); });
  try {
    expect(entries().map((entry) => [entry.path, entry.kind === 'file' ? 'file' : entry.reason])).toEqual([
      ['dangling', 'symlink'], ['leak', 'symlink'], ['leak.txt', 'symlink'], ['pipe', 'not_regular'],
      ['real/a.txt', 'file'], ['real/loop', 'symlink'], ['socket', 'not_regular'],
    ]);
  } finally {
    await new Promise((done) => { server.close(done); });
  }
});

test('a rule file that is a FIFO or a link does not block the walk and has no rules', () => {
  fs.mkdirSync(join(tree, 'one'));
  execFileSync('mkfifo', [join(tree, 'one/.gitignore')]);
  put('one/a.txt');
  put('rules', '*\n');
  put('two/b.txt');
  fs.symlinkSync('../rules', join(tree, 'two/.gitignore'));
  expect(files()).toEqual(['one/a.txt', 'rules', 'two/b.txt']);
});

test('a folder whose rules cannot be read is skipped, so that nothing it hides is embedded', () => {
  put('open/a.txt');
  put('shut/.gitignore');
  put('shut/hidden.txt');
  fs.truncateSync(join(tree, 'shut/.gitignore'), RULE_FILE_BYTES_MAX + 1);
  const all = entries();
  expect(all.map((entry) => entry.path)).toEqual(['open/a.txt', 'shut']);
  expect(all[1]).toMatchObject({ kind: 'skipped', reason: 'unreadable', cause: expect.stringContaining('.gitignore') });
});

test('a sparse file of ten gigabytes is reported as too large and not read', () => {
  put('huge.txt');
  fs.truncateSync(join(tree, 'huge.txt'), 10 * 1024 ** 3);
  expect(entries()).toMatchObject([{ kind: 'skipped', path: 'huge.txt', reason: 'too_large' }]);
});

test('a folder that is swapped for a link after its parent was listed leads nowhere', () => {
  put('a.txt');
  put('swapped/inside.txt');
  fs.mkdirSync(join(home, 'elsewhere'));
  fs.writeFileSync(join(home, 'elsewhere/stolen.txt'), 'x');
  const steps = walk(resolveRoot(tree), { maxFileBytes: 1000, env });
  expect(steps.next().value).toMatchObject({ path: 'a.txt' });
  fs.rmSync(join(tree, 'swapped'), { recursive: true });
  fs.symlinkSync(join(home, 'elsewhere'), join(tree, 'swapped'));
  expect([...steps]).toMatchObject([{ kind: 'skipped', path: 'swapped', reason: 'symlink' }]);
});

test('a file or folder that vanishes during the walk is skipped with its cause', () => {
  put('a.txt');
  put('b.txt');
  put('c/d.txt');
  const steps = walk(resolveRoot(tree), { maxFileBytes: 1000, env });
  steps.next();
  fs.rmSync(join(tree, 'b.txt'));
  fs.rmSync(join(tree, 'c'), { recursive: true });
  expect([...steps]).toMatchObject([
    { path: 'b.txt', reason: 'unreadable', cause: expect.stringContaining('ENOENT') },
    { path: 'c', reason: 'unreadable', cause: expect.stringContaining('ENOENT') },
  ]);
});

test.runIf(process.platform === 'linux')('a name that is not UTF-8 is skipped by name', () => {
  fs.writeFileSync(Buffer.concat([Buffer.from(`${tree}/bad-`), Buffer.from([0xff, 0xfe])]), 'x');
  expect(entries()).toMatchObject([{ kind: 'skipped', reason: 'name_not_utf8' }]);
});

test('the index, git\'s own folder and excluded folders are never entered, and counts are kept', () => {
  git('init', '-q');
  put('.spillway/index.db');
  put('deep/.spillway/index.db');
  put('index-elsewhere/index.db');
  put('.gitignore', '*.log\nout/\n');
  for (const path of ['a.log', 'deep/b.log', 'out/c.txt', 'deep/d.txt']) put(path);
  const counts = { folders: 0, ignored: 0 };
  expect(files(tree, { excludedPaths: [join(tree, 'index-elsewhere')], counts })).toEqual(['.gitignore', 'deep/d.txt']);
  expect(counts).toEqual({ folders: 2, ignored: 3 });
});

test('a root may be one file, or a link that was named on purpose', () => {
  put('docs/a.md', 'hello');
  fs.symlinkSync(join(tree, 'docs'), join(home, 'named'));
  expect(entries(join(tree, 'docs/a.md'))).toEqual([
    { kind: 'file', path: 'a.md', absolutePath: join(tree, 'docs/a.md'), sizeBytes: 5 },
  ]);
  expect(files(join(home, 'named'))).toEqual(['a.md']);
});

test('a missing root and a root of the wrong type are refused with path, cause and remedy', () => {
  execFileSync('mkfifo', [join(tree, 'pipe')]);
  put('file');
  expect(() => resolveRoot(join(tree, 'nowhere'))).toThrow(expect.objectContaining({
    code: 'path_missing', message: expect.stringMatching(/nowhere.*ENOENT.*Check/),
  }));
  expect(() => resolveRoot(join(tree, 'file/below'))).toThrow(expect.objectContaining({ code: 'path_missing' }));
  expect(() => resolveRoot(join(tree, 'pipe'))).toThrow(expect.objectContaining({
    code: 'path_unreadable', message: expect.stringMatching(/pipe.*neither.*Give/),
  }));
  const root = resolveRoot(tree);
  fs.rmSync(tree, { recursive: true });
  expect(() => [...walk(root, { maxFileBytes: 1, env })]).toThrow(expect.objectContaining({ code: 'path_missing' }));
});

test('a folder with many more files than a rule level remembers is walked correctly', () => {
  git('init', '-q');
  put('.gitignore', '*7.txt\n');
  for (let index = 0; index < 2500; index += 1) fs.writeFileSync(join(tree, `${index}.txt`), '');
  expect(files()).toEqual(filesOfGit());
});
