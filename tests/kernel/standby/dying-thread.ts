/** A thread that ends in one of several ways, and writes to shared memory for as long as its code runs. */
import { workerData, type MessagePort } from 'node:worker_threads';
import { sayLastWord } from '../../../kernel/last-word.ts';

export interface DyingTask {
  readonly port: MessagePort;
  readonly written: Int32Array;
  readonly way: 'in order' | 'listener throws' | 'listener exits' | 'exits by itself' | 'out of memory';
}

/** The listener goes on for so long. */
const LAST_WRITES_MS = 20;
const { port, written, way } = workerData as DyingTask;

function write(): void {
  written[0]!++;
}

process.on('exit', () => {
  for (const untilMs = performance.now() + LAST_WRITES_MS; performance.now() < untilMs; ) write();
  if (way === 'listener throws') throw new Error('from a listener');
  if (way === 'listener exits') process.exit(5);
});
setInterval(write, 1);
setTimeout(() => {
  if (way === 'out of memory') for (const kept: unknown[] = []; ; ) kept.push(Array.from({ length: 1_000 }, Object));
  if (way !== 'exits by itself') sayLastWord(port, 4);
  process.exit(4);
}, 5);
