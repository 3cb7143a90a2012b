import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { REPO } from '../tidy/source-file.ts';

const TOOLS = ['bash', 'dirname', 'mktemp', 'rm', 'tail', 'timeout'];
const REPORT = JSON.stringify({ numPassedTests: 7, numFailedTests: 0, testResults: [] });
const INSTALL = '-qq install -y --no-install-recommends chromium';
const UPDATE = '-qq update';
const NOTE = 'no Chromium: the tests of the litmus page will be skipped';

/** The whole of the script's PATH: the few tools it needs, and stubs, so that it finds no browser and installs none. */
let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'spillway-ci-'));
  for (const tool of TOOLS) symlinkSync(execFileSync('/bin/sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).trim(), join(path, tool));
  symlinkSync(process.execPath, join(path, 'node'));
  stub('npm', `[ "$1" = test ] && echo '${REPORT}' > "$TEST_REPORT"; echo "npm $*" >> '${join(path, 'calls')}'`);
  stub('id', 'echo 0');
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

function stub(name: string, body: string): void {
  writeFileSync(join(path, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
}

/** @param succeeds shell code that decides, from the arguments of apt-get, how a call ends */
function stubAptGet(succeeds: string): void {
  stub('apt-get', `echo "apt-get $*" >> '${join(path, 'calls')}'; echo "apt-get says why"; ${succeeds}`);
}

/** Runs the script; everything in it passes, so the last line and the exit code say so whatever became of the browser. */
function run(env: NodeJS.ProcessEnv = {}): { readonly calls: readonly string[]; readonly lines: readonly string[] } {
  const { stdout, status } = spawnSync(join(REPO, '.ci/run'), { env: { PATH: path, TMPDIR: path, ...env }, encoding: 'utf8' });
  const lines = stdout.trimEnd().split('\n');
  expect([lines.at(-1), status]).toEqual(['7 passed, 0 failed', 0]);
  return { calls: readFileSync(join(path, 'calls'), 'utf8').trimEnd().split('\n'), lines };
}

describe('.ci/run, which needs a Chromium for the litmus page,', () => {
  it('installs one between the installation and the tests', () => {
    stubAptGet('exit 0');
    const { calls, lines } = run();
    expect(calls).toEqual(['npm ci', `apt-get ${INSTALL}`, 'npm test']);
    expect(lines).not.toContain(NOTE);
  });

  it('updates the lists of packages where they do not name it yet', () => {
    stubAptGet(`[ "$2" = update ] && : > '${join(path, 'lists')}'; [ -e '${join(path, 'lists')}' ]`);
    const { calls, lines } = run();
    expect(calls).toEqual(['npm ci', `apt-get ${INSTALL}`, `apt-get ${UPDATE}`, `apt-get ${INSTALL}`, 'npm test']);
    expect(lines).not.toContain(NOTE);
  });

  it('goes on without one, and says why, when it cannot be installed', () => {
    stubAptGet('[ "$2" = update ]');
    const { calls, lines } = run();
    expect(calls.at(-1)).toBe('npm test');
    expect(lines).toEqual(expect.arrayContaining(['apt-get says why', NOTE]));
  });

  it('does not ask for rights that it does not have, nor for an installer', () => {
    expect(run().lines).toEqual(expect.arrayContaining(['it takes apt-get and root', NOTE]));
    stubAptGet('exit 0');
    stub('id', 'echo 1000');
    expect(run().calls.filter((call) => call.startsWith('apt-get'))).toEqual([]);
  });

  it.each(['chromium', 'chromium-browser', 'google-chrome'])('installs none where there is %s', (name) => {
    stubAptGet('exit 0');
    stub(name, 'exit 0');
    const { calls, lines } = run();
    expect(calls).toEqual(['npm ci', 'npm test']);
    expect(lines).not.toContain(NOTE);
  });

  it.each(['SPILLWAY_CHROMIUM', 'VITEST'])('installs none where %s is set', (name) => {
    stubAptGet('exit 0');
    expect(run({ [name]: 'set' }).calls).toEqual(['npm ci', 'npm test']);
  });
});
