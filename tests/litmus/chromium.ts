/**
 * A headless Chromium of this machine, with a home of its own that is gone afterwards. No library stands
 * in between: the page itself reports, so the browser only has to open it and to end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** Its disposal ends all of its processes and removes what they have written. */
export interface Chromium extends AsyncDisposable {
  /** Resolves with how and why when the browser ends by itself or does not start at all. */
  readonly ended: Promise<string>;
  /** The last lines of its log: what the page wrote to its console, and why the browser failed. */
  readonly log: readonly string[];
}

/** In the PATH; `.ci/run` knows the same names. */
const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
/** Where macOS has them. */
const PLACES = [
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

const FLAGS = [
  '--headless',
  // Where tests run as root, as in most containers, the sandbox does not start; the only page is ours.
  '--no-sandbox',
  '--disable-gpu',
  // A container often has too little of what it would use instead.
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--enable-logging=stderr',
  // Its pipe is never written to, but the browser ends when it breaks: even if this process is killed.
  '--remote-debugging-pipe',
];

/** Runs the browser and tidies up after it, for the case that whoever should do so was killed. */
const RUN_AND_TIDY = '"$@"; status=$?; rm -rf "$HOME"; exit $status';

const LOG_LINES_MAX = 12;
/** Complaints about what a container does not have, such as a message bus. */
const CHATTER = /:(?:WARNING|ERROR):/;

/**
 * The browser to use: the one that SPILLWAY_CHROMIUM names, or the first that is found.
 * @throws Error when the named one cannot be run
 */
export function findChromium(): string | undefined {
  const named = process.env['SPILLWAY_CHROMIUM'];
  if (named !== undefined && named !== '') {
    if (isExecutable(named)) return named;
    throw new Error(`SPILLWAY_CHROMIUM names '${named}', which is no program: name a Chromium or leave it unset.`);
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const inPath = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  return [...inPath, ...PLACES].find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function startChromium(path: string, url: string): Chromium {
  const home = mkdtempSync(join(tmpdir(), 'spillway-litmus-'));
  const main = spawn('/bin/sh', ['-c', RUN_AND_TIDY, 'sh', path, ...FLAGS, `--user-data-dir=${home}/profile`, url], {
    // Its crash reports and temporary files are not kept in the profile.
    env: { ...process.env, HOME: home, TMPDIR: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
    // In a group of its own, which the browser's many processes stay in.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
  });
  const pipes = main.stdio.slice(2);
  // A pipe that breaks because the browser ended is no error of its own.
  for (const pipe of pipes) pipe?.on('error', () => {});
  const log: string[] = [];
  createInterface({ input: main.stderr! }).on('line', (line) => {
    if (CHATTER.test(line)) return;
    log.push(line);
    if (log.length > LOG_LINES_MAX) log.shift();
  });
  const ended = once(main, 'exit').then(
    ([status, signal]) => `Chromium ended with ${signal === null ? `exit code ${status}` : `signal ${signal}`}.`,
    (error: Error) => `Chromium did not start: ${error.message}.`,
  );
  const dispose = async (): Promise<void> => {
    if (main.pid !== undefined) killGroup(main.pid);
    await ended;
    for (const pipe of pipes) pipe?.destroy();
    // The last of its processes may still be writing there.
    await rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  };
  return { ended, log, [Symbol.asyncDispose]: dispose };
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // ESRCH: the whole group is gone already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
