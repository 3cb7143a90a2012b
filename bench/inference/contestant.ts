/**
 * One way in a process of its own, driven from here. It loads and warms up once and then waits for its turns,
 * so that turns can be short and close together, and a machine whose speed drifts favours nobody.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Answer, Entrant, Message, TaskName, Tasks, Way } from './task.ts';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));
/** What a turn may take besides the seconds it is asked for: loading, trying variants, slow defaults. */
const TURN_MS_MAX = 180_000;
const CLOSE_MS_MAX = 15_000;

export class Contestant {
  readonly way: Way;
  readonly #child: ChildProcess;
  /** The end of what it wrote to standard error, to explain a failure. */
  #complaint = '';

  private constructor(way: Way, child: ChildProcess) {
    this.way = way;
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#complaint = (this.#complaint + text).slice(-4_000)));
  }

  /** Resolves when the way has loaded its model. @throws Error saying what it complained of */
  static async start(entrant: Entrant): Promise<Contestant> {
    const child = fork(CHILD, [JSON.stringify(entrant)], {
      execArgv: ['--conditions=spillway-src'],
      env: poolFor(entrant),
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // With what it starts it is a group of its own, which can be ended as a whole.
      detached: true,
    });
    const contestant = new Contestant(entrant.way, child);
    await contestant.#answer();
    return contestant;
  }

  async ask<N extends TaskName>(name: N, request: Tasks[N]['request']): Promise<Tasks[N]['report']> {
    const message = { name, request } as Message;
    this.#child.send(message);
    return (await this.#answer()) as Tasks[N]['report'];
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.disconnect();
    const impatience = setTimeout(() => this.#kill(), CLOSE_MS_MAX);
    await ended;
    clearTimeout(impatience);
  }

  async #answer(): Promise<unknown> {
    const child = this.#child;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const ended = (): void => reject(new Error(`its process ended: ${this.#lastComplaint()}`));
    const impatience = setTimeout(() => reject(new Error(`no answer within ${TURN_MS_MAX / 1_000} s`)), TURN_MS_MAX);
    child.once('message', resolve);
    child.once('exit', ended);
    try {
      const { error, report } = await promise;
      if (error !== undefined) throw new Error(error);
      return report;
    } catch (error) {
      this.#kill();
      throw error;
    } finally {
      clearTimeout(impatience);
      child.off('message', resolve);
      child.off('exit', ended);
    }
  }

  #kill(): void {
    try {
      process.kill(-this.#child.pid!, 'SIGKILL');
    } catch {
      // It has ended already, or the system knows no groups.
      this.#child.kill('SIGKILL');
    }
  }

  #lastComplaint(): string {
    const lines = this.#complaint.split('\n').filter((line) => line.trim() !== '');
    return lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.at(-1) ?? 'it gave no reason';
  }
}

/**
 * Spillway's command line gives libuv's pool one thread for each actor, and whoever tunes by hand may do the
 * same; who calls a library as its documentation shows has what Node gives him.
 */
function poolFor({ way, cores, poolThreads }: Entrant): NodeJS.ProcessEnv {
  const { UV_THREADPOOL_SIZE: _, ...env } = process.env;
  const isSized = way.startsWith('Spillway') || way === 'node-llama-cpp, a context per core';
  const size = poolThreads ?? (isSized ? cores : undefined);
  return size === undefined ? env : { ...env, UV_THREADPOOL_SIZE: String(size) };
}
