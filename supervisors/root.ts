/** The root of the supervision tree: the actor that runs on the guardian's thread and speaks for all supervisors. */
import assert from 'node:assert';
import { defineActor } from '../kernel/index.ts';
import type { SupervisorFlags } from './child-spec.ts';
import { CrashReports, type CrashReportOptions } from './crash-reports.ts';
import { supervisorProtocol, type TreeSpec } from './messages.ts';
import type { PoolThreadsSpec } from './pool-threads.ts';
import type { StartedChild } from './supervisor-options.ts';
import { Tree } from './tree.ts';

export interface RootArgs {
  readonly flags: SupervisorFlags;
  /** For children placed `pool`. */
  readonly pool: PoolThreadsSpec;
  readonly crashReports?: CrashReportOptions;
}

export const root = defineActor<TreeSpec, RootArgs>({
  protocol: supervisorProtocol,
  start(context, { flags, pool, crashReports = {} }) {
    const { host } = context;
    assert(host !== undefined, 'The root supervisor runs on the guardian thread.');
    const reports = new CrashReports(crashReports, context.log);
    const tree = new Tree({ context, host, flags, pool, reports });
    return {
      handlers: {
        startChild: async ({ supervisor, spec }) => startedOf(supervisor, await tree.at(supervisor).startChild(spec)),
        terminateChild: async ({ supervisor, id }) => ({ ended: await tree.at(supervisor).terminateChild(id) }),
        removeChild: async ({ supervisor, id }) => ({ ended: await tree.at(supervisor).removeChild(id) }),
        restartChild: async ({ supervisor, id }) => startedOf(supervisor, await tree.at(supervisor).restartChild(id)),
        killChild: async ({ supervisor, id }) => ({ killed: await tree.at(supervisor).killChild(id) }),
        deleteChild: async ({ supervisor, id }) => {
          await tree.at(supervisor).deleteChild(id);
          return {};
        },
        whichChildren: ({ supervisor, after = 0 }) => tree.at(supervisor).childrenAfter(after),
        childSpec: ({ supervisor, id }) => ({ spec: tree.at(supervisor).childSpec(id) }),
        countChildren: ({ supervisor }) => ({ ...tree.at(supervisor).countChildren() }),
        crashReports: () => ({ reports: [...reports.latest()] }),
        shutdown: async ({ deadlineMs }) => ({ still: await tree.shutdown(deadlineMs) }),
        lifeEnded: ({ child, ...exit }) => tree.pool.lifeEnded(child, { ...exit, whileStarting: false }),
      },
    };
  },
});

function startedOf(supervisor: string, { id, place, isIgnored, info }: StartedChild) {
  const address = place?.address;
  return { id, name: supervisor === '' ? id : `${supervisor}/${id}`, isIgnored, ...(address === undefined ? {} : { address }), ...(info === undefined ? {} : { info }) };
}
