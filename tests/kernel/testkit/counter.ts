/** An actor for the tests of the test kit: it counts, late if it is told to, and tells others. */
import { SpillwayError, defineActor, defineProtocol } from '../../../kernel/index.ts';

export const counterProtocol = defineProtocol('counter', {
  add: { request: { properties: { number: { type: 'uint32' } } }, reply: { properties: { sum: { type: 'uint32' } } } },
  addLate: { request: { properties: { number: { type: 'uint32' }, ms: { type: 'uint32' } } }, reply: { properties: { sum: { type: 'uint32' } } } },
  note: { request: { properties: { number: { type: 'uint32' } } } },
  sum: { lane: 'control', request: { properties: {} }, reply: { properties: { sum: { type: 'uint32' } } } },
  tellOn: { request: { properties: { to: { type: 'uint32' }, number: { type: 'uint32' } } } },
  askOn: { request: { properties: { name: { type: 'string' }, number: { type: 'uint32' } } }, reply: { properties: { sum: { type: 'uint32' } } } },
  upTo: { request: { properties: { number: { type: 'uint32' } } }, stream: { properties: { number: { type: 'uint32' } } } },
  later: { request: { properties: {} } },
  refuse: { request: { properties: {} }, reply: { properties: {} } },
  crash: { request: { properties: {} } },
});

export const counter = defineActor<typeof counterProtocol.spec, { readonly start: number }>({
  protocol: counterProtocol,
  counters: ['notes'],
  stashCapacity: 2,
  start(context, { start }) {
    let sum = start;
    const add = ({ number }: { number: number }): { sum: number } => ({ sum: (sum += number) });
    const handlers = {
      add,
      async addLate({ number, ms }: { number: number; ms: number }) {
        await new Promise<void>((resolve) => context.after(ms, resolve));
        return add({ number });
      },
      note({ number }: { number: number }) {
        context.counters.add('notes');
        add({ number });
      },
      sum: () => ({ sum }),
      tellOn: ({ to, number }: { to: number; number: number }) => void context.ref(to, counterProtocol).tell('note', { number }),
      askOn: async ({ name, number }: { name: string; number: number }) => (await context.resolve(name, counterProtocol)).ask('add', { number }, { deadlineMs: 100 }),
      *upTo({ number }: { number: number }) {
        for (let next = 0; next < number; next++) yield { number: next };
      },
      later() {
        context.stash();
        context.after(10, () => context.unstashAll());
        context.become({ ...handlers, later: () => void add({ number: 100 }) } as never);
      },
      refuse() {
        throw new SpillwayError('told_to_refuse', 'told to refuse');
      },
      crash() {
        throw new Error('told to crash');
      },
    };
    return { handlers };
  },
});
