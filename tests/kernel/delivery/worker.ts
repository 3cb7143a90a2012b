/** An actor that does what its messages say, life after life, and notes what it began. For test systems, where it shares the test's memory. */
import { SpillwayError, defineActor, defineProtocol, type ActorDefinition } from '../../../kernel/index.ts';

const job = { properties: { id: { type: 'uint32' }, how: { enum: ['answer', 'wait', 'refuse', 'throw', 'reject', 'answerWrongly', 'release'] } } } as const;

const workerProtocol = defineProtocol('worker', {
  job: { request: job, reply: { properties: { id: { type: 'uint32' }, life: { type: 'uint32' }, redeliveries: { type: 'uint32' } } } },
  note: { request: job },
  urgent: { lane: 'control', request: job, reply: { properties: {} } },
  gauge: { lane: 'telemetry', request: job },
  /** Tells itself a note. */
  tellSelf: { request: job },
  items: { request: { properties: { count: { type: 'uint32' } } }, stream: { properties: { life: { type: 'uint32' } } } },
  passOn: { request: { properties: { to: { type: 'uint32' }, id: { type: 'uint32' } } }, reply: { properties: { id: { type: 'uint32' }, life: { type: 'uint32' }, redeliveries: { type: 'uint32' } } } },
});

export interface Begun {
  readonly id: number;
  readonly life: number;
  readonly redeliveries: number;
}

export interface Notebook {
  readonly begun: Begun[];
  /** How often a message of this id does what it says before it is answered at once; default: always. */
  readonly times: Map<number, number>;
  /** Lives that fail in their start. */
  readonly stillborn: Set<number>;
}

export function newNotebook(): Notebook {
  return { begun: [], times: new Map(), stillborn: new Set() };
}

type Job = { readonly id: number; readonly how: (typeof job)['properties']['how']['enum'][number] };

export function workerDefinition({ begun, times, stillborn }: Notebook, more: Partial<Pick<ActorDefinition, 'mailbox' | 'stashCapacity'>> = {}) {
  return defineActor({
    protocol: workerProtocol,
    ...more,
    start(context, _args: undefined) {
      const life = context.incarnation;
      if (stillborn.has(life)) throw new Error('told to fail in its start');
      const does = ({ id, how }: Job, { redeliveries }: { readonly redeliveries: number }): Promise<Begun> | Begun => {
        const done = { id, life, redeliveries };
        begun.push(done);
        const left = times.get(id) ?? Infinity;
        times.set(id, left - 1);
        if (left <= 0) return done;
        if (how === 'wait') return new Promise(() => {});
        if (how === 'refuse') throw new SpillwayError('job_refused', 'Told to refuse.');
        if (how === 'throw') throw new Error('told to throw');
        if (how === 'reject') return Promise.reject(new Error('told to reject'));
        if (how === 'answerWrongly') return { id: -1, life, redeliveries };
        return how === 'release' ? Promise.resolve(done) : done;
      };
      return {
        handlers: {
          job: (request, message) => does(request, message),
          note: async (request, message) => void (await does(request, message)),
          urgent: async (request, message) => (await does(request, message), {}),
          gauge: async (request, message) => void (await does(request, message)),
          tellSelf: (request) => void context.ref(context.self, workerProtocol).tell('note', request),
          async *items({ count }, message) {
            begun.push({ id: count, life, redeliveries: message.redeliveries });
            for (let item = 0; item < count; item++) yield { life };
            await new Promise(() => {});
          },
          passOn({ to, id }, message) {
            begun.push({ id, life, redeliveries: message.redeliveries });
            const forward = (): void => {
              // Until there is a link.
              if (message.forward(context.ref(to, workerProtocol), 'job', { id, how: 'answer' }) < 0) context.after(1, forward);
            };
            forward();
            return new Promise<never>(() => {});
          },
        },
      };
    },
  });
}

const fencerProtocol = defineProtocol('fencer', {
  begin: { lane: 'control', request: { properties: { to: { type: 'uint32' } } }, reply: { properties: { code: { type: 'string' } } } },
  cancel: { request: { properties: {} } },
});

/** Asks a worker in a scope for something that takes forever, and cancels the scope when it is told to. */
export const fencerDefinition = defineActor({
  protocol: fencerProtocol,
  start(context, _args: undefined) {
    const scope = context.scope();
    return {
      handlers: {
        begin: async ({ to }) => {
          const ask = context.ref(to, workerProtocol).ask('job', { id: 7, how: 'wait' }, { deadlineMs: 10_000, scope });
          return { code: await ask.then(() => '', ({ code }: SpillwayError) => code) };
        },
        cancel: () => void scope.cancel(),
      },
    };
  },
});
