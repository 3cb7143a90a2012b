/** How the commands end: help, wrong usage, signals, closed pipes, and under any Node. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CONDITION, LAUNCHER, NODE, doneOf, environment, jsonLines, scratchFolder, spillway, start, systemNode, RunningCommand } from './command-line.ts';
import { indexProblems, indexRows, untilStored, writeSampleFolder } from './sample-folder.ts';

const SYSTEM_NODE = systemNode();
/** Enough that nearly all chunks are still to come when the first are stored. */
const FILES = 200;
const IS_DRAINING = /Finishing what is on its way/;

/** This program of util-linux gives a command a terminal. */
const TERMINAL = 'script';

function hasTerminal(): boolean {
  try {
    return execFileSync(TERMINAL, ['--version'], { encoding: 'utf8' }).includes('util-linux');
  } catch {
    return false;
  }
}

describe('help and wrong usage', () => {
  it.each([[['--help']], [['embed', '--help']], [['search', '--help']], [['status', '--help']], [['help', 'embed']]])('explains itself with examples: %s', async (args) => {
    const { code, stdout, stderr } = await spillway(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('Usage: spillway');
    expect(stdout).toMatch(/Examples:\n( {2}\$ spillway .+\n)+/);
  });

  it.each([
    ['no command', []],
    ['an unknown command', ['frobnicate']],
    ['an unknown flag', ['embed', '.', '--frobnicate']],
    ['a missing path', ['embed']],
    ['a missing query', ['search']],
    ['a second query', ['search', 'one', 'two']],
    ['a limit that is no number', ['search', 'one', '--limit', 'ten']],
    ['a limit of zero', ['search', 'one', '--limit', '0']],
    ['a limit above a thousand', ['search', 'one', '--limit', '1001']],
    ['a flag without its value', ['search', 'one', '--index']],
    ['no actors', ['embed', '.', '--actors', '0']],
    ['too many actors', ['embed', '.', '--actors', '1000']],
    ['chunks of no tokens', ['embed', '.', '--chunk-tokens', '0']],
    ['a model URI that is none', ['embed', '.', '--model', 'hf:nonsense']],
  ])('exits with 2 and no output at %s', async (_, args) => {
    const { code, stdout, stderr } = await spillway(args, { cwd: scratchFolder() });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).not.toBe('');
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('exits with 2 at a configuration that it does not know, and names the key', async () => {
    const { code, stderr } = await spillway(['status'], { env: { SPILLWAY_ACTORS: 'many' } });
    expect(code).toBe(2);
    expect(stderr).toMatch(/actors/i);
  });
});

describe('signals', () => {
  /** A run over `folder` that has begun to store. */
  async function midRun(folder: string, index: string, command?: readonly string[]): Promise<RunningCommand> {
    const run = start(['embed', folder, '--index', index, '--json', '--actors', '1'], command === undefined ? {} : { command });
    await untilStored(index, 1, run);
    return run;
  }

  it('drains at Ctrl-C, exits with 130, and the next run goes on to what an undisturbed run makes', { timeout: 120_000 }, async () => {
    const folder = scratchFolder();
    const [index, undisturbed] = [join(scratchFolder(), 'index'), join(scratchFolder(), 'index')];
    writeSampleFolder(folder, FILES);
    const run = await midRun(folder, index);
    run.child.kill('SIGINT');
    const { code, stdout, stderr } = await run.ended;
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    const last = jsonLines(stdout).at(-1)!;
    expect(last).toMatchObject({ event: 'interrupted' });
    expect(last['embedded']).toBeGreaterThan(0);
    // Nothing is published yet.
    expect(indexRows(index)).toEqual([]);

    const next = doneOf(await spillway(['embed', folder, '--index', index, '--json']));
    const whole = doneOf(await spillway(['embed', folder, '--index', undisturbed, '--json']));
    expect(next['chunks']).toBe(whole['chunks']);
    expect(next['embedded']).toBeLessThan(whole['chunks'] as number);
    expect(next['embedded']).toBeGreaterThan(0);
    expect(indexRows(index)).toEqual(indexRows(undisturbed));
    expect(indexProblems(index)).toEqual([]);
  });

  it('drains at SIGTERM too', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeSampleFolder(folder, FILES);
    const run = await midRun(folder, index);
    run.child.kill('SIGTERM');
    const { code, stdout } = await run.ended;
    expect(code).toBe(130);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ event: 'interrupted' });
    expect(indexProblems(index)).toEqual([]);
  });

  it('ends at once at the second Ctrl-C, and the index is sound', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeSampleFolder(folder, FILES);
    const run = await midRun(folder, index);
    run.child.kill('SIGINT');
    await run.until(IS_DRAINING);
    run.child.kill('SIGINT');
    const { code, signal } = await run.ended;
    // A run that was faster than the second signal has drained.
    expect([code, signal]).toEqual(signal === null ? [130, null] : [null, 'SIGINT']);
    expect(indexProblems(index)).toEqual([]);
  });

  it.skipIf(SYSTEM_NODE === undefined).each(['SIGINT', 'SIGTERM'] as const)('hands %s on through the launcher of another Node', async (signal) => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeSampleFolder(folder, FILES);
    const run = await midRun(folder, index, [SYSTEM_NODE!]);
    run.child.kill(signal);
    const { code, stdout } = await run.ended;
    expect(code).toBe(130);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ event: 'interrupted' });
    // The run itself has ended too: the index is free.
    expect(doneOf(await spillway(['embed', folder, '--index', index, '--json']))).toMatchObject({ files: FILES });
  });

  it.skipIf(!hasTerminal())('shows a live line on a terminal, whose Ctrl-C counts once though it reaches launcher and child', async () => {
    const folder = scratchFolder();
    const index = join(scratchFolder(), 'index');
    writeSampleFolder(folder, FILES);
    const words = [SYSTEM_NODE ?? NODE, LAUNCHER, 'embed', folder, '--index', index, '--actors', '1'];
    const child = spawn(TERMINAL, ['-qec', words.join(' '), '/dev/null'], { env: environment(), stdio: ['pipe', 'pipe', 'pipe'] });
    const run = new RunningCommand(child);
    await untilStored(index, 1, run);
    child.stdin.write('\u0003');
    const { code, stdout } = await run.ended;
    expect(stdout).toContain('\r\u001b[2K');
    expect(stdout).toMatch(/\d+ files, \d+\/\d+ chunks, \d+ texts\/s, \d+ queued/);
    expect(stdout).toContain('Interrupted after');
    expect(code).toBe(130);
  });

  it('counts a Ctrl-C that both the launcher and its child get as one', async () => {
    const folder = scratchFolder();
    writeSampleFolder(folder, FILES);
    const run = await midRun(folder, join(scratchFolder(), 'index'));
    run.child.kill('SIGINT');
    run.child.kill('SIGTERM');
    const { code, signal } = await run.ended;
    expect({ code, signal }).toEqual({ code: 130, signal: null });
  });
});

describe('the way it is started', () => {
  it.skipIf(SYSTEM_NODE === undefined)('runs under the Node of the system, whatever its version', async () => {
    const folder = scratchFolder();
    writeSampleFolder(folder, 5);
    const version = execFileSync(SYSTEM_NODE!, ['--version'], { encoding: 'utf8' });
    expect(version).toMatch(/^v\d+/);
    const command = [SYSTEM_NODE!];
    expect(doneOf(await spillway(['embed', '.', '--json'], { cwd: folder, command }))).toMatchObject({ files: 5 });
    expect((await spillway(['search', ''], { cwd: folder, command })).code).toBe(2);
    expect((await spillway(['status', '--index', 'nowhere'], { cwd: folder, command })).code).toBe(1);
    expect((await spillway(['search', 'harbour'], { cwd: folder, command })).code).toBe(0);
  });

  it('runs under the right Node without the condition', async () => {
    expect((await spillway(['--help'], { command: [NODE] })).code).toBe(0);
  });

  it.each(['stdout', 'stderr'] as const)('goes on when nobody reads its %s any more', async (stream) => {
    const folder = scratchFolder();
    writeSampleFolder(folder, 60);
    const args = stream === 'stdout' ? ['--json', '--verbose'] : ['--verbose'];
    for (let link = 0; link < 200; link++) symlinkSync('nowhere', join(folder, `link-${link}`));
    const child = spawn(NODE, [CONDITION, LAUNCHER, 'embed', folder, '--index', join(folder, '.spillway'), ...args], { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] });
    child[stream].destroy();
    const other = child[stream === 'stdout' ? 'stderr' : 'stdout'];
    let shown = '';
    other.on('data', (text: Buffer) => (shown += text.toString()));
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(shown).not.toContain('EPIPE');
    expect(jsonLines((await spillway(['status', '--json', '--index', join(folder, '.spillway')])).stdout)[0]).toMatchObject({ files: 60 });
  });
});
