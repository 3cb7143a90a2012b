/** What the actors of the test of asks understand: an order to do something with the message, also the worst. */
import { defineProtocol, type ActorRef } from '../../kernel/index.ts';

/** Children of one actor. */
export const CHILDREN = 4;

/** Of what an actor may be told to do with a message. */
export const ACTS = ['answer', 'late', 'fail', 'crash', 'crashLate', 'never', 'block', 'stop', 'exit', 'stash', 'forward', 'wrong'] as const;
export type Act = (typeof ACTS)[number];

const order = { properties: { id: { type: 'uint32' }, act: { enum: ACTS }, onward: { enum: ACTS }, ms: { type: 'float64' } } } as const;

export const askedProtocol = defineProtocol('asked', {
  act: { request: order, reply: { properties: { id: { type: 'uint32' } } } },
  actUrgently: { lane: 'control', request: order, reply: { properties: { id: { type: 'uint32' } } } },
  /** Ends whatever it does, as a defect. */
  crash: { lane: 'control', request: { properties: {} } },
  /** Ends its child with this number. */
  stopChild: { lane: 'control', request: { properties: { index: { type: 'uint32' } } } },
  /** Its child with this number, which is made anew if it has ended. */
  child: { request: { properties: { index: { type: 'uint32' } } }, reply: { properties: { address: { type: 'uint32' } } } },
});

export type Asked = ActorRef<typeof askedProtocol.spec>;
