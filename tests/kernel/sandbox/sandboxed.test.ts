/** Sandboxed processes as their starter sees them: descriptors, ends, limits, and what a sandbox does not do. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, describe, expect, it } from 'vitest';
import { killSandboxed, SANDBOX_FAILED, sandboxed, sandboxedPid, type SandboxedCommand, type SandboxSpec } from '../../../kernel/sandbox/index.ts';
import { askSystem, probeSandbox } from '../../../kernel/sandbox/sandbox-support.ts';
import { until } from '../condition.ts';

const root = mkdtempSync(join(realpathSync(tmpdir()), 'spillway-sandboxed-'));
afterAll(() => rmSync(root, { recursive: true }));

type Stdio = ('ignore' | 'pipe' | number)[];
const node = (script: string, more: Partial<SandboxedCommand> = {}): SandboxedCommand => ({ command: process.execPath, args: ['-e', script], env: {}, ...more });

function start(spec: SandboxSpec, target: SandboxedCommand, stdio: Stdio = ['pipe', 'pipe', 'pipe']): ChildProcess {
  const { command, args, env } = sandboxed(spec, target);
  return spawn(command, args, { env, stdio });
}

async function run(spec: SandboxSpec, target: SandboxedCommand, stdio?: Stdio): Promise<{ code: number | null; signal: string | null; out: string; err: string }> {
  const child = start(spec, target, stdio);
  const exit = once(child, 'exit') as Promise<[number | null, string | null]>;
  const [out, err] = await Promise.all([text(child.stdout!), text(child.stderr!)]);
  const [code, signal] = await exit;
  return { code, signal, out, err };
}

const isGone = (pid: number): boolean => !existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

describe('a sandboxed process ends', () => {
  it.each([
    ['with its exit code', 'process.exit(77)', { code: 77, signal: null }],
    ['by abort()', 'process.abort()', { code: null, signal: 'SIGABRT' }],
    ['by a segmentation fault', 'process.kill(process.pid, "SIGSEGV")', { code: null, signal: 'SIGSEGV' }],
    ['by its own SIGKILL', 'process.kill(process.pid, "SIGKILL")', { code: null, signal: 'SIGKILL' }],
  ])('%s, and its starter is told so', async (_, script, expected) => {
    expect(await run({}, node(script))).toMatchObject(expected);
  });
  it('when it is told to, and may answer for itself', async () => {
    const child = start({}, node('process.once("SIGTERM", () => process.exit(5)); console.log("up"); setInterval(() => undefined, 1e6)'));
    await once(child.stdout!, 'data');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([5, null]);
  });
  it('with all that it has started, before its end is seen, when it is killed', async () => {
    const child = start({ allowProcesses: true }, node('require("child_process").spawn(process.execPath, ["-e", "setInterval(() => undefined, 1e6)"], { stdio: "ignore" }); console.log("up"); setInterval(() => undefined, 1e6)'));
    await once(child.stdout!, 'data');
    const inner = sandboxedPid(child.pid!)!;
    expect(readFileSync(`/proc/${inner}/status`, 'utf8')).toMatch(/NSpid:\s+\d+\s+2\n[^]*CapEff:\s+0+\n[^]*CapBnd:\s+0+\n[^]*NoNewPrivs:\s+1\n[^]*Seccomp:\s+2\n/);
    const grandchild = Number(readFileSync(`/proc/${inner}/task/${inner}/children`, 'utf8'));
    expect(grandchild).toBeGreaterThan(1);
    killSandboxed(child.pid!);
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    expect([inner, grandchild].map(isGone)).toEqual([true, true]);
    killSandboxed(child.pid!);
  });
  it.each(['SIGTERM', 'SIGKILL'] as const)('by %s at any moment of its start, and leaves nothing behind', async (signal) => {
    const ends = Array.from({ length: 16 }, async (_, index) => {
      const child = start({}, node('setInterval(() => undefined, 1e6)'), ['ignore', 'ignore', 'pipe']);
      const closed = once(child, 'close');
      // A sweep over the start: the later ones find the process up.
      setTimeout(() => child.kill(signal), index * 6);
      expect(await text(child.stderr!)).toBe('');
      return closed;
    });
    expect(await Promise.all(ends)).toEqual(ends.map(() => [null, signal]));
  });
  it('with its launcher', async () => {
    const child = start({}, node('console.log("up"); setInterval(() => undefined, 1e6)'));
    await once(child.stdout!, 'data');
    const inner = sandboxedPid(child.pid!)!;
    child.kill('SIGKILL');
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);
    await until(() => isGone(inner), 'the end of what the launcher had started');
  });
  it.each(['process', 'thread'])('with the %s that has started it', async (starter) => {
    const parent = spawn(process.execPath, ['--conditions=spillway-src', join(import.meta.dirname, 'parent-child.ts'), starter], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const { outer, inner } = JSON.parse(line.toString()) as { outer: number; inner: number };
    if (starter === 'process') parent.kill('SIGKILL');
    else parent.stdin.end('end');
    await until(() => isGone(outer) && isGone(inner), 'the end of the launcher and of what it had started');
    parent.kill('SIGKILL');
  });
});

describe('a sandboxed process has', () => {
  it('its stdio and the descriptors that were passed on, and closes them for good', async () => {
    const child = start({}, node('process.stdin.pipe(process.stdout); const fs = require("fs"); fs.writeSync(3, "on three"); fs.closeSync(3)', { fds: [3] }), ['pipe', 'pipe', 'inherit' as 'ignore', 'pipe']);
    // It ends although the process goes on: nobody else holds the other end.
    expect(await text(child.stdio[3] as NodeJS.ReadableStream)).toBe('on three');
    child.stdin!.end('echoed');
    expect(await text(child.stdout!)).toBe('echoed');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
  it('none that was not', async () => {
    const file = openSync(import.meta.filename, 'r');
    const list = 'console.log(JSON.stringify(require("fs").readdirSync("/proc/self/fd").map((fd) => { try { return require("fs").readlinkSync("/proc/self/fd/" + fd) } catch { return "" } })))';
    const { out } = await run({ permissions: false }, node(list), ['pipe', 'pipe', 'pipe', file, file, file]);
    closeSync(file);
    expect(JSON.parse(out)).not.toContainEqual(expect.stringContaining('sandboxed.test'));
  });
  it('the environment that it was given, without what would act on its launcher', async () => {
    const { out } = await run({}, node('console.log(JSON.stringify(process.env))', { env: { GIVEN: '1', LEFT_OUT: undefined, NODE_OPTIONS: '--inspect', LD_PRELOAD: '/x.so', PERL5OPT: '-Mx' } }));
    expect(JSON.parse(out)).toEqual({ GIVEN: '1' });
  });
  it('what it was granted, to read or to write', async () => {
    const [readable, writable] = [join(root, 'readable'), join(root, 'writable')];
    for (const path of [readable, writable]) mkdirSync(path);
    writeFileSync(join(readable, 'a'), 'granted');
    const script = `const fs = require('fs'); fs.writeFileSync('${writable}/b', fs.readFileSync('${readable}/a')); fs.writeFileSync('/tmp/c', ''); try { fs.writeFileSync('${readable}/a', '') } catch (error) { console.log(error.code) }`;
    expect(await run({ read: [readable], write: [writable] }, node(script))).toMatchObject({ code: 0, out: 'EROFS\n' });
    expect(readFileSync(join(writable, 'b'), 'utf8')).toBe('granted');
  });
  it('the code of the package, and modules that it was given', async () => {
    const module = join(import.meta.dirname, '../everyday-child.ts');
    const script = `import('${import.meta.dirname}/../../../kernel/errors.ts').then(({ SpillwayError }) => console.log(new SpillwayError('fits', '').code, require('fs').existsSync('${module}')))`;
    expect(await run({}, node(script, { modules: [module] }))).toMatchObject({ out: 'fits true\n', err: '' });
  });
  it('add-ons, if they were granted', async () => {
    const load = `const Database = require('better-sqlite3-multiple-ciphers'); console.log(new Database(':memory:').prepare('SELECT 1 + 1 AS two').pluck().get())`;
    const target = node('', { args: ['--input-type=commonjs', '-e', load], cwd: realpathSync(join(import.meta.dirname, '../../../kernel')) });
    expect(await run({ allowAddons: true }, target)).toMatchObject({ out: '2\n', err: '' });
    expect(await run({}, target)).toMatchObject({ code: 1 });
  });
  it('the network, if it was granted, but no Unix sockets', async () => {
    const script = `const net = require('net'); const server = net.createServer((c) => c.end('over')).listen(0, '127.0.0.1', () => net.connect(server.address().port, '127.0.0.1').on('data', (data) => { console.log(String(data)); server.close(); net.connect('/x').on('error', (error) => console.log(error.code)) }))`;
    expect(await run({ network: 'host' }, node(script))).toMatchObject({ out: 'over\nEACCES\n' });
  });
  it('no more memory than its limit, native memory included', async () => {
    const script = 'const all = []; try { for (;;) all.push(Buffer.alloc(64 * 2 ** 20, 1)) } catch (error) { console.log(error.message, all.length < 14) }';
    expect(await run({ memoryBytes: 2 ** 30 }, node(script))).toMatchObject({ code: 0, out: 'Failed to allocate memory true\n' });
  });
});

describe('a sandbox that cannot be built', () => {
  it('starts nothing, when a granted folder has become a link meanwhile', async () => {
    const granted = join(root, 'granted');
    mkdirSync(granted);
    const { command, args, env } = sandboxed({ read: [granted] }, node('console.log("started")'));
    renameSync(granted, join(root, 'moved'));
    symlinkSync('/etc', granted);
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    expect(out).toBe('');
    expect(err).toMatch(/^spillway sandbox: open .*granted: Too many levels of symbolic links\n$/);
    expect(child.exitCode ?? (await once(child, 'exit'))[0]).toBe(SANDBOX_FAILED);
  });
  it.each([
    ['fails', '/bin/false', /perl \(.*failed: exit code 1\)/],
    ['is not there', '/nowhere/perl', /perl \(there is no .*Install the package perl-base/],
  ])('is refused if its tool %s', (_, tool, message) => {
    const support = askSystem(tool);
    expect(() => sandboxed({}, node(''), support)).toThrow(expect.objectContaining({ code: 'sandbox_unavailable', message: expect.stringMatching(message) as unknown, details: { missing: ['perl'] } }) as Error);
    expect(sandboxed({ required: false }, node(''), support)).toMatchObject({ command: process.execPath, confinement: { system: false, permissions: true } });
  });
  it('is refused without the filter, unless that need not be', () => {
    const found = probeSandbox();
    const support = { ...found, works: found.works.filter((name) => name !== 'seccomp'), missing: { seccomp: 'Function not implemented' } };
    expect(() => sandboxed({}, node(''), support)).toThrow(/seccomp \(Function not implemented\)/);
    expect(sandboxed({ seccomp: 'if_available' }, node(''), support).confinement).toEqual({ system: true, seccomp: false, permissions: true });
  });
  it('confines without the filter and without a /proc of its own', async () => {
    const found = probeSandbox();
    const support = { ...found, works: found.works.filter((name) => name !== 'seccomp' && name !== 'own_proc'), missing: { seccomp: 'gone', own_proc: 'gone' } };
    const script = `const { spawnSync } = require('child_process'); console.log(require('fs').existsSync('/proc'), spawnSync('/bin/sh').error.code); require('net').connect(1, '127.0.0.1').on('error', (error) => console.log(error.code))`;
    const { command, args, env } = sandboxed({ seccomp: 'if_available', permissions: false }, node(script), support);
    const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
    expect(await text(child.stdout)).toBe('false ENOENT\nENETUNREACH\n');
  });
});
