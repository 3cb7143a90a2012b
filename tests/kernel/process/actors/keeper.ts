/** The root of a small system for tests: it starts threads and processes as it is told, restarts them as told, and reports their ends. */
import { SpillwayError, defineActor, defineProtocol, type HostedThread, type ThreadExit, type ThreadSpec } from '../../../../kernel/index.ts';

const end = {
  properties: { name: { type: 'string' }, reason: { type: 'string' }, code: { type: 'string' }, message: { type: 'string' }, incarnation: { type: 'int32' } },
} as const;

export const keeperProtocol = defineProtocol('keeper', {
  /** Gives a place to an actor and starts its first life. */
  start: { request: { properties: { spec: {}, restarts: { type: 'uint32' } } }, reply: { properties: { thread: { type: 'uint32' } } } },
  /** Asks it to end. */
  stop: { request: { properties: { name: { type: 'string' }, deadlineMs: { type: 'float64' } } }, reply: { properties: { ended: { type: 'boolean' } } } },
  kill: { request: { properties: { name: { type: 'string' } } }, reply: { properties: { ended: { type: 'boolean' } } } },
  /** The ends of its lives until now. */
  ends: { request: { properties: { name: { type: 'string' } } }, reply: { properties: { ends: { elements: end } } } },
  stopAll: { request: { properties: {} }, reply: { properties: {} } },
});

interface Kept {
  readonly thread: HostedThread;
  restarts: number;
  readonly ends: { name: string; reason: string; code: string; message: string; incarnation: number }[];
}

export const keeper = defineActor<typeof keeperProtocol.spec, undefined>({
  protocol: keeperProtocol,
  start(context) {
    const host = context.host!;
    const kept = new Map<string, Kept>();
    const start = (entry: Kept): Promise<unknown> => host.start(entry.thread, (exit) => onExit(entry, exit));
    const onExit = (entry: Kept, { reason, code, message }: ThreadExit): void => {
      entry.ends.push({ name: entry.thread.spec.name, reason, code, message, incarnation: entry.thread.incarnation });
      if (entry.restarts-- > 0) setTimeout(() => void startAgain(entry), 1);
    };
    /** A life may also end while it starts. */
    const startAgain = async (entry: Kept): Promise<void> => {
      try {
        await start(entry);
      } catch (error) {
        onExit(entry, { reason: 'crashed', whileStarting: true, code: (error as SpillwayError).code, message: (error as Error).message, stack: '' });
      }
    };
    return {
      handlers: {
        async start({ spec, restarts }) {
          const entry: Kept = { thread: host.add(spec as ThreadSpec), restarts, ends: [] };
          kept.set((spec as ThreadSpec).name, entry);
          try {
            await start(entry);
          } catch (error) {
            host.remove(entry.thread);
            throw error;
          }
          return { thread: entry.thread.id };
        },
        async stop({ name, deadlineMs }) {
          const entry = kept.get(name)!;
          entry.restarts = 0;
          return { ended: await host.stop(entry.thread, deadlineMs) };
        },
        kill: async ({ name }) => ({ ended: await host.kill(kept.get(name)!.thread, 'told', 'told to kill it') }),
        ends: ({ name }) => ({ ends: kept.get(name)!.ends }),
        async stopAll() {
          for (const entry of kept.values()) entry.restarts = 0;
          await Promise.all([...kept.values()].map(({ thread }) => host.stop(thread, 2_000)));
          return {};
        },
      },
    };
  },
});
