/** An actor for the tests of supervisors, the same in every placement: it answers, fails, leaves, and starts as it is told. */
import { SpillwayError, defineActor, defineProtocol, ignored } from '../../../kernel/index.ts';

export const liverProtocol = defineProtocol('liver', {
  whoAreYou: {
    request: { properties: {} },
    reply: { properties: { name: { type: 'string' }, incarnation: { type: 'int32' }, pid: { type: 'uint32' }, seen: { type: 'uint32' } } },
  },
  /** Fails as a defect. */
  crash: { request: { properties: { message: { type: 'string' } } }, reply: { properties: {} } },
  /** Ends itself, its work done or because of something else. */
  leave: { request: { properties: { reason: { enum: ['normal', 'shutdown'] } } }, reply: { properties: {} } },
  /** Never answers. */
  hang: { request: { properties: {} }, reply: { properties: {} } },
  /** Holds its thread for good. */
  spin: { request: { properties: {} }, reply: { properties: {} } },
  /** Ends its thread, or its process. */
  exit: { request: { properties: {} }, reply: { properties: {} } },
  refuse: { request: { properties: {} }, reply: { properties: {} } },
  see: { request: { properties: {} } },
});

export interface LiverArgs {
  /** Throws in the `start` of these incarnations. */
  readonly failStartOf?: readonly number[];
  /** Never comes to the end of its `start` in these. */
  readonly hangStartOf?: readonly number[];
  /** Has nothing to do in these. */
  readonly ignoreStartOf?: readonly number[];
  /** Never comes to the end of its `stop`. */
  readonly ignoresStop?: boolean;
  readonly info?: string;
}

const forever = (): Promise<never> => new Promise(() => {});

export const liver = defineActor<typeof liverProtocol.spec, LiverArgs | undefined>({
  protocol: liverProtocol,
  async start(context, args = {}) {
    const { incarnation } = context;
    if (args.failStartOf?.includes(incarnation) === true) throw new Error('told to fail in start');
    if (args.hangStartOf?.includes(incarnation) === true) await forever();
    if (args.ignoreStartOf?.includes(incarnation) === true) return ignored();
    let seen = 0;
    return {
      ...(args.info === undefined ? {} : { info: args.info }),
      handlers: {
        whoAreYou: () => ({ name: context.name, incarnation, pid: process.pid, seen }),
        crash({ message }) {
          throw new Error(message);
        },
        leave({ reason }) {
          context.stopSelf(reason);
          return {};
        },
        hang: forever,
        spin() {
          for (;;) seen++;
        },
        exit: () => process.exit(3),
        refuse() {
          throw new SpillwayError('told_to_refuse', 'as it was told');
        },
        see() {
          seen++;
        },
      },
      async stop() {
        if (args.ignoresStop === true) await forever();
      },
    };
  },
});
