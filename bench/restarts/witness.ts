/**
 * What sits on the guardian's thread in place of the root supervisor: it makes the victim fail, begins its next
 * life as soon as it hears of the end, as a supervisor does without back-off, and notes when what happened.
 */
import assert from 'node:assert';
import { SpillwayError, defineActor, defineProtocol, type ActorContext, type ActorRef, type HostedThread, type ThreadHost } from '../../kernel/index.ts';
import { nurseryProtocol } from './nursery.ts';
import { WAITING, type Report, type Restart } from './task.ts';
import { victimProtocol, witnessProtocol } from './victim.ts';

/** The fields of the kernel's ThreadSpec that differ from way to way. */
export interface WitnessTask {
  readonly module: string;
  readonly export: string;
  readonly rounds: number;
  /** Before each round, once a thread stands by if there is to be one: the machine comes to rest. */
  readonly pauseMs: number;
  readonly thread: Readonly<Record<string, unknown>>;
}

const LOOK_MS = 5;
/** How long one restart may take at the most. */
const RESTART_MS = 30_000;

export const benchProtocol = defineProtocol('bench', {
  ...witnessProtocol.spec,
  measure: { request: {}, reply: {} },
});

export const witness = defineActor({
  protocol: benchProtocol,
  start(context) {
    assert(context.host !== undefined, 'It runs on the guardian thread.');
    const bench = new Bench(context, context.host);
    return {
      handlers: {
        faulted: ({ atMs }) => bench.noted({ faultMs: atMs }),
        released: ({ atMs }) => bench.noted({ releasedMs: atMs }),
        detected: ({ atMs }) => bench.noted({ detectedMs: atMs }),
        ready({ atMs, pid, ...steps }) {
          bench.isOutside = pid !== process.pid;
          bench.ready({ readyMs: atMs, ...steps });
        },
        measure: (task) => bench.measure(task as WitnessTask),
      },
    };
  },
});

type Notes = Partial<Record<'faultMs' | 'releasedMs' | 'detectedMs' | 'readyMs' | 'bootedMs' | 'loadedMs' | 'startedMs', number>>;

class Bench {
  readonly #context: ActorContext;
  readonly #host: ThreadHost;
  /** The victim lives in another process. */
  isOutside = false;
  #notes: Notes = {};
  #onReady: () => void = () => {};
  /** Promises for what waits behind the fault. */
  #open = 0;
  #lost = 0;

  constructor(context: ActorContext, host: ThreadHost) {
    this.#context = context;
    this.#host = host;
  }

  noted(notes: Notes): void {
    Object.assign(this.#notes, notes);
  }

  ready(notes: Notes): void {
    this.noted(notes);
    this.#onReady();
  }

  async measure({ rounds, pauseMs, module, export: name, thread }: WitnessTask): Promise<Report> {
    const hosted = this.#host.add({ name: 'victim', source: { module, export: name, args: { witness: this.#context.self } }, ...thread });
    await this.#begin(hosted);
    const victim = this.#context.ref(await this.#victimOf(hosted, name), victimProtocol);
    const restarts: Restart[] = [];
    this.#open = 0;
    this.#lost = 0;
    for (let round = 0; round < rounds; round++) {
      while (thread['standby'] !== undefined && !this.#host.isReady(hosted)) await this.#pause(LOOK_MS);
      await this.#pause(pauseMs);
      restarts.push(await this.#restart(victim));
    }
    if (thread['process'] !== undefined && !this.isOutside) throw new SpillwayError('process_missing', 'The kernel has made a thread where a process was asked for.');
    await this.#host.stop(hosted, RESTART_MS);
    this.#host.remove(hosted);
    return { restarts, waiting: WAITING * rounds, lost: this.#lost, hanging: this.#open };
  }

  async #begin(hosted: HostedThread): Promise<void> {
    await this.#host.start(hosted, (exit) => {
      if (exit.reason !== 'crashed') return;
      this.noted({ detectedMs: this.#context.clock.monotonicMs() });
      // A moment later, as those who talk to it are told of the end first.
      queueMicrotask(() => void this.#begin(hosted));
    });
  }

  async #victimOf(hosted: HostedThread, name: string): Promise<number> {
    if (name === 'victim') return hosted.address;
    const { address } = await this.#context.ref(hosted.address, nurseryProtocol).ask('spawn', {}, { deadlineMs: RESTART_MS });
    return address;
  }

  async #restart(victim: ActorRef<typeof victimProtocol.spec>): Promise<Restart> {
    this.#notes = {};
    const ready = new Promise<void>((resolve) => (this.#onReady = resolve));
    victim.tell('fail', {});
    victim.tell('next', {});
    const answers = Array.from({ length: WAITING }, () => this.#ask(victim));
    const isInTime = await Promise.race([ready.then(() => true), this.#pause(RESTART_MS).then(() => false)]);
    await Promise.all(answers);
    const { faultMs, releasedMs, detectedMs, readyMs, bootedMs, loadedMs, startedMs } = this.#notes as Required<Notes>;
    assert(isInTime && faultMs !== undefined && detectedMs !== undefined, 'The victim is up again in time.');
    return { faultMs, detectedMs, readyMs, steps: { releasedMs, bootedMs, loadedMs, startedMs } };
  }

  async #ask(victim: ActorRef<typeof victimProtocol.spec>): Promise<void> {
    this.#open++;
    try {
      await victim.ask('task', {}, { deadlineMs: RESTART_MS });
    } catch {
      this.#lost++;
    } finally {
      this.#open--;
    }
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.#context.after(delayMs, resolve));
  }
}
