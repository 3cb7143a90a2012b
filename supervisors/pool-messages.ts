/** What a host of light actors understands. It all travels on the control lane, so that data does not delay it. */
import { defineProtocol } from '../kernel/index.ts';

const SOURCE = { module: { type: 'string' }, export: { type: 'string' } } as const;

export const poolHostProtocol = defineProtocol('pool-host', {
  /** Makes an actor on the host's thread and answers once its start was called. */
  spawn: {
    lane: 'control',
    request: {
      properties: {
        ...SOURCE,
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

  // ---- of supervised actors, whose lives the supervision tree begins and ends

  /** Begins the next life of the child under this number; answers once it is ready. Its end is told by `lifeEnded`. */
  begin: {
    lane: 'control',
    request: {
      properties: { ...SOURCE, child: { type: 'uint32' }, name: { type: 'string' } },
      /** `address`: the one it had before the thread's own restart. */
      optionalProperties: { args: {}, address: { type: 'uint32' } },
    },
    reply: { properties: { address: { type: 'uint32' }, isIgnored: { type: 'boolean' } }, optionalProperties: { info: {} } },
  },
  /** Ends its life within the deadline; at once if that is zero. */
  end: { lane: 'control', request: { properties: { child: { type: 'uint32' }, deadlineMs: { type: 'float64' } } }, reply: { properties: {} } },
  /** Gives up its place. */
  remove: { lane: 'control', request: { properties: { child: { type: 'uint32' }, hasCrashed: { type: 'boolean' }, message: { type: 'string' } } } },
});

export type PoolHostSpec = typeof poolHostProtocol.spec;
