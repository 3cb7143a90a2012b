/** A thread that adds to a counter and to a word, for shared-words.test.ts. */
import { workerData } from 'node:worker_threads';
import { SharedCounters, SharedWords } from 'atomics-ring-buffer';

const { buffer, additions, delta } = workerData as { buffer: SharedArrayBuffer; additions: number; delta: number };
const counters = new SharedCounters(buffer, 0, ['sum']);
const words = new SharedWords(buffer, 128, ['sum']);
for (let count = 0; count < additions; count++) {
  counters.add('sum', delta);
  words.add('sum', delta);
}
