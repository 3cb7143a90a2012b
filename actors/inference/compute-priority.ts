/**
 * Native calls compute on the threads of libuv's pool, or on the actor's own where the library's calls are synchronous.
 * While they keep every core busy, the application's event loop has to wait for a time slice of theirs. On Linux each thread has a nice value of its own: with a higher one
 * these threads still take every cycle that nobody else wants, and give way at once to whoever does
 * (`npm run bench -- inference --rows loop`).
 *
 * What else the pool does, file and DNS calls of the application, gives way too, which is felt only while all
 * cores compute.
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { getPriority, setPriority } from 'node:os';

const THREADS = '/proc/self/task';
/** libuv's own name for the threads of its pool. */
const POOL_THREAD = 'libuv-worker';
/** A third of the weight of a thread with 0, so a process beside this one still gets its share and no more. */
const NICE = 5;

/** Leads each thread that reads it to its own entry. */
const OWN_THREAD = '/proc/thread-self';

/**
 * Call it after the first native call: the pool's threads are made with that. Where it cannot be done, nothing happens.
 * @param where the threads that the library computes on: the pool's, or the one that calls this
 */
export function lowerComputePriority(where: 'pool' | 'caller'): void {
  if (process.platform !== 'linux') return;
  try {
    const threads = where === 'caller' ? [basename(readlinkSync(OWN_THREAD))] : readdirSync(THREADS).filter(isOfPool);
    for (const thread of threads) if (getPriority(Number(thread)) < NICE) setPriority(Number(thread), NICE);
  } catch {
    // A sandbox without /proc, or a thread that has ended meanwhile: it only makes the application a little less brisk.
  }
}

function isOfPool(thread: string): boolean {
  return readFileSync(`${THREADS}/${thread}/comm`, 'utf8').trim() === POOL_THREAD;
}
