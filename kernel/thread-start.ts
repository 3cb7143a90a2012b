/** Adapts a worker thread to the runtime: what its entry file calls, and nothing else does. */
import assert from 'node:assert';
import { isMainThread, workerData, type MessagePort } from 'node:worker_threads';
import { GUARDIAN_THREAD, threadOf } from './address.ts';
import { Caretaker, linksOf } from './caretaker.ts';
import { systemClock } from './clock.ts';
import { beginLife } from './life-begin.ts';
import type { ThreadBoot } from './thread-boot.ts';
import { LogWriter } from './log.ts';
import { sayLastWord } from './last-word.ts';
import { leaveInOrder } from './native-exit.ts';
import { prepareActor } from './preparation.ts';
import { Standbys } from './standby.ts';
import { ThreadHost } from './thread-host.ts';
import { ThreadLoop } from './thread-loop.ts';
import { ThreadRuntime } from './thread-runtime.ts';
import { systemRandom } from './time/random.ts';
import { DEFAULT_HUNG_AFTER_MS, Watchdog } from './watchdog.ts';
import { newStandby, newWorker } from './worker.ts';

/** @param prepare what the thread has loaded and prepared before it was given this life */
export async function startThread(boot = workerData as ThreadBoot, prepare = () => prepareActor(boot.source)): Promise<void> {
  assert(!isMainThread, 'A thread entry runs in a worker thread.');
  const isGuardian = threadOf(boot.self) === GUARDIAN_THREAD;
  const writer = new LogWriter(boot.logLevel);
  let standbys: Standbys | undefined;
  const caretaker = new Caretaker({
    makeRuntime: (hooks) =>
      new ThreadRuntime({ self: boot.self, incarnation: boot.incarnation, system: boot.system, board: boot.board, clock: systemClock, logLevel: boot.logLevel, delivery: boot.delivery, ...hooks }),
    name: boot.name,
    random: systemRandom,
    // What comes to the guardian through its port is for its host.
    port: isGuardian ? () => undefined : linksOf(boot.port, (item) => item.item === 'admin' && serveAdmin(item.port)),
    native: boot.native,
    setWaiting: (waiting) => (loop.waiting = waiting),
    exit(code) {
      // What stands by would be terminated with the guardian, in the middle of whatever it prepares.
      if (standbys === undefined) leave(code);
      else void standbys.close().then(() => leave(code));
    },
    ...(isGuardian ? { makeHost: (made: ThreadRuntime) => makeHost(made, boot, (standbys = makeStandbys(made, writer)), writer) } : {}),
  });
  const { runtime } = caretaker;
  const exit = boot.native || isGuardian ? leaveInOrder((code) => void caretaker.leave(code)) : (code: number) => process.exit(code);
  const leave = (code: number): void => {
    runtime.end();
    if (!isGuardian) {
      runtime.block.isNative = false;
      sayLastWord(boot.port, code);
    }
    exit(code);
  };
  // Modules and native models load through the event loop; the actor's own choice holds once it has started.
  const loop = new ThreadLoop(runtime, boot.maxSpins);
  await beginLife(caretaker, loop, { links: boot.links, args: boot.source.args, prepare, onExit: () => runtime.abandonMessages() });
}

function makeStandbys(runtime: ThreadRuntime, writer: LogWriter): Standbys {
  return new Standbys({
    newWorker,
    newStandby,
    after: (delayMs, run) => runtime.after(delayMs, run),
    log: (actor) => runtime.log(actor, (record) => writer.write(record)),
  });
}

/** When the guardian loads what it takes to write a log. */
const WRITER_MS = 200;

function makeHost(runtime: ThreadRuntime, boot: ThreadBoot, standbys: Standbys, writer: LogWriter): ThreadHost {
  const host = new ThreadHost(runtime, boot, {
    newWorker: (...life) => standbys.newWorker(...life),
    isReady: (spec) => standbys.isReady(spec),
    removed: (spec) => standbys.remove(spec),
    writer,
    serveAdmin,
  });
  const watchdog = new Watchdog({
    threads: () => host.watched(),
    clock: runtime.clock,
    after: (delayMs, run) => void runtime.after(delayMs, run),
    log: (actor) => host.log(actor),
    hungAfterMs: boot.hungAfterMs ?? DEFAULT_HUNG_AFTER_MS,
    onHung: ({ id }, message) => host.killHung(id, message),
  });
  watchdog.start();
  // However the guardian ends.
  process.on('exit', () => host.outlastNativeCalls());
  // Not at once, when everything else starts; but before the first crash is told, which a restart would wait for.
  runtime.after(WRITER_MS, () => writer.prepare());
  return host;
}

/** Loaded with the first port, because most threads never get one. */
function serveAdmin(port: MessagePort): void {
  void import('./admin/thread-admin.ts').then((admin) => admin.serveAdmin(port));
}
