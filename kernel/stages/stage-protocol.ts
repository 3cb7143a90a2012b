/**
 * What stages say to each other, whatever their events are. What stages agree on travels on the control
 * lane, so that demand and ends overtake a full data lane; events travel as data.
 *
 *      consumer                          producer
 *         | subscribe { maxDemand }  ------> |      demand for that many, with the subscription
 *         | <------------------ events { … } |      never more than was asked for
 *         | demand { count, handled } -----> |      once as little as minDemand is left
 *         | <----------------- ended { sent } |     after the last events; it may overtake them, so it says how many
 *         | unsubscribe { handled }  ------> |      what was sent and not handled is lost, and counted
 *
 * A subscription's number is its consumer's: 16 bits of the consumer's life, then a count. So a producer
 * tells a consumer that was started again from the one that it was.
 */
import type { JtdSchema } from 'atomics-ring-buffer';
import type { ActorRef } from '../actor-ref.ts';
import { defineProtocol, type Protocol } from '../protocol.ts';

/** Why a subscription came to its end: `done` and `cancelled` are as intended, `stopped` is a proper stop of the producer. */
export const END_REASONS = ['done', 'cancelled', 'stopped', 'crashed'] as const;
export type EndReason = (typeof END_REASONS)[number];

export const CANCEL_MODES = ['permanent', 'transient', 'temporary'] as const;
/**
 * What a consumer does when its producer ends, as in GenStage.
 *
 *               producer done or stopped   producer crashed
 *   permanent   stops                      fails
 *   transient   goes on                    fails
 *   temporary   goes on                    goes on
 */
export type CancelMode = (typeof CANCEL_MODES)[number];

function stageSpec<const Events extends JtdSchema>(events: Events) {
  return {
    subscribe: {
      lane: 'control',
      request: { properties: { id: { type: 'uint32' }, maxDemand: { type: 'uint32' } }, optionalProperties: { partition: { type: 'uint32' } } },
      reply: { properties: {} },
    },
    demand: { lane: 'control', request: { properties: { id: { type: 'uint32' }, count: { type: 'uint32' }, handled: { type: 'float64' } } } },
    /** The consumer wants no more; it is answered with `ended`. */
    cancel: { lane: 'control', request: { properties: { id: { type: 'uint32' } } } },
    unsubscribe: { lane: 'control', request: { properties: { id: { type: 'uint32' }, handled: { type: 'float64' } } } },
    /** Whether the producer knows the subscription: one that was started again does not. */
    knows: { lane: 'control', request: { properties: { id: { type: 'uint32' } } }, reply: { properties: { isKnown: { type: 'boolean' } } } },
    events: { request: { properties: { id: { type: 'uint32' }, events: { elements: events } } } },
    ended: { lane: 'control', request: { properties: { id: { type: 'uint32' }, sent: { type: 'float64' }, reason: { enum: END_REASONS } } } },
    /** Makes a consumer subscribe to one more producer, by its name or its address. Answers with the subscription's number. */
    subscribeTo: {
      lane: 'control',
      request: {
        optionalProperties: {
          name: { type: 'string' },
          address: { type: 'uint32' },
          maxDemand: { type: 'uint32' },
          minDemand: { type: 'uint32' },
          partition: { type: 'uint32' },
          cancel: { enum: CANCEL_MODES },
        },
      },
      reply: { properties: { id: { type: 'uint32' } } },
    },
    /** Makes a consumer end a subscription of its own, once what is on its way is handled. */
    cancelSubscription: { lane: 'control', request: { properties: { id: { type: 'uint32' } } }, reply: { properties: {} } },
    /** Gives events to a producer from outside, whether somebody wants them or not. */
    offer: { request: { properties: { events: { elements: events } } }, reply: { properties: { dropped: { type: 'uint32' } } } },
    stats: {
      lane: 'control',
      request: { properties: {} },
      reply: {
        properties: {
          subscribers: { type: 'uint32' },
          wanted: { type: 'float64' },
          queued: { type: 'float64' },
          sent: { type: 'float64' },
          lost: { type: 'float64' },
          dropped: { type: 'float64' },
          tooLarge: { type: 'float64' },
          subscriptions: { type: 'uint32' },
          inFlight: { type: 'float64' },
          handled: { type: 'float64' },
          failed: { type: 'float64' },
          stray: { type: 'float64' },
        },
      },
    },
    /** A stage's notes to itself, which make it do these one at a time with its other data. */
    produce: { request: { properties: {} } },
    settle: { request: { properties: {} } },
  } as const;
}

export type StageSpec<Events extends JtdSchema> = ReturnType<typeof stageSpec<Events>>;
export type StageRef<Events extends JtdSchema> = ActorRef<StageSpec<Events>>;

const OPAQUE = {} as const;

/** Inside, events are opaque: their types were checked where the stages were defined. */
export type AnyStageSpec = StageSpec<typeof OPAQUE>;
export type AnyStageRef = ActorRef<AnyStageSpec>;

export interface OutletStats {
  readonly subscribers: number;
  /** Events that are wanted and not produced yet. */
  readonly wanted: number;
  /** Events that wait for demand. */
  readonly queued: number;
  readonly sent: number;
  /** Events that were sent to consumers which ended without having handled them. */
  readonly lost: number;
  /** Events for which the buffer had no room. */
  readonly dropped: number;
  /** Events longer than a lane takes. */
  readonly tooLarge: number;
}

export interface InletStats {
  readonly subscriptions: number;
  /** Events asked for and not handled yet. */
  readonly inFlight: number;
  readonly handled: number;
  /** Events whose handler threw an operating error. They count as handled, too. */
  readonly failed: number;
  /** Events of subscriptions that are over, for instance of a former life. Their producer counts them as lost. */
  readonly stray: number;
}

export const NO_OUTLET: OutletStats = { subscribers: 0, wanted: 0, queued: 0, sent: 0, lost: 0, dropped: 0, tooLarge: 0 };
export const NO_INLET: InletStats = { subscriptions: 0, inFlight: 0, handled: 0, failed: 0, stray: 0 };

/**
 * The protocol of all stages whose events have this schema: producers, consumers and those in between.
 * @param name for people; only the schema must be the same on both sides
 */
export function defineStageProtocol<const Events extends JtdSchema>(name: string, events: Events): Protocol<StageSpec<Events>> {
  return defineProtocol(name, stageSpec(events));
}
