/**
 * A thread that publishes to one that waits, for wait-strategies.test.ts, again and again: each time the
 * other has said that its next wait is about to begin, and a random moment later.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { Doorbell, SharedWords, YieldingWait } from 'atomics-ring-buffer';
import { mixed } from './thread-records.ts';
import { PUBLISHER_WORDS, type PublisherData } from './wait-publisher-data.ts';

const { buffer, rounds, seed } = workerData as PublisherData;
const words = new SharedWords(buffer, 0, PUBLISHER_WORDS);
const doorbell = new Doorbell(...words.place('bell'));
const waiting = new YieldingWait();

parentPort!.postMessage('ready');
for (let round = 1; round <= rounds; round++) {
  while (!waiting.wait(() => words.load('begun') >= round, 1_000));
  for (let pauses = mixed(seed, round) % 4_000; pauses > 0; pauses--) Atomics.pause();
  words.store('published', round);
  doorbell.ring();
}
