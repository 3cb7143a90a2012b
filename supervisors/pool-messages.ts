/** What a host of light actors understands. It all travels on the control lane, so that data does not delay it. */
import { defineProtocol } from '../kernel/index.ts';

export const poolHostProtocol = defineProtocol('pool-host', {
  /** Makes an actor on the host's thread and answers once its start was called. */
  spawn: {
    lane: 'control',
    request: {
      properties: {
        module: { type: 'string' },
        export: { type: 'string' },
        /** Of the actor, for the board; empty: one is made up. */
        name: { type: 'string' },
        /** How often it is started again when it fails, before it stops for good. */
        restarts: { type: 'uint32' },
      },
      optionalProperties: { args: {} },
    },
    reply: { properties: { address: { type: 'uint32' }, name: { type: 'string' } } },
  },
  /** Stops one of the host's actors; answers when it has released what it holds. */
  stop: { lane: 'control', request: { properties: { address: { type: 'uint32' } } }, reply: { properties: {} } },
});

export type PoolHostSpec = typeof poolHostProtocol.spec;
