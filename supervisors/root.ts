/** The root of the supervision tree: the actor that runs on the guardian's thread. */
import assert from 'node:assert';
import { defineActor } from '../kernel/index.ts';
import type { ChildSpec, SupervisorFlags } from './child-spec.ts';
import { supervisorProtocol, type SupervisorSpec } from './messages.ts';
import { Supervisor } from './supervisor.ts';

export interface RootArgs {
  readonly flags: SupervisorFlags;
  /** Started from left to right before the root says that it is up. */
  readonly children: readonly ChildSpec[];
}

export const root = defineActor<SupervisorSpec, RootArgs>({
  protocol: supervisorProtocol,
  async start(context, { flags, children }) {
    assert(context.host !== undefined, 'The root supervisor runs on the guardian thread.');
    const supervisor = new Supervisor({
      host: context.host,
      flags,
      clock: context.clock,
      random: Math.random,
      log: context.log,
      after: (delayMs, run) => void setTimeout(run, delayMs),
    });
    for (const child of children) await supervisor.startChild(child);
    return {
      handlers: {
        startChild: async ({ spec }) => ({ thread: (await supervisor.startChild(spec)).id }),
        terminateChild: async ({ id }) => ({ ended: await supervisor.terminateChild(id) }),
        whichChildren: () => ({ children: supervisor.whichChildren() }),
        shutdown: async ({ deadlineMs }) => ({ still: await supervisor.shutdown(deadlineMs) }),
      },
    };
  },
});
