/**
 * The real command line as a child process: what the end-to-end tests start, talk to and kill.
 *
 * All of them share one cache folder, so the built-in model is synthesized once and not once a test.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export const REPO = fileURLToPath(new URL('../..', import.meta.url));
export const LAUNCHER = join(REPO, 'actors/console/launch.mjs');
/** The Node that the repo brings. Started with the condition, the launcher has nothing to hand over. */
export const NODE = join(REPO, 'node_modules/node/bin/node');
export const CONDITION = '--conditions=spillway-src';
export const CACHE_DIR = join(tmpdir(), 'spillway-test-cache');

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** What runs the launcher. Default: the repo's Node, without a detour. */
  readonly command?: readonly string[];
  /** Given to its standard input, and the end of it. With `pipe` it stays open for the test to write to. Default: none. */
  readonly stdin?: Uint8Array | 'pipe';
  /** Runs as this user, where the tests run as root and root may read everything. */
  readonly uid?: number;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command on its way, and what it has written so far. */
export class RunningCommand {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#take(() => (this.#stdout += text)));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#take(() => (this.#stderr += text)));
    this.ended = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
        this.#take(() => '');
      });
    });
  }

  /** Waits until something written satisfies `pattern`. @throws when the command ends without it */
  async until(pattern: RegExp): Promise<void> {
    let over = false;
    void this.ended.then(() => (over = true));
    while (!pattern.test(this.#stdout + this.#stderr)) {
      if (over) throw new Error(`The command ended without ${pattern}:\n${this.#stdout}${this.#stderr}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  #take(append: () => string): void {
    append();
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

export function start(args: readonly string[], options: CommandOptions = {}): RunningCommand {
  mkdirSync(CACHE_DIR, { recursive: true });
  const [node, ...nodeArgs] = options.command ?? [NODE, CONDITION];
  const child = spawn(node!, [...nodeArgs, LAUNCHER, ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: { ...environment(), ...options.env },
    stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
  });
  // A command that ends before it has read all of it has its reasons, and the test will see them.
  child.stdin?.on('error', () => {});
  if (options.stdin !== undefined && options.stdin !== 'pipe') child.stdin?.end(options.stdin);
  return new RunningCommand(child);
}

export function spillway(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return start(args, options).ended;
}

/**
 * The tests' own environment, without what would steer the command. One embedder, because the start of each takes a second of
 * a core and most tests are about something else; where several matter, the test says so.
 */
export function environment(): Record<string, string> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(SPILLWAY|VITEST|NODE_OPTIONS|MODEL_ENDPOINT|HF_ENDPOINT)/.test(name));
  return { ...(Object.fromEntries(inherited) as Record<string, string>), SPILLWAY_CACHE_DIR: CACHE_DIR, SPILLWAY_ACTORS: '1' };
}

/** The first `node` on the path that is not the repo's own. */
export function systemNode(): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .map((folder) => join(folder, 'node'))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** One object for each line. @throws when a line is not JSON */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** The last line of a run with `--json`. */
export function doneOf({ stdout, stderr }: Ended): Record<string, number | string> {
  const last = jsonLines(stdout).at(-1);
  if (last?.['event'] !== 'done') throw new Error(`The run did not end with 'done':\n${stdout}${stderr}`);
  return last as Record<string, number | string>;
}

/** A folder that goes with the test. */
export function scratchFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-e2e-')));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
