/** A stage that takes events and makes none: the end of a pipeline. It asks for as many as it can handle. */
import type { JtdSchema, JtdType } from 'atomics-ring-buffer';
import type { ActorContext, ActorDefinition, StopReason } from '../actor.ts';
import type { Protocol } from '../protocol.ts';
import { completeBatch, type BatchSpec } from './batcher.ts';
import { Intake, type BatchInfo } from './intake.ts';
import { NO_OUTLET_HANDLERS, NO_SOURCE_HANDLERS, endWith, inletHandlers } from './stage-handlers.ts';
import { NO_OUTLET, defineStageProtocol, type AnyStageSpec, type StageSpec } from './stage-protocol.ts';
import type { SubscriptionSpec } from './subscription-options.ts';

/** How a stage that consumes is started. */
export interface ConsumerArgs<Args> {
  /** To whom it subscribes before it has started. One that is not there fails its start. */
  readonly subscribeTo?: readonly SubscriptionSpec[];
  /** For the author's own `start`. */
  readonly args?: Args;
}

export interface ConsumerBehaviour<Event> {
  /**
   * Handles events of one portion, or of one batch if the stage gathers batches. They have been handled when
   * it returns, or its promise resolves; only then are others asked for in their place. One call at a time.
   */
  handle(events: readonly Event[], info: BatchInfo): void | Promise<void>;
  stop?(reason: StopReason): void | Promise<void>;
}

export interface ConsumerDefinition<Events extends JtdSchema, Args> {
  /** Of the protocol, for people. Default: stage. */
  readonly name?: string;
  /** The schema of one event; the same as that of its producers. */
  readonly events: Events;
  /** Gathers batches; default: events are handled as they come. */
  readonly batch?: BatchSpec<JtdType<Events>>;
  readonly waiting?: 'park' | 'event_loop';
  start(context: ActorContext, args: Args | undefined): ConsumerBehaviour<JtdType<Events>> | Promise<ConsumerBehaviour<JtdType<Events>>>;
}

/** @throws SpillwayError `stage_invalid` */
export function defineConsumer<const Events extends JtdSchema, Args = undefined>(
  definition: ConsumerDefinition<Events, Args>,
): ActorDefinition<StageSpec<Events>, ConsumerArgs<Args>> {
  const protocol = defineStageProtocol(definition.name ?? 'stage', definition.events) as unknown as Protocol<AnyStageSpec>;
  const { waiting, batch } = definition;
  // Checked where the stage is defined, and not when its first actor starts.
  if (batch !== undefined) completeBatch(batch);
  const inner: ActorDefinition<AnyStageSpec, ConsumerArgs<Args>> = {
    protocol,
    ...(waiting === undefined ? {} : { waiting }),
    start: (context, args) => startConsumer(context, args, definition as unknown as ConsumerDefinition<JtdSchema, Args>, protocol),
  };
  return inner as unknown as ActorDefinition<StageSpec<Events>, ConsumerArgs<Args>>;
}

async function startConsumer<Args>(context: ActorContext, { subscribeTo = [], args }: ConsumerArgs<Args>, definition: ConsumerDefinition<JtdSchema, Args>, protocol: Protocol<AnyStageSpec>) {
  const behaviour = await definition.start(context, args);
  const intake = new Intake({
    context,
    protocol,
    self: context.ref(context.self, protocol),
    batch: definition.batch,
    handle: (events, info) => behaviour.handle(events, info),
    onHandled: (_outcome, credit) => credit(),
    onOver: (reason) => endWith(context, reason),
  });
  for (const spec of subscribeTo) await intake.subscribe(spec);
  return {
    handlers: {
      ...inletHandlers(intake),
      ...NO_OUTLET_HANDLERS,
      ...NO_SOURCE_HANDLERS,
      stats: () => ({ ...NO_OUTLET, ...intake.inlet.stats }),
    },
    async stop(reason: StopReason) {
      try {
        // What is gathered is here and can still be handled; after a crash nothing can.
        if (reason === 'shutdown') await intake.handleRest();
      } finally {
        intake.inlet.close();
        await behaviour.stop?.(reason);
      }
    },
  };
}
