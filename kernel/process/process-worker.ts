/**
 * The guardian's handle of an actor's process: that of the bridge thread which stands for it. `exit` comes when
 * the bridge has ended, and a bridge ends when its process is dead and was waited for.
 */
import { SharedWords } from 'atomics-ring-buffer';
import { EventEmitter } from 'node:events';
import { Worker } from 'node:worker_threads';
import { SpillwayError } from '../errors.ts';
import { siblingModule, type ThreadBoot } from '../thread-boot.ts';
import type { ThreadSpec } from '../thread-spec.ts';
import type { SandboxSupport } from '../sandbox/index.ts';
import type { HeapLimits, ThreadWorker } from '../worker.ts';
import type { ProcessSpec } from './process-spec.ts';

/** Where a bridge shows its process, for who has to end it without the bridge's help. 0: there is none. */
export const PROCESS_WORDS = ['pid'] as const;

export interface BridgeData {
  readonly boot: ThreadBoot;
  readonly process: ProcessSpec;
  readonly heap: HeapLimits;
  /** SharedWords of PROCESS_WORDS. */
  readonly words: SharedArrayBuffer;
  /** What the system has for a sandbox, once a bridge has found it out. */
  readonly support: SandboxSupport | undefined;
}

/** What a bridge says to the guardian: why the life has ended, if it was not the actor who has said so. */
export interface BridgeReport {
  readonly code: string;
  readonly message: string;
}

/** What else it says: each would have to ask the system anew. */
export interface FoundSupport {
  readonly support: SandboxSupport;
}

/** How long a bridge may take to end its process and then itself. */
const END_MS = 5_000;

let support: SandboxSupport | undefined;

export function newProcessWorker(boot: ThreadBoot, spec: ThreadSpec, processSpec: ProcessSpec): ThreadWorker {
  return new ProcessWorker(boot, spec, processSpec);
}

class ProcessWorker extends EventEmitter implements ThreadWorker {
  readonly #worker: Worker;
  readonly #words: SharedWords<(typeof PROCESS_WORDS)[number]>;
  readonly #ended: Promise<void>;

  constructor(boot: ThreadBoot, { name, resourceLimits = {} }: ThreadSpec, process: ProcessSpec) {
    super();
    const words = new SharedArrayBuffer(SharedWords.bytes(PROCESS_WORDS));
    this.#words = new SharedWords(words, 0, PROCESS_WORDS);
    const data: BridgeData = { boot, process, heap: resourceLimits, words, support };
    this.#worker = new Worker(new URL(siblingModule('bridge-entry', import.meta.url)), { workerData: data, transferList: [boot.port], name });
    this.#worker.on('message', (said: BridgeReport | FoundSupport) => {
      if ('support' in said) {
        support = said.support;
        return;
      }
      const error = new SpillwayError(said.code, said.message);
      // What happened has happened elsewhere, and this place tells nothing of it.
      error.stack = '';
      this.emit('error', error);
    });
    this.#worker.on('error', (error) => this.emit('error', error));
    this.#ended = new Promise((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.on('exit', (exitCode) => {
      // Only if the bridge itself has failed is there still a process.
      this.#kill();
      this.emit('exit', exitCode);
    });
  }

  /** Resolves when the process is dead. */
  async terminate(): Promise<void> {
    this.#worker.postMessage('kill');
    const late = setTimeout(() => {
      this.#kill();
      void this.#worker.terminate();
    }, END_MS);
    await this.#ended;
    clearTimeout(late);
  }

  #kill(): void {
    const pid = this.#words.load('pid');
    if (pid === 0) return;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}
