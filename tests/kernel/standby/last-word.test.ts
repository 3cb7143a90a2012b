import { MessageChannel, Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { hearLastWord } from '../../../kernel/last-word.ts';
import type { DyingTask } from './dying-thread.ts';

interface End {
  /** What its thread had written when the word was heard; undefined if none was. */
  readonly writtenAtWord: number | undefined;
  readonly writtenAtExit: number;
  readonly exitCode: number;
  readonly heard: readonly string[];
}

function endOf(way: DyingTask['way']): Promise<End> {
  const { port1, port2 } = new MessageChannel();
  const written = new Int32Array(new SharedArrayBuffer(4));
  const task: DyingTask = { port: port2, written, way };
  const worker = new Worker(new URL('./dying-thread.ts', import.meta.url), { workerData: task, transferList: [port2], resourceLimits: { maxOldGenerationSizeMb: 32 } });
  worker.on('error', () => {});
  const heard: string[] = [];
  let writtenAtWord: number | undefined;
  hearLastWord(port1, (exitCode) => {
    heard.push(`word ${exitCode}`);
    writtenAtWord = written[0]!;
  });
  return new Promise((resolve) => {
    worker.on('exit', (exitCode) => {
      heard.push(`exit ${exitCode}`);
      // A word that was said before the end would be heard in this turn of the loop at the latest.
      setImmediate(() => {
        port1.close();
        resolve({ writtenAtWord, writtenAtExit: written[0]!, exitCode, heard });
      });
    });
  });
}

test('a thread that ends in order says its last word behind its last write', async () => {
  for (let life = 0; life < 10; life++) {
    const { writtenAtWord, writtenAtExit, heard } = await endOf('in order');
    expect(heard.toSorted()).toEqual(['exit 4', 'word 4']);
    expect(writtenAtWord).toBe(writtenAtExit);
  }
});

test.each(['listener exits', 'exits by itself', 'out of memory'] as const)('one of which the end is not known to be its last write says none: %s', async (way) => {
  expect((await endOf(way)).writtenAtWord).toBeUndefined();
});

test('one whose listener throws says none before it has ended', async () => {
  const { writtenAtWord } = await endOf('listener throws');
  expect(writtenAtWord).toBeUndefined();
});
