/** Actors with something to prepare, and one that writes for as long as it can. */
import { threadId } from 'node:worker_threads';
import { defineActor, defineProtocol } from '../../../kernel/index.ts';
import { linesOf, note } from './journal.ts';

export const modelProtocol = defineProtocol('model', {
  where: { request: {}, reply: { properties: { preparedOn: { type: 'uint32' }, livesOn: { type: 'uint32' }, incarnation: { type: 'uint32' } } } },
  fail: { request: {} },
});

export interface ModelArgs {
  readonly journal: string;
  /** How many threads prepare without fault before one does not, once. */
  readonly faultAfter?: number;
  readonly fault?: 'throws' | 'exits' | 'rejects later';
  /** Its `start` fails. */
  readonly failsToStart?: boolean;
  readonly prepareMs?: number;
  /** A listener of its thread's exit throws. */
  readonly throwsAtExit?: boolean;
}

interface Model {
  readonly preparedOn: number;
  readonly journal: string;
}

export const model = defineActor({
  protocol: modelProtocol,
  async prepare({ journal, faultAfter, fault, prepareMs = 0 }: ModelArgs): Promise<Model> {
    const isFaulty = linesOf(journal).length === faultAfter;
    note(journal, `prepares ${threadId}`);
    if (isFaulty && fault === 'throws') throw new Error('no model today');
    if (isFaulty && fault === 'exits') process.exit(3);
    if (isFaulty && fault === 'rejects later') setImmediate(() => void Promise.reject(new Error('a defect of the model')));
    await new Promise((resolve) => setTimeout(resolve, prepareMs));
    return { preparedOn: threadId, journal };
  },
  discard({ journal, preparedOn }) {
    note(journal, `discarded ${preparedOn}`);
  },
  start(context, { failsToStart = false, throwsAtExit = false }: ModelArgs, { preparedOn, journal }) {
    if (failsToStart) throw new Error('cannot start');
    if (throwsAtExit) {
      process.on('exit', () => {
        throw new Error('from a listener');
      });
    }
    return {
      handlers: {
        where: () => ({ preparedOn, livesOn: threadId, incarnation: context.incarnation }),
        fail() {
          throw new Error('told to fail');
        },
      },
      stop: (reason) => note(journal, `stopped ${threadId} ${reason}`),
    };
  },
});

export const parentProtocol = defineProtocol('parent', {
  spawn: { request: {}, reply: { properties: { preparedOn: { type: 'uint32' }, livesOn: { type: 'uint32' }, incarnation: { type: 'uint32' } } } },
});

/** Has the model as a light actor. */
export const parent = defineActor({
  protocol: parentProtocol,
  start: (context, args: ModelArgs) => ({
    handlers: {
      spawn: () => context.spawn(model, args).ask('where', {}, { deadlineMs: 10_000 }),
    },
  }),
});

export const collectorProtocol = defineProtocol('collector', {
  write: { request: { properties: { life: { type: 'uint32' }, number: { type: 'uint32' }, isLast: { type: 'boolean' } } } },
  read: { request: {}, reply: { properties: { disorder: { elements: { type: 'string' } }, ended: { elements: { type: 'uint32' } }, life: { type: 'uint32' } } } },
});

/** Looks whether the writes of each life come without gap, and none after the next life's first. */
export const collector = defineActor({
  protocol: collectorProtocol,
  start() {
    let life = 0;
    let last = 0;
    const disorder: string[] = [];
    const ended: number[] = [];
    return {
      handlers: {
        write(written) {
          const isNext = written.life === life ? written.number === last + 1 : written.life > life && written.number === 1;
          if (!isNext) disorder.push(`${written.life}.${written.number} after ${life}.${last}`);
          life = written.life;
          last = written.number;
          if (written.isLast) ended.push(life);
        },
        read: () => ({ disorder, ended, life }),
      },
    };
  },
});

export const writerProtocol = defineProtocol('writer', { fail: { request: {} } });

export interface WriterArgs {
  readonly collector: number;
  readonly journal: string;
}

/** More than one turn's worth, with some time between them. */
const LAST_WRITES = 200;
const LAST_WRITES_MS = 20;

/** Writes in its start, until it fails, and in a listener of its thread's exit, which is the last code of its own. */
export const writer = defineActor({
  protocol: writerProtocol,
  prepare: ({ journal }: WriterArgs) => note(journal, `prepared ${threadId}`),
  start(context, args: WriterArgs) {
    const to = context.ref(args.collector, collectorProtocol);
    let number = 0;
    const write = (isLast = false): void => {
      number++;
      if (to.tell('write', { life: context.incarnation, number, isLast }) < 0) number--;
    };
    // The first finds no link yet, and is not counted.
    const flood = setInterval(write, 1);
    return {
      handlers: {
        fail() {
          clearInterval(flood);
          process.on('exit', () => {
            for (let count = 0; count < LAST_WRITES; count++) {
              const untilMs = performance.now() + LAST_WRITES_MS / LAST_WRITES;
              while (performance.now() < untilMs);
              write(count === LAST_WRITES - 1);
            }
          });
          throw new Error('told to fail');
        },
      },
    };
  },
});
