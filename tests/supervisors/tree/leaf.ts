/**
 * A child without anything in it, which keeps the contract of a place: it starts, fails to start, hangs, has
 * nothing to do, ends by itself, stops slowly or only when it is killed, as it is told. It tells where the
 * engine breaks its side of the contract.
 */
import type { ChildExit, ChildPlace } from '../../../supervisors/child-place.ts';
import { SpillwayError, type Started } from '../../../kernel/index.ts';
import type { ManualTime } from './manual-time.ts';

export type Reason = ChildExit['reason'];

/** How one start goes that does not go well. */
export interface Outcome {
  readonly how: 'fail' | 'ignore' | 'hang' | 'slow' | 'exit';
  readonly afterMs: number;
}

/** What is in the args of a leaf's spec: how long a start and a stop of it take. */
export interface LeafArgs {
  readonly startMs: number;
  readonly stopMs: number;
}

/** What leaves are told to do, by name: for the starts and stops to come. */
export interface Scripts {
  readonly starts: Map<string, Outcome[]>;
  /** So many stops find that the life cannot be ended, as one that is in a native call. */
  readonly holds: Map<string, number>;
}

export interface LeafOptions {
  readonly name: string;
  readonly args: LeafArgs;
  readonly time: ManualTime;
  readonly scripts: Scripts;
  /** The engine has done what it must not do. */
  violated(what: string): void;
}

const CRASH: Omit<ChildExit, 'reason'> = { whileStarting: false, code: '', message: 'told to end', stack: '' };

export class Leaf implements ChildPlace {
  readonly address = undefined;
  readonly #options: LeafOptions;
  #state: 'none' | 'starting' | 'running' = 'none';
  #life = 0;
  #isRemoved = false;
  #onExit: (exit: ChildExit) => void = () => {};
  #rejectStart: (error: Error) => void = () => {};
  /** Whoever waits for the end of the life. */
  #stopping: ((ended: boolean) => void)[] = [];

  constructor(options: LeafOptions) {
    this.#options = options;
  }

  get isAlive(): boolean {
    return this.#state !== 'none';
  }

  start(onExit: (exit: ChildExit) => void): Promise<Started> {
    const { name, args, time, scripts } = this.#options;
    if (this.#state !== 'none') this.#options.violated(`${name} was started while its former life had not ended`);
    if (this.#isRemoved) this.#options.violated(`${name} was started after its place had been given up`);
    this.#state = 'starting';
    this.#onExit = onExit;
    const life = ++this.#life;
    const outcome = scripts.starts.get(name)?.shift();
    const how = outcome?.how ?? 'slow';
    const afterMs = outcome?.afterMs ?? args.startMs;
    return new Promise((resolve, reject) => {
      this.#rejectStart = reject;
      const come = (): void => {
        if (this.#life !== life || this.#state !== 'starting') return;
        const waiting = this.#stopping;
        if (how === 'fail' || how === 'ignore') this.#end();
        else this.#state = 'running';
        if (how === 'fail') reject(new SpillwayError('actor_start_failed', `${name} was told to fail`));
        else resolve({ isIgnored: how === 'ignore', info: undefined });
        if (!this.isAlive) for (const tell of waiting) tell(true);
        // At once, before whoever started it has heard that it is up.
        if (how === 'exit') this.exit('crashed');
      };
      if (how === 'hang') return;
      if (afterMs === 0) come();
      else time.after(afterMs, come);
    });
  }

  /** Ends by itself. */
  exit(reason: Reason): void {
    if (this.#state !== 'running') return;
    const onExit = this.#onExit;
    const waiting = this.#stopping;
    this.#end();
    onExit({ ...CRASH, reason });
    for (const tell of waiting) tell(true);
  }

  stop(deadlineMs: number): Promise<boolean> {
    const { name, args, time } = this.#options;
    if (!(deadlineMs > 0)) this.#options.violated(`${name} was stopped with a deadline of ${deadlineMs} ms`);
    if (this.#state === 'none') return Promise.resolve(true);
    const held = this.#takesHold();
    const neededMs = this.#state === 'starting' ? 0 : args.stopMs;
    const life = this.#life;
    return new Promise((resolve) => {
      this.#stopping.push(resolve);
      const come = (): void => {
        if (this.#life !== life || this.#state === 'none') return;
        if (held) {
          this.#stopping = this.#stopping.filter((tell) => tell !== resolve);
          resolve(false);
        } else this.#endTold();
      };
      const withinMs = held ? deadlineMs : Math.min(neededMs, deadlineMs);
      if (withinMs === 0) come();
      else time.after(withinMs, come);
    });
  }

  kill(): Promise<boolean> {
    if (this.#state === 'none') return Promise.resolve(true);
    if (this.#takesHold()) return Promise.resolve(false);
    this.#endTold();
    return Promise.resolve(true);
  }

  remove(): void {
    const { name } = this.#options;
    if (this.#isRemoved) this.#options.violated(`the place of ${name} was given up twice`);
    if (this.#state !== 'none') this.#options.violated(`the place of ${name} was given up while it lived`);
    this.#isRemoved = true;
  }

  #takesHold(): boolean {
    const { name, scripts } = this.#options;
    const left = scripts.holds.get(name) ?? 0;
    if (left > 0) scripts.holds.set(name, left - 1);
    return left > 0;
  }

  #endTold(): void {
    const waiting = this.#stopping;
    const wasStarting = this.#state === 'starting';
    this.#end();
    if (wasStarting) this.#rejectStart(new SpillwayError('actor_start_failed', `${this.#options.name} was told to stop while it started`));
    for (const tell of waiting) tell(true);
  }

  #end(): void {
    this.#state = 'none';
    this.#stopping = [];
  }
}
