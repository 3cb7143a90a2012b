/** A light actor for tests: it counts, joins, watches, fails, and holds its thread on demand. */
import { existsSync } from 'node:fs';
import { defineActor, defineProtocol, type Address } from '../../../kernel/index.ts';

export const lightProtocol = defineProtocol('light', {
  note: { request: { properties: { number: { type: 'uint32' } } } },
  /** How many notes have come, and which life of the actor this is. */
  notes: { request: { properties: {} }, reply: { properties: { count: { type: 'uint32' }, incarnation: { type: 'uint32' } } } },
  /** An endless loop, until there is a file at `path`. */
  hold: { request: { properties: { path: { type: 'string' } } } },
  /** The same after the handler has returned to the loop. */
  holdLater: { request: { properties: { path: { type: 'string' } } } },
  /** Answers when there is a file at `path`; the thread is not held. */
  wait: { request: { properties: { path: { type: 'string' } } }, reply: { properties: {} } },
  /** Tells another actor, by its address, so many notes. */
  tellNotes: { request: { properties: { to: { type: 'uint32' }, count: { type: 'uint32' } } }, reply: { properties: {} } },
  register: { request: { properties: { name: { type: 'string' } } }, reply: { properties: {} } },
  join: { request: { properties: { group: { type: 'string' } } }, reply: { properties: {} } },
  /** Makes actors of the same kind on its thread, named `child-0` and so on. */
  spawn: {
    request: { properties: { count: { type: 'uint32' } } },
    reply: { properties: { addresses: { elements: { type: 'uint32' } } } },
  },
  /** Answers when that actor has ended. */
  ended: { request: { properties: { address: { type: 'uint32' } } }, reply: { properties: { reason: { type: 'string' } } } },
  crash: { request: { properties: {} } },
  /** Fails outside of any handler, which ends the thread. */
  crashThread: { request: { properties: {} } },
});

export interface LightArgs {
  /** Throws in its start. */
  readonly failStart?: boolean;
  /** How long its `stop` takes. */
  readonly stopMs?: number;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function spin(path: string): void {
  while (!existsSync(path));
}

export const light = defineActor<typeof lightProtocol.spec, LightArgs | undefined>({
  protocol: lightProtocol,
  start(context, args) {
    if (args?.failStart === true) throw new Error('told to fail in start');
    let count = 0;
    return {
      handlers: {
        note: () => void count++,
        notes: () => ({ count, incarnation: context.incarnation }),
        hold: ({ path }) => spin(path),
        holdLater: ({ path }) => void setTimeout(() => spin(path), 1),
        async wait({ path }) {
          while (!existsSync(path)) await pause(1);
          return {};
        },
        tellNotes({ to, count: notes }) {
          const ref = context.ref(to, lightProtocol);
          // The first may find that the link is still being made.
          return (async () => {
            for (let number = 0; number < notes; number++) await ref.send('note', { number }, { deadlineMs: 20_000 });
            return {};
          })();
        },
        async register({ name }) {
          await context.register(name);
          return {};
        },
        async join({ group }) {
          await (await context.group(group, lightProtocol)).join();
          return {};
        },
        spawn({ count: children }) {
          const addresses: Address[] = [];
          for (let index = 0; index < children; index++) addresses.push(context.spawn(light, undefined, { name: `child-${index}` }).address);
          return { addresses };
        },
        ended: ({ address }) => new Promise((resolve) => void context.watch(address, ({ reason }) => resolve({ reason }))),
        crash() {
          throw new Error('told to crash');
        },
        crashThread: () => void setTimeout(() => { throw new Error('told to end the thread'); }, 1),
      },
      async stop() {
        if (args?.stopMs !== undefined) await pause(args.stopMs);
      },
    };
  },
});

/** The same on a thread that parks. */
export const parkedLight = defineActor<typeof lightProtocol.spec, LightArgs | undefined>({ ...light, waiting: 'park' });
