/**
 * A stage between others: it makes its events of those that it consumes. It needs no buffer of its own
 * bound, since an event counts as handled, and another is asked for in its place, only when all that was
 * made of it has been sent on. So it holds what comes of `maxDemand` events of each producer and no more, and
 * a slow consumer is felt all the way up.
 */
import type { JtdSchema, JtdType } from 'atomics-ring-buffer';
import type { ActorContext, ActorDefinition, StopReason } from '../actor.ts';
import type { Protocol } from '../protocol.ts';
import { completeBatch, type BatchSpec } from './batcher.ts';
import type { ConsumerArgs } from './consumer.ts';
import { dispatcherOf, type DispatcherSpec } from './dispatchers.ts';
import { UNDROPPED, type Ticket } from './event-buffer.ts';
import { Intake, type BatchInfo } from './intake.ts';
import { NO_SOURCE_HANDLERS, endWith, inletHandlers, outletHandlers, outletOf } from './stage-handlers.ts';
import { defineStageProtocol, type AnyStageSpec, type StageSpec } from './stage-protocol.ts';

export interface ProducerConsumerBehaviour<Input, Output> {
  /** Makes of some events any number of others, also none. One call at a time. */
  handle(events: readonly Input[], info: BatchInfo): readonly Output[] | Promise<readonly Output[]>;
  stop?(reason: StopReason): void | Promise<void>;
}

export interface ProducerConsumerDefinition<Input extends JtdSchema, Output extends JtdSchema, Args> {
  /** Of the protocol, for people. Default: stage. */
  readonly name?: string;
  /** The schema of an event that it takes; the same as that of its producers. */
  readonly input: Input;
  /** The schema of an event that it makes. */
  readonly output: Output;
  /** Default: demand. */
  readonly dispatcher?: DispatcherSpec<JtdType<Output>>;
  /** Gathers batches of what it takes; default: events are handled as they come. */
  readonly batch?: BatchSpec<JtdType<Input>>;
  readonly waiting?: 'park' | 'event_loop';
  start(
    context: ActorContext,
    args: Args | undefined,
  ): ProducerConsumerBehaviour<JtdType<Input>, JtdType<Output>> | Promise<ProducerConsumerBehaviour<JtdType<Input>, JtdType<Output>>>;
}

/**
 * Its protocol is that of its input, by which producers talk to it; consumers talk to it by theirs, which
 * differs in the events alone, and those it only sends.
 * @throws SpillwayError `stage_invalid`
 */
export function defineProducerConsumer<const Input extends JtdSchema, const Output extends JtdSchema, Args = undefined>(
  definition: ProducerConsumerDefinition<Input, Output, Args>,
): ActorDefinition<StageSpec<Input>, ConsumerArgs<Args>> {
  const name = definition.name ?? 'stage';
  const input = defineStageProtocol(name, definition.input) as unknown as Protocol<AnyStageSpec>;
  const output = defineStageProtocol(name, definition.output) as unknown as Protocol<AnyStageSpec>;
  const { waiting, batch } = definition;
  // Checked where the stage is defined, and not when its first actor starts.
  dispatcherOf(definition.dispatcher ?? { type: 'demand' }, UNDROPPED);
  if (batch !== undefined) completeBatch(batch);
  const inner: ActorDefinition<AnyStageSpec, ConsumerArgs<Args>> = {
    protocol: input,
    ...(waiting === undefined ? {} : { waiting }),
    start: (context, args) => startProducerConsumer(context, args, definition as unknown as ProducerConsumerDefinition<JtdSchema, JtdSchema, Args>, input, output),
  };
  return inner as unknown as ActorDefinition<StageSpec<Input>, ConsumerArgs<Args>>;
}

async function startProducerConsumer<Args>(
  context: ActorContext,
  { subscribeTo = [], args }: ConsumerArgs<Args>,
  definition: ProducerConsumerDefinition<JtdSchema, JtdSchema, Args>,
  input: Protocol<AnyStageSpec>,
  output: Protocol<AnyStageSpec>,
) {
  const behaviour = await definition.start(context, args);
  const outlet = outletOf(context, output, dispatcherOf(definition.dispatcher ?? { type: 'demand' }, UNDROPPED), {
    // It asks for as much as it may hold, whether that is wanted yet or not: events then wait where they are needed.
    onDemand: () => {},
    onFinished: () => context.stopSelf(),
  });
  const intake = new Intake({
    context,
    protocol: input,
    self: context.ref(context.self, input),
    batch: definition.batch,
    handle: (events, info) => behaviour.handle(events, info),
    onHandled(outcome, credit) {
      if (!Array.isArray(outcome)) throw new TypeError(`handle of ${context.name} must return an array of events; got ${typeof outcome}.`);
      if (outcome.length === 0) {
        credit();
        return;
      }
      const ticket: Ticket = { left: outcome.length, done: credit };
      outlet.emit(outcome.map((event: unknown) => ({ event, ticket })));
    },
    onOver(reason) {
      if (reason === 'crashed') endWith(context, reason);
      else outlet.finish();
    },
  });
  for (const spec of subscribeTo) await intake.subscribe(spec);
  return {
    handlers: {
      ...outletHandlers(outlet),
      ...inletHandlers(intake),
      ...NO_SOURCE_HANDLERS,
      stats: () => ({ ...outlet.stats, ...intake.inlet.stats }),
    },
    async stop(reason: StopReason) {
      try {
        if (reason === 'shutdown') await intake.handleRest();
      } finally {
        intake.inlet.close();
        outlet.close(reason === 'crashed' ? 'crashed' : 'stopped');
        await behaviour.stop?.(reason);
      }
    },
  };
}
