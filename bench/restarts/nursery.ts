/** The parent of a light actor, on a thread of its own. */
import { defineActor, defineProtocol } from '../../kernel/index.ts';
import { victim, witnessProtocol, type VictimArgs } from './victim.ts';

export const nurseryProtocol = defineProtocol('nursery', {
  spawn: { request: {}, reply: { properties: { address: { type: 'uint32' } } } },
});

export const nursery = defineActor({
  protocol: nurseryProtocol,
  start(context, args: VictimArgs) {
    const witness = context.ref(args.witness, witnessProtocol);
    return {
      handlers: {
        spawn() {
          const child = context.spawn(victim, args, {
            onFailure: () => {
              witness.tell('detected', { atMs: context.clock.monotonicMs() });
              return 'restart';
            },
          });
          return { address: child.address };
        },
      },
    };
  },
});
