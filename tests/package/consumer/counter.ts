/** An actor of somebody else's project, which knows Spillway by its name only. */
import { SpillwayError, defineActor, defineProtocol } from 'spillway';

export const counterProtocol = defineProtocol('counter', {
  add: {
    request: { properties: { by: { type: 'int32' } } },
    reply: { properties: { total: { type: 'int32' }, thread: { type: 'uint32' } } },
  },
});

export interface CounterArgs {
  readonly from: number;
}

export const counter = defineActor<typeof counterProtocol.spec, CounterArgs>({
  protocol: counterProtocol,
  async start(context, { from }) {
    const { threadId } = await import('node:worker_threads');
    let total = from;
    return {
      handlers: {
        add({ by }) {
          if (by === 0) throw new SpillwayError('nothing_to_add', 'Expected a number other than zero.');
          total += by;
          context.log.debug('added', { by });
          return { total, thread: threadId };
        },
      },
    };
  },
});
