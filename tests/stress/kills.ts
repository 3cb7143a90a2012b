/**
 * Threads terminated one after the other, most of them in the middle of a claim or a poll, each followed
 * by a successor that was started ahead. What is measured is the time from the `exit` event to the first
 * record that comes through again.
 */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { MpscObserver, SpscObserver, createMpscRing, createSpscRing } from 'atomics-ring-buffer';
import { bellOf, boardBytes, makeLife, nowUs, openBoard, openLife, type KillsTask, type Life } from './kills-board.ts';
import { mixed } from './proven-record.ts';
import type { Report, Watch } from './run.ts';

const CAPACITY_BYTES = 4096;
/** Whatever takes longer is wedged. */
const DEADLINE_MS = 30_000;
const RECOVERY_P99_MS = 10;
const MID_OPERATION_SHARE = 0.2;
/** Numbers of the threads that are there from the beginning to the end. */
const STEADY = 2;

type Kind = KillsTask['kind'];
type Side = KillsTask['side'];

interface Thread {
  readonly number: number;
  readonly life: Life;
  readonly worker: Worker;
  readonly ready: Promise<unknown>;
  readonly sticks: boolean;
}

/** What the stages add up to. */
interface Tally {
  kills: number;
  producers: number;
  midOperation: number;
  lost: number;
  readonly recoveriesMs: number[];
  readonly failures: string[];
  readonly figures: { delivered: number; redelivered: number; torn: number; misordered: number; abandoned: number };
}

class Stage {
  readonly #kind: Kind;
  readonly #side: Side;
  readonly #tally: Tally;
  readonly #ring: SharedArrayBuffer;
  readonly #board: SharedArrayBuffer;
  readonly #observer: SpscObserver | MpscObserver;
  readonly #workers = new Set<Worker>();
  /** What each dead producer had committed at least: it may have died between a commit and counting it. */
  readonly #committed: (readonly [number: number, records: number])[] = [];

  constructor(kind: Kind, side: Side, kills: number, tally: Tally) {
    const options = { capacityBytes: CAPACITY_BYTES, initialPosition: 2 ** 32 - CAPACITY_BYTES };
    this.#kind = kind;
    this.#side = side;
    this.#tally = tally;
    this.#ring = kind === 'spsc' ? createSpscRing(options) : createMpscRing(options);
    this.#observer = kind === 'spsc' ? new SpscObserver(this.#ring) : new MpscObserver(this.#ring);
    this.#board = new SharedArrayBuffer(boardBytes(STEADY + kills + 1));
  }

  async run(kills: number): Promise<void> {
    try {
      await this.#kill(kills);
    } finally {
      await Promise.all([...this.#workers].map((worker) => worker.terminate()));
    }
  }

  async #kill(kills: number): Promise<void> {
    const { found } = openBoard(this.#board);
    const steady = this.#steady();
    for (const thread of steady) await this.#begin(thread, 0);
    let victim = this.#start(this.#side, STEADY + 1, 0);
    let [predecessor, exitedUs] = [0, nowUs()];
    for (let kill = 0; kill <= kills; kill++) {
      await this.#begin(victim, this.#kind === 'mpsc' && this.#side === 'producer' ? 0 : predecessor);
      const tookMs = await this.#recovered(victim, exitedUs);
      if (kill > 0) this.#tally.recoveriesMs.push(tookMs);
      // The last successor stays alive and drains what is left.
      if (kill === kills) break;
      const successor = this.#start(this.#side, victim.number + 1, kill + 1 < kills ? kill + 1 : undefined);
      await successor.ready;
      await this.#untilTheMoment(victim, kill);
      await victim.worker.terminate();
      exitedUs = nowUs();
      predecessor = this.#settle(victim);
      victim = successor;
    }
    await this.#finish([...steady, victim]);
    for (const name of ['delivered', 'redelivered', 'torn', 'misordered'] as const) this.#tally.figures[name] += found.read(name);
  }

  #steady(): Thread[] {
    if (this.#side === 'consumer') return [this.#start('producer', 1)];
    // A second producer claims behind the ones that die.
    return this.#kind === 'mpsc' ? [this.#start('consumer', 1), this.#start('producer', 2)] : [this.#start('consumer', 1)];
  }

  /** Threads that get a `kill` number are victims; every other one sticks in the middle of an operation. */
  #start(side: Side, number: number, kill?: number): Thread {
    const life = makeLife();
    const stickAfter = kill !== undefined && kill % 2 === 0 ? 1 + (mixed(kill) & 63) : undefined;
    const workerData: KillsTask = { kind: this.#kind, side, ring: this.#ring, board: this.#board, life, number, stickAfter };
    const worker = new Worker(new URL('./kills-worker.ts', import.meta.url), { workerData });
    this.#workers.add(worker);
    worker.on('exit', () => this.#workers.delete(worker));
    worker.on('error', (error) => this.#tally.failures.push(`${this.#kind} ${side}: ${error.message}`));
    return { number, life: openLife(life), worker, ready: once(worker, 'message'), sticks: stickAfter !== undefined };
  }

  async #begin({ life, ready }: Thread, predecessor: number): Promise<void> {
    await ready;
    life.store('incarnation', predecessor);
    life.store('order', 1);
    bellOf(life).ring();
  }

  /** Milliseconds from the predecessor's end to the first record that came through afterwards. */
  async #recovered({ number }: Thread, exitedUs: number): Promise<number> {
    const { recovery } = openBoard(this.#board);
    await this.#within(`recovery by thread ${number}`, () => recovery.load('life') >= number);
    return ((recovery.load('atUs') - exitedUs) & 0x7fff_ffff) / 1_000;
  }

  async #untilTheMoment(victim: Thread, kill: number): Promise<void> {
    if (victim.sticks) await this.#within(`thread ${victim.number} sticks`, () => victim.life.load('stuck') === 1);
    else if (kill % 4 !== 1) await delay(mixed(kill) & 3);
  }

  /** Books a death. @returns the incarnation that died */
  #settle({ life, number }: Thread): number {
    const incarnation = life.load('incarnation');
    if (this.#observer instanceof MpscObserver && this.#side === 'producer') this.#observer.declareDead(incarnation);
    this.#tally.kills++;
    this.#tally.midOperation += life.load('doing');
    if (this.#side === 'producer') {
      this.#tally.producers++;
      this.#committed.push([number, life.load('progress')]);
    }
    return incarnation;
  }

  async #finish(threads: readonly Thread[]): Promise<void> {
    const observer = this.#observer;
    const ended = async (thread: Thread): Promise<void> => {
      const exit = once(thread.worker, 'exit');
      thread.life.store('order', 2);
      observer.doorbell.ringAnew();
      await exit;
    };
    const isConsumer = (thread: Thread): boolean => thread.number > STEADY ? this.#side === 'consumer' : this.#side === 'producer' && thread.number === 1;
    for (const thread of threads) if (!isConsumer(thread)) await ended(thread);
    for (const thread of threads) if (isConsumer(thread)) await ended(thread);
    const { handled } = openBoard(this.#board);
    for (const [number, records] of this.#committed) this.#tally.lost += Math.max(0, records - handled[number]!);
    const { offered, consumed, abandoned } = observer.counters;
    this.#tally.figures.abandoned += abandoned;
    if (offered !== consumed || observer.depth !== 0 || observer.levelBytes !== 0) {
      this.#tally.failures.push(`${this.#kind}, ${this.#side}s killed: ${offered} offered, ${consumed} consumed, ${observer.levelBytes} bytes left`);
    }
  }

  async #within(what: string, isTrue: () => boolean): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    while (!isTrue()) {
      // A thread that failed explains what does not happen.
      if (this.#tally.failures.length > 0) throw new Error(`${what}: given up`);
      if (performance.now() > deadline) {
        throw new Error(`wedged: ${this.#kind}, ${this.#side}s killed: ${what} not within ${DEADLINE_MS} ms; ${JSON.stringify(this.#observer.counters)}`);
      }
      await delay(0);
    }
  }
}

export async function kills(count: number, watch: Watch): Promise<Report> {
  const tally: Tally = {
    kills: 0,
    producers: 0,
    midOperation: 0,
    lost: 0,
    recoveriesMs: [],
    failures: [],
    figures: { delivered: 0, redelivered: 0, torn: 0, misordered: 0, abandoned: 0 },
  };
  let wedged = 0;
  const all = async (): Promise<void> => {
    for (const kind of ['spsc', 'mpsc'] as const) {
      for (const side of ['producer', 'consumer'] as const) {
        const share = Math.ceil(count / 4);
        try {
          await new Stage(kind, side, share, tally).run(share);
        } catch (error) {
          wedged++;
          tally.failures.push((error as Error).message);
        }
      }
    }
  };
  await watch(() => tally.kills / count, all());
  const sorted = tally.recoveriesMs.toSorted((a, b) => a - b);
  const quantile = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
  const { figures } = tally;
  return {
    figures: {
      'threads terminated': tally.kills,
      'of them producers': tally.producers,
      'in the middle of an operation': tally.midOperation,
      'wedged rings': wedged,
      'committed records lost': tally.lost,
      ...figures,
      'recovery p50, ms': quantile(0.5),
      'recovery p99, ms': quantile(0.99),
      'recovery max, ms': quantile(1),
    },
    failures: [
      ...tally.failures,
      tally.lost === 0 ? '' : `${tally.lost} committed records were lost`,
      figures.torn === 0 ? '' : `${figures.torn} records were torn`,
      figures.misordered === 0 ? '' : `${figures.misordered} records were out of order, or came again without saying so`,
      tally.midOperation >= count * MID_OPERATION_SHARE ? '' : `only ${tally.midOperation} kills came in the middle of an operation`,
      quantile(0.99) <= RECOVERY_P99_MS ? '' : `recovery took ${quantile(0.99)} ms at p99; at most ${RECOVERY_P99_MS} are allowed`,
    ],
  };
}
