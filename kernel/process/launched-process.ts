/**
 * An actor's process as its bridge has it from the first moment on, when there may be nobody yet to hear of its
 * end: what happens to it is kept until somebody asks.
 */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { INPUT_DESCRIPTOR, OUTPUT_DESCRIPTOR } from './descriptors.ts';
import { TOKEN_BYTES } from './frames.ts';

/** How a process ended, or why there was never one. */
export interface ProcessEnd {
  readonly error?: Error;
  readonly exitCode: number | null;
  readonly signal: string | null;
}

/** How long the launcher of a sandbox may take to see that there is nothing left inside. */
const LAUNCHER_MS = 1_000;

export class LaunchedProcess {
  readonly #child: ChildProcess;
  readonly #killInside: ((pid: number) => void) | undefined;
  /** By which it will be known. It is given to it at once, because it reads that first of all. */
  readonly token = randomBytes(TOKEN_BYTES);
  /** Resolves when it was waited for, or could not be started. */
  readonly ended: Promise<ProcessEnd>;

  /** @param killInside of a sandbox: ends all that is in it, given the number of its launcher */
  constructor(child: ChildProcess, killInside?: (pid: number) => void) {
    this.#child = child;
    this.#killInside = killInside;
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve({ error, exitCode: null, signal: null }));
      child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
    });
    if (child.pid === undefined) return;
    // It may end before it has read everything, and its end is told by itself.
    for (const stream of [child.stdin!, this.output, this.input]) stream.on('error', () => {});
    child.stdin!.end(this.token);
  }

  /** Undefined if it could not be started. */
  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isBoxed(): boolean {
    return this.#killInside !== undefined;
  }

  /** Where it speaks. */
  get output(): Socket {
    return this.#stdio[OUTPUT_DESCRIPTOR] as Socket;
  }

  /** Where it is spoken to. */
  get input(): Socket {
    return this.#stdio[INPUT_DESCRIPTOR] as Socket;
  }

  get stdout(): Readable {
    return this.#child.stdout!;
  }

  get stderr(): Readable {
    return this.#child.stderr!;
  }

  /** Ends it at once. With a sandbox what is inside goes first, so that its launcher's end says that all is over. */
  kill(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    if (this.#killInside === undefined) return void this.#child.kill('SIGKILL');
    this.#killInside(pid);
    // One that is stopped sees nothing; it takes along what is left.
    setTimeout(() => this.#child.kill('SIGKILL'), LAUNCHER_MS).unref();
  }

  get #stdio(): readonly unknown[] {
    return this.#child.stdio;
  }
}
