/**
 * A stage that makes events, as many as are wanted. As in Elixir's GenStage, nothing is made that nobody
 * has asked for; what comes without being asked for, through `offer`, waits in a bounded buffer.
 */
import type { JtdSchema, JtdType } from 'atomics-ring-buffer';
import type { ActorContext, ActorDefinition, StopReason } from '../actor.ts';
import type { Protocol } from '../protocol.ts';
import { dispatcherOf, type DispatcherSpec } from './dispatchers.ts';
import { completeBuffer, type BufferSpec, type Item } from './event-buffer.ts';
import { NoteToSelf } from './note-to-self.ts';
import { NO_INLET_HANDLERS, outletHandlers, outletOf } from './stage-handlers.ts';
import { NO_INLET, defineStageProtocol, type AnyStageRef, type AnyStageSpec, type StageSpec } from './stage-protocol.ts';
import { requireInteger } from './subscription-options.ts';

/** What a producer may do beside being asked. */
export interface ProducerStage<Event> {
  readonly context: ActorContext;
  /** There is something to produce again, after `produce` had nothing. */
  ready(): void;
  /** Gives events to whoever wants them; those that nobody wants yet are buffered. @returns how many were dropped */
  offer(events: readonly Event[]): number;
  /** Nothing more comes. Once all that is here has been handled by its consumers, the actor stops itself. */
  finish(): void;
}

export interface ProducerBehaviour<Event> {
  /**
   * Makes events. It is called again once it has returned, as long as more are wanted. After an empty array it
   * is called when `ready` is, or after `pollMs`. What is beyond the demand is buffered.
   * @param demand how many are wanted, 1 or more
   */
  produce(demand: number): readonly Event[] | Promise<readonly Event[]>;
  stop?(reason: StopReason): void | Promise<void>;
}

export interface ProducerDefinition<Events extends JtdSchema, Args> {
  /** Of the protocol, for people. Default: stage. */
  readonly name?: string;
  /** The schema of one event. */
  readonly events: Events;
  /** Default: demand. */
  readonly dispatcher?: DispatcherSpec<JtdType<Events>>;
  /** For events that nobody has asked for. */
  readonly buffer?: BufferSpec;
  /** Milliseconds after which a `produce` that had nothing is called again. Default 100. */
  readonly pollMs?: number;
  readonly waiting?: 'park' | 'event_loop';
  start(stage: ProducerStage<JtdType<Events>>, args: Args): ProducerBehaviour<JtdType<Events>> | Promise<ProducerBehaviour<JtdType<Events>>>;
}

const POLL_MS = 100;
const POLL_MS_MAX = 2 ** 31 - 1;
/** Events of one call at the most, whatever is wanted. */
const PRODUCE_MAX = 1_000;

/**
 * Under a supervisor a producer that calls `finish` has `restart: 'transient'`, or it would be started again.
 * @throws SpillwayError `stage_invalid`
 */
export function defineProducer<const Events extends JtdSchema, Args = undefined>(
  definition: ProducerDefinition<Events, Args>,
): ActorDefinition<StageSpec<Events>, Args> {
  const protocol = defineStageProtocol(definition.name ?? 'stage', definition.events) as unknown as Protocol<AnyStageSpec>;
  const { waiting } = definition;
  // Checked where the stage is defined, and not when its first actor starts.
  dispatcherOf(definition.dispatcher ?? { type: 'demand' }, completeBuffer(definition.buffer));
  requireInteger('pollMs', definition.pollMs ?? POLL_MS, 1, POLL_MS_MAX);
  const inner: ActorDefinition<AnyStageSpec, Args> = {
    protocol,
    ...(waiting === undefined ? {} : { waiting }),
    start: (context, args) => startProducer(context, args, definition as unknown as ProducerDefinition<JtdSchema, Args>, protocol),
  };
  return inner as unknown as ActorDefinition<StageSpec<Events>, Args>;
}

async function startProducer<Args>(context: ActorContext, args: Args, definition: ProducerDefinition<JtdSchema, Args>, protocol: Protocol<AnyStageSpec>) {
  const { pollMs = POLL_MS, dispatcher = { type: 'demand' } } = definition;
  const self: AnyStageRef = context.ref(context.self, protocol);
  const note = new NoteToSelf(context, self, 'produce');
  let isFinishing = false;
  let isProducing = false;
  const outlet = outletOf(context, protocol, dispatcherOf(dispatcher, completeBuffer(definition.buffer)), {
    onDemand: () => wish(),
    onFinished: () => context.stopSelf(),
  });
  const wish = (): void => {
    if (!isProducing && !isFinishing && outlet.wanted > 0) note.write();
  };
  const stage: ProducerStage<unknown> = {
    context,
    ready: wish,
    offer: (events) => outlet.emit(events.map(itemOf)),
    finish() {
      isFinishing = true;
      // What the `produce` in hand returns comes before the end.
      if (!isProducing) outlet.finish();
    },
  };
  const behaviour = await definition.start(stage, args);
  const made = (events: readonly unknown[]): void => {
    isProducing = false;
    outlet.emit(events.map(itemOf));
    if (isFinishing) outlet.finish();
    else if (events.length > 0) wish();
    else context.after(pollMs, wish);
  };
  return {
    handlers: {
      ...outletHandlers(outlet),
      ...NO_INLET_HANDLERS,
      stats: () => ({ ...NO_INLET, ...outlet.stats }),
      offer: ({ events }: { events: unknown[] }) => ({ dropped: stage.offer(events) }),
      produce(): void | Promise<void> {
        note.read();
        const demand = Math.min(outlet.wanted, PRODUCE_MAX);
        if (demand === 0) return undefined;
        isProducing = true;
        const events = behaviour.produce(demand);
        return events instanceof Promise ? events.then(made) : made(events);
      },
    },
    async stop(reason: StopReason) {
      outlet.close(reason === 'crashed' ? 'crashed' : 'stopped');
      await behaviour.stop?.(reason);
    },
  };
}

function itemOf(event: unknown): Item {
  return { event, ticket: undefined };
}
