/** The handlers of a stage, of which each kind of stage has one half or both. */
import type { ActorContext } from '../actor.ts';
import { SpillwayError } from '../errors.ts';
import type { Handlers } from '../handlers.ts';
import type { Protocol } from '../protocol.ts';
import type { Dispatcher } from './dispatchers.ts';
import type { Intake } from './intake.ts';
import { Outlet } from './outlet.ts';
import type { AnyStageSpec, EndReason } from './stage-protocol.ts';

type AnyHandlers = Handlers<AnyStageSpec>;
type OutletHandlers = Pick<AnyHandlers, 'subscribe' | 'demand' | 'cancel' | 'unsubscribe' | 'knows'>;
type InletHandlers = Pick<AnyHandlers, 'events' | 'ended' | 'subscribeTo' | 'cancelSubscription' | 'settle'>;

export interface OutletEvents {
  onDemand(): void;
  onFinished(): void;
}

/** The producing half of a stage, as an actor. */
export function outletOf(context: ActorContext, protocol: Protocol<AnyStageSpec>, dispatcher: Dispatcher, { onDemand, onFinished }: OutletEvents): Outlet {
  return new Outlet(
    {
      after: (delayMs, run) => context.after(delayMs, run),
      watch: (consumer, onEnd) => context.watch(consumer, onEnd),
      tellEvents(to, id, events) {
        try {
          return context.ref(to, protocol).tell('events', { id, events });
        } catch (error) {
          // Nobody asked for this very event, so there is nobody to hand it back to: the stage is defective.
          throw new TypeError(`An event of ${context.name} does not fit the schema of its stage.`, { cause: error });
        }
      },
      tellEnded: (to, id, sent, reason) => context.ref(to, protocol).tell('ended', { id, sent, reason }),
      onDemand,
      onFinished,
    },
    dispatcher,
  );
}

export function outletHandlers(outlet: Outlet): OutletHandlers {
  return {
    subscribe({ id, maxDemand, partition }, { from }) {
      outlet.subscribe(from, id, maxDemand, partition);
      return {};
    },
    demand: ({ id, count, handled }, { from }) => outlet.demand(from, id, count, handled),
    cancel: ({ id }, { from }) => outlet.cancel(from, id),
    unsubscribe: ({ id, handled }, { from }) => outlet.unsubscribe(from, id, handled),
    knows: ({ id }, { from }) => ({ isKnown: outlet.knows(from, id) }),
  };
}

export function inletHandlers(intake: Intake): InletHandlers {
  return {
    events: ({ id, events }) => intake.take(id, events),
    ended: ({ id, sent, reason }) => intake.inlet.ended(id, sent, reason),
    async subscribeTo({ name, address, ...options }) {
      return { id: await intake.subscribe({ to: (name ?? address)!, ...options }) };
    },
    cancelSubscription({ id }) {
      intake.inlet.cancel(id);
      return {};
    },
    settle: () => intake.settle(),
  };
}

const mismatch = (what: string) => (): never => {
  throw new SpillwayError('stage_mismatch', `This stage ${what}.`, { details: { mayHaveBeenHandled: false } });
};
const producesNothing = mismatch('only consumes; subscribe to a producer');
const consumesNothing = mismatch('only produces; subscribe consumers to it');

export const NO_OUTLET_HANDLERS: OutletHandlers = {
  subscribe: producesNothing,
  demand: producesNothing,
  cancel: producesNothing,
  unsubscribe: producesNothing,
  knows: producesNothing,
};

export const NO_INLET_HANDLERS: InletHandlers = {
  events: consumesNothing,
  ended: consumesNothing,
  subscribeTo: consumesNothing,
  cancelSubscription: consumesNothing,
  settle: consumesNothing,
};

export const NO_SOURCE_HANDLERS: Pick<AnyHandlers, 'offer' | 'produce'> = {
  offer: mismatch('makes its events of what it consumes, and takes none from outside'),
  produce: mismatch('has no source of its own'),
};

/** Ends the stage because a producer has ended: properly if that has, with a failure if that has failed. */
export function endWith(context: ActorContext, reason: EndReason): void {
  if (reason !== 'crashed') {
    context.stopSelf();
    return;
  }
  // In a turn of its own, so that the message in hand counts as handled.
  context.after(0, () => {
    throw new Error(`A producer to which ${context.name} had subscribed has crashed.`);
  });
}
