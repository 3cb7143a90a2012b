import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { REPO } from './tidy/source-file.ts';

/** Stands for npm in the PATH of the script, so that the script runs as it is and tests nothing. */
const npmStub = (ci: string, test: string): string => `#!/bin/sh\necho "npm $*"\ncase "$1" in\n  ci) ${ci} ;;\n  test) ${test} ;;\nesac\n`;
const writes = (report: object): string => `echo '${JSON.stringify(report)}' > "$TEST_REPORT"`;
const file = (status: string, ...tests: string[]): object => ({ name: 'a.test.ts', status, message: 'it does not load', assertionResults: tests.map((test) => ({ status: test })) });

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'spillway-ci-'));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

function run(ci: string, test: string): { lines: string[]; status: number | null } {
  writeFileSync(join(scratch, 'npm'), npmStub(ci, test), { mode: 0o755 });
  const env = { ...process.env, PATH: `${scratch}${delimiter}${process.env['PATH']}`, TMPDIR: scratch };
  const { stdout, status } = spawnSync(join(REPO, '.ci/run'), { env, encoding: 'utf8' });
  return { lines: stdout.trimEnd().split('\n'), status };
}

describe('.ci/run', () => {
  it('installs, tests, and closes with the counts', () => {
    const { lines, status } = run('exit 0', writes({ numPassedTests: 7, numFailedTests: 0, testResults: [file('passed', 'passed')] }));
    expect(lines).toEqual(expect.arrayContaining(['npm ci', 'npm test']));
    expect(lines.at(-1)).toBe('7 passed, 0 failed');
    expect(status).toBe(0);
  });
  it.each([
    ['tests fail', 'exit 0', `${writes({ numPassedTests: 5, numFailedTests: 2, testResults: [file('failed', 'passed', 'failed')] })}; exit 1`, '5 passed, 2 failed'],
    ['a test file does not load', 'exit 0', `${writes({ numPassedTests: 5, numFailedTests: 0, testResults: [file('failed')] })}; exit 1`, '5 passed, 1 failed'],
    ['the linter stops before the tests', 'exit 0', 'exit 1', '0 passed, 1 failed'],
    ['the install fails', 'exit 1', 'exit 0', '0 passed, 1 failed'],
    ['all tests pass but the runner does not', 'exit 0', `${writes({ numPassedTests: 5, numFailedTests: 0, testResults: [] })}; exit 1`, '5 passed, 1 failed'],
    ['there is no test', 'exit 0', writes({ numPassedTests: 0, numFailedTests: 0, testResults: [] }), '0 passed, 1 failed'],
    ['the report is cut off', 'exit 0', `echo '{"numPassed' > "$TEST_REPORT"; exit 1`, '0 passed, 1 failed'],
  ])('fails and counts it if %s', (_, ci, test, last) => {
    const { lines, status } = run(ci, test);
    expect(lines.at(-1)).toBe(last);
    expect(status).not.toBe(0);
  });
});
