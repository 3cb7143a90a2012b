/** Adapts a worker thread to the runtime: what its entry file calls, and nothing else does. */
import assert from 'node:assert';
import { isMainThread, workerData, type MessagePort } from 'node:worker_threads';
import { loadDefinition } from './actor-source.ts';
import { GUARDIAN_THREAD, threadOf } from './address.ts';
import { Caretaker, linksOf } from './caretaker.ts';
import { systemClock } from './clock.ts';
import type { ThreadBoot } from './thread-boot.ts';
import { LogWriter } from './log.ts';
import { ThreadHost } from './thread-host.ts';
import { ThreadLoop } from './thread-loop.ts';
import { ThreadRuntime } from './thread-runtime.ts';
import { systemRandom } from './time/random.ts';
import { DEFAULT_HUNG_AFTER_MS, Watchdog } from './watchdog.ts';
import { newWorker } from './worker.ts';

export async function startThread(): Promise<void> {
  assert(!isMainThread, 'A thread entry runs in a worker thread.');
  const boot = workerData as ThreadBoot;
  const isGuardian = threadOf(boot.self) === GUARDIAN_THREAD;
  const caretaker = new Caretaker({
    makeRuntime: (hooks) =>
      new ThreadRuntime({ self: boot.self, incarnation: boot.incarnation, system: boot.system, board: boot.board, clock: systemClock, logLevel: boot.logLevel, ...hooks }),
    name: boot.name,
    random: systemRandom,
    // What comes to the guardian through its port is for its host.
    port: isGuardian ? () => undefined : linksOf(boot.port, (item) => item.item === 'admin' && serveAdmin(item.port)),
    native: boot.native,
    setWaiting: (waiting) => (loop.waiting = waiting),
    exit(code) {
      runtime.end();
      process.exit(code);
    },
    ...(isGuardian ? { makeHost: (made: ThreadRuntime) => makeHost(made, boot) } : {}),
  });
  const { runtime } = caretaker;
  // Modules and native models load through the event loop; the actor's own choice holds once it has started.
  const loop = new ThreadLoop(runtime, boot.maxSpins);
  for (const link of boot.links) runtime.addLink(link);
  // A defect outside any handler ends the actor the same way; Node would end the thread at once and
  // with it, if a native call is in flight, the process.
  process.on('uncaughtException', (error) => void caretaker.crash(error));
  process.on('unhandledRejection', (error) => void caretaker.crash(error));
  // Also when an actor calls process.exit.
  process.on('exit', () => runtime.abandonMessages());
  // Before the first turn of the loop, which must already know that an actor is coming.
  const started = caretaker.start(() => loadDefinition(boot.source), boot.source.args);
  await Promise.all([started, loop.run()]);
}

function makeHost(runtime: ThreadRuntime, boot: ThreadBoot): ThreadHost {
  const host = new ThreadHost(runtime, boot, { newWorker, writer: new LogWriter(boot.logLevel), serveAdmin });
  const watchdog = new Watchdog({
    threads: () => host.watched(),
    clock: runtime.clock,
    after: (delayMs, run) => void runtime.after(delayMs, run),
    log: (actor) => host.log(actor),
    hungAfterMs: boot.hungAfterMs ?? DEFAULT_HUNG_AFTER_MS,
    onHung: ({ id }, message) => host.killHung(id, message),
  });
  watchdog.start();
  return host;
}

/** Loaded with the first port, because most threads never get one. */
function serveAdmin(port: MessagePort): void {
  void import('./admin/thread-admin.ts').then((admin) => admin.serveAdmin(port));
}
