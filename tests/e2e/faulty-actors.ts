/**
 * Actors that fail on purpose, each the real one with a fault put around it. Which call fails follows
 * from a seed or a count, so a run can be repeated; an actor's incarnation tells its lives apart.
 */
import { defineActor, type ActorContext } from '../../kernel/index.ts';
import { inference as realInference, type InferenceArgs } from '../../actors/inference/actor.ts';
import { ingestion as realIngestion } from '../../actors/ingestion/actor.ts';
import type { IngestionSpec } from '../../actors/ingestion/messages.ts';
import { storage as realStorage, type StorageArgs } from '../../actors/storage/actor.ts';
import type { InferenceSpec } from '../../actors/inference/messages.ts';
import type { StorageSpec } from '../../actors/storage/messages.ts';
import { randomFrom } from './sample-folder.ts';

export interface FaultyInferenceArgs extends InferenceArgs {
  readonly seed: number;
  /**
   * How likely a batch fails, half of the time before it is embedded and else after. One of the first
   * three batches of the first life always does.
   */
  readonly faultRate: number;
}

export const throwingInference = defineActor<InferenceSpec, FaultyInferenceArgs>({
  ...realInference,
  async start(context, args) {
    const random = randomFrom(args.seed + context.incarnation);
    const failing = context.incarnation === 1 ? Math.floor(random() * 3) : -1;
    let batches = 0;
    const behaviour = await realInference.start(context, args);
    return {
      ...behaviour,
      handlers: {
        ...behaviour.handlers,
        async embed(request, message) {
          const fate = batches++ === failing ? random() * args.faultRate : random();
          if (fate < args.faultRate / 2) throw new Error('a fault before the batch');
          const reply = await behaviour.handlers.embed(request, message);
          if (fate < args.faultRate) throw new Error('a fault after the batch');
          return reply;
        },
      },
    };
  },
});

/** Its thread leaves the process's control: no crash message, no `stop`. */
export const exitingInference = defineActor<InferenceSpec, InferenceArgs>({
  ...realInference,
  async start(context, args) {
    const behaviour = await realInference.start(context, args);
    let batches = 0;
    return {
      ...behaviour,
      handlers: {
        ...behaviour.handlers,
        embed(request, message) {
          if (context.incarnation <= 2 && ++batches === 3) process.exit(7);
          return behaviour.handlers.embed(request, message);
        },
      },
    };
  },
});

export interface FaultyStorageArgs extends StorageArgs {
  /** Which `put` of the first life fails. */
  readonly put: number;
  /** Whether it fails before its transaction or after. */
  readonly moment: 'before' | 'after';
}

export const failingStorage = defineActor<StorageSpec, FaultyStorageArgs>({
  ...realStorage,
  async start(context, args) {
    const behaviour = await realStorage.start(context, args);
    let puts = 0;
    return {
      ...behaviour,
      handlers: {
        ...behaviour.handlers,
        put(request, message) {
          const fails = context.incarnation === 1 && ++puts === args.put;
          if (fails && args.moment === 'before') throw new Error('a fault before the transaction');
          const reply = behaviour.handlers.put(request, message);
          if (fails) throw new Error('a fault after the transaction');
          return reply;
        },
      },
    };
  },
});

export interface FaultyIngestionArgs {
  /** At which file its first life ends. */
  readonly file: number;
}

/** Fails where it counts a file, so in the middle of its run. */
export const failingIngestion = defineActor<IngestionSpec, FaultyIngestionArgs>({
  ...realIngestion,
  start(context, { file }) {
    return realIngestion.start(context.incarnation === 1 ? withCounters(context, failingCounters(context, file)) : context, undefined);
  },
});

function failingCounters({ counters }: ActorContext, file: number): ActorContext['counters'] {
  const failing = Object.create(counters) as ActorContext['counters'];
  failing.read = (name) => counters.read(name);
  failing.add = (name, delta) => {
    counters.add(name, delta);
    if (name === 'files' && counters.read('files') === file) throw new Error('a fault in mid-run');
  };
  return failing;
}

/** The same context but for its counters; its methods stay its own. */
function withCounters(context: ActorContext, counters: ActorContext['counters']): ActorContext {
  return new Proxy(context, {
    get(target, property) {
      if (property === 'counters') return counters;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
