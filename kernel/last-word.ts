/**
 * How a thread that ends in order says so before it has ended: `exit` comes once its isolate is torn down,
 * and a thread that stands by could have begun the next life by then.
 *
 * What rests on it is that rings have one writer and one reader. A thread of the former life must have made
 * its last write, to any memory that it shares, before the next life touches it. The thread therefore says its
 * word in the last listener of `process.on('exit')`, put there just before `process.exit`, which calls the
 * listeners that there are by then, in their order, and no code of the thread after them:
 *
 *   the actor's `stop` ── exit ──> listeners of the actor and of the kernel ──> this word ──> teardown
 *   guardian                                                                   <────┘             'exit'
 *
 * A thread that does not get there says nothing, and its `exit` is waited for: one that was terminated or ran
 * out of memory, one whose actor calls `process.exit`, one with a listener that throws or ends the thread.
 *
 * What the word does not say is that sockets and files are closed which the actor has not closed in its `stop`;
 * they are when the isolate is gone.
 */
import type { MessagePort } from 'node:worker_threads';

interface LastWord {
  readonly lastWord: number;
}

/** Called right before `process.exit`. @param port the thread's own, to the guardian */
export function sayLastWord(port: MessagePort, exitCode: number): void {
  const word: LastWord = { lastWord: exitCode };
  process.on('exit', () => port.postMessage(word));
}

/** @param port the guardian's end. @param onLastWord called with the code that the thread exits with */
export function hearLastWord(port: MessagePort, onLastWord: (exitCode: number) => void): void {
  port.on('message', (said: Partial<LastWord>) => {
    if (said.lastWord !== undefined) onLastWord(said.lastWord);
  });
  // Only threads hold the guardian's event loop.
  port.unref();
}
