/**
 * Stages for tests, and a laboratory: an actor that builds pipelines of light stages on its own thread,
 * runs one, and reports what came of it.
 */
import { SpillwayError, defineActor, defineProtocol, type ActorContext, type ActorDefinition, type ActorRef } from '../../../../kernel/index.ts';
import {
  defineConsumer,
  defineProducer,
  defineProducerConsumer,
  type CancelMode,
  type ConsumerArgs,
  type DispatcherSpec,
  type StageSpec,
} from '../../../../kernel/index.ts';

export const number = { properties: { key: { type: 'uint32' }, value: { type: 'uint32' } } } as const;
export interface Numbered {
  key: number;
  value: number;
}
type NumberStage = StageSpec<typeof number>;

/** Takes what consumers handle, on any thread. */
export const collectorProtocol = defineProtocol('collector', {
  collect: { request: { properties: { by: { type: 'string' }, events: { elements: number } } }, reply: { properties: {} } },
  all: {
    lane: 'control',
    request: { properties: {} },
    reply: { properties: { portions: { elements: { properties: { by: { type: 'string' }, events: { elements: number } } } } } },
  },
});

export const collector = defineActor<typeof collectorProtocol.spec, undefined>({
  protocol: collectorProtocol,
  start() {
    const portions: { by: string; events: Numbered[] }[] = [];
    return {
      handlers: {
        collect(portion) {
          portions.push(portion);
          return {};
        },
        all: () => ({ portions }),
      },
    };
  },
});

export interface SourceArgs {
  readonly events: number;
  readonly keys: number;
  readonly isEndless?: boolean;
  /** Throws a defect instead of making this one. */
  readonly crashAt?: number | undefined;
}

/** Counts from 0 up to `events`. */
function sourceOf(dispatcher: DispatcherSpec<Numbered>): ActorDefinition<NumberStage, SourceArgs> {
  return defineProducer<typeof number, SourceArgs>({
    events: number,
    dispatcher,
    buffer: { capacity: 50 },
    pollMs: 1,
    start(stage, { events, keys, isEndless = false, crashAt = Infinity }) {
      let next = 0;
      return {
        async produce(demand) {
          await Promise.resolve();
          const made: Numbered[] = [];
          if (next >= crashAt) throw new Error('told to crash');
          for (; made.length < demand && next < Math.min(events, crashAt); next++) made.push({ key: next % keys, value: next });
          if (next >= events && !isEndless) stage.finish();
          return made;
        },
      };
    },
  });
}

const byKey = { type: 'partition', partitions: 2, key: (event: Numbered) => event.key } as const;
export const source = sourceOf({ type: 'demand' });
export const broadcastSource = sourceOf({ type: 'broadcast' });
export const partitionSource = sourceOf(byKey);

/** Gives only what it is offered; keeps so few that it must drop. */
export const offered = defineProducer({ events: number, buffer: { capacity: 5, keep: 'oldest' }, start: () => ({ produce: () => [] }) });
export const offeredNewest = defineProducer({ events: number, buffer: { capacity: 5, keep: 'newest' }, start: () => ({ produce: () => [] }) });

/** Hands on every even value, and twice: so its output differs in number from its input. */
export const doubler = defineProducerConsumer({
  input: number,
  output: number,
  start: () => ({ handle: (events) => events.flatMap((event) => (event.value % 2 === 0 ? [event, event] : [])) }),
});

export interface SinkArgs {
  readonly collector: string;
  /** Throws a defect, or an operating error, when this value comes. */
  readonly crashAt?: number;
  readonly refuseAt?: number;
  readonly handleMs?: number;
}

export const sink = defineConsumer<typeof number, SinkArgs>({
  events: number,
  async start(context, args) {
    const to = await context.resolve(args!.collector, collectorProtocol);
    return {
      async handle(events) {
        if (events.some(({ value }) => value === args!.crashAt)) throw new Error('told to crash');
        if (args!.handleMs !== undefined) await new Promise((resolve) => setTimeout(resolve, args!.handleMs));
        await to.ask('collect', { by: context.name, events: [...events] }, { deadlineMs: 10_000 });
      },
    };
  },
});

// ---- light stages on one thread

export interface Experiment {
  readonly dispatcher: 'demand' | 'broadcast' | 'partition';
  readonly events: number;
  readonly keys: number;
  readonly consumers: readonly { readonly maxDemand: number; readonly minDemand: number; readonly isSlow: boolean }[];
  readonly via: boolean;
  readonly batch: { readonly batchSize: number; readonly batchTimeoutMs: number } | undefined;
  readonly crashAt: number | undefined;
  readonly refuseAt: number | undefined;
  readonly cancel: CancelMode;
  readonly isEndless: boolean;
  /** Where the source crashes. */
  readonly sourceCrashAt: number | undefined;
}

export interface Outcome {
  /** For each consumer the values it handled, in order, and how it ended. */
  readonly handled: readonly (readonly number[])[];
  readonly ends: readonly (string | undefined)[];
  readonly sourceEnd: string | undefined;
  readonly batches: readonly { readonly key: string; readonly trigger: string; readonly size: number }[];
  readonly sourceStats: Readonly<Record<string, number>> | undefined;
}

const laboratoryProtocol = defineProtocol('laboratory', { run: { request: {}, reply: {} } });
type Stage = ActorRef<NumberStage>;

class Run {
  readonly handled: number[][] = [];
  readonly batches: { key: string; trigger: string; size: number }[] = [];
  readonly ends = new Map<number, string>();
  readonly #context: ActorContext;
  readonly #experiment: Experiment;
  #sourceStats: Outcome['sourceStats'];

  constructor(context: ActorContext, experiment: Experiment) {
    this.#context = context;
    this.#experiment = experiment;
  }

  async run(): Promise<Outcome> {
    const { dispatcher, consumers, via, cancel, isEndless, events, keys, sourceCrashAt } = this.#experiment;
    const definition = { demand: source, broadcast: broadcastSource, partition: partitionSource }[dispatcher];
    const first = this.#spawn(definition, { events, keys, isEndless, crashAt: sourceCrashAt });
    const stages: Stage[] = [first];
    let last = first;
    // It takes all partitions, where there are some.
    const subscriptions = Array.from({ length: dispatcher === 'partition' ? 2 : 1 }, () => ({ to: first.address, maxDemand: 8 }));
    if (via) stages.push((last = this.#spawn(doubler, { subscribeTo: subscriptions })));
    for (const [index, { maxDemand, minDemand, isSlow }] of consumers.entries()) {
      const args = { subscribeTo: [{ to: last.address, maxDemand, minDemand, cancel }] };
      stages.push(this.#spawn(this.#sink(index, isSlow, maxDemand), args));
    }
    const sinks = stages.slice(via ? 2 : 1);
    while (!(await this.#isOver(first, stages, sinks))) await this.#pause(1);
    const ends = sinks.map(({ address }) => this.ends.get(address));
    const sourceEnd = this.ends.get(first.address);
    for (const stage of stages) await this.#context.stop(stage);
    return {
      handled: this.handled,
      ends,
      sourceEnd,
      batches: this.batches,
      sourceStats: this.#sourceStats,
    };
  }

  /** Over is when all have ended; with stages that go on, when all events are settled. */
  async #isOver(first: Stage, stages: readonly Stage[], sinks: readonly Stage[]): Promise<boolean> {
    const { isEndless, cancel, events, sourceCrashAt } = this.#experiment;
    if (sourceCrashAt !== undefined) {
      const subscriptions = await Promise.all(sinks.map((stage) => this.#subscriptionsOf(stage)));
      return this.ends.has(first.address) && subscriptions.every((count) => count === 0);
    }
    if (!isEndless) {
      const awaited = cancel === 'permanent' ? stages : stages.filter((stage) => !sinks.includes(stage));
      return awaited.every(({ address }) => this.ends.has(address));
    }
    const stats = await first.ask('stats', {}, { deadlineMs: 5_000 });
    this.#sourceStats = stats;
    const handled = this.handled.reduce((sum, { length }) => sum + length, 0);
    return this.handled.length === sinks.length && handled + stats.lost + stats.queued === events;
  }

  /** Of a stage that has just ended, which its watcher has yet to hear, it is not known. */
  async #subscriptionsOf(stage: Stage): Promise<number> {
    if (this.ends.has(stage.address)) return 0;
    try {
      return (await stage.ask('stats', {}, { deadlineMs: 5_000 })).subscriptions;
    } catch (error) {
      if (error instanceof SpillwayError && error.code === 'actor_stopped') return NaN;
      throw error;
    }
  }

  #spawn<Args>(definition: ActorDefinition<NumberStage, Args>, args: Args): Stage {
    const stage = this.#context.spawn(definition, args);
    this.#context.watch(stage.address, ({ address, reason }) => this.ends.set(address, reason));
    return stage;
  }

  #sink(index: number, isSlow: boolean, maxDemand: number): ActorDefinition<NumberStage, ConsumerArgs<undefined>> {
    const { batch, crashAt, refuseAt } = this.#experiment;
    const handled: number[] = (this.handled[index] = []);
    return defineConsumer({
      events: number,
      ...(batch === undefined ? {} : { batch: { ...batch, batchSize: Math.min(batch.batchSize, maxDemand), batchKey: ({ key }: Numbered) => key } }),
      start: () => ({
        handle: async (events, { key, trigger }) => {
          if (events.some(({ value }) => value === crashAt)) throw new Error('told to crash');
          if (events.some(({ value }) => value === refuseAt)) throw new SpillwayError('told_to_refuse', 'told to refuse');
          if (isSlow) await this.#pause(1);
          handled.push(...events.map(({ value }) => value));
          if (batch !== undefined) this.batches.push({ key: String(key), trigger, size: events.length });
        },
      }),
    });
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#context.after(ms, resolve));
  }
}

export const laboratory = defineActor<typeof laboratoryProtocol.spec, undefined>({
  protocol: laboratoryProtocol,
  start: (context) => ({ handlers: { run: (experiment) => new Run(context, experiment as Experiment).run() } }),
});

export { laboratoryProtocol };
