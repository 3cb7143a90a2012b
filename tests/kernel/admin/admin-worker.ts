/** A thread that serves administrative calls and otherwise does what the test tells it. */
import { SharedWords } from 'atomics-ring-buffer';
import { createRequire } from 'node:module';
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { serveAdmin } from '../../../kernel/admin/thread-admin.ts';

export interface AdminWorkerData {
  readonly port: MessagePort;
  /** Whether nothing but the served port is there to keep the thread alive. */
  readonly idle?: boolean;
  readonly gate: SharedArrayBuffer;
}

export type AdminWorkerCommand = 'block' | 'burn' | 'exit' | 'throw' | 'isComlinkLoaded';

export const GATE_WORDS = ['blocked', 'open'] as const;

/** How long each step of `burn` takes. */
export const BURN_MS = 20;

function burnForProfile(): void {
  const endMs = performance.now() + BURN_MS;
  while (performance.now() < endMs);
}

// The tests import this file too, for what it exports.
if (parentPort !== null && (workerData as AdminWorkerData | null)?.gate instanceof SharedArrayBuffer) {
  const { port, idle, gate } = workerData as AdminWorkerData;
  const words = new SharedWords(gate, 0, GATE_WORDS);
  const commands: Record<AdminWorkerCommand, () => void> = {
    block: () => {
      words.store('blocked', 1);
      while (words.load('open') === 0);
      words.store('blocked', 0);
    },
    burn: () => setInterval(burnForProfile, 1),
    exit: () => process.exit(0),
    throw: () => {
      throw new Error('told to');
    },
    isComlinkLoaded: () => {
      const files = Object.keys(createRequire(import.meta.url).cache);
      parentPort!.postMessage(files.some((file) => file.includes('/node_modules/comlink/')));
    },
  };
  serveAdmin(port);
  port.on('close', () => parentPort!.postMessage('closed'));
  if (idle !== true) parentPort.on('message', (command: AdminWorkerCommand) => commands[command]());
}
