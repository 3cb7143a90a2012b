/** The actor that fails, the same in every place, and what it tells of its lives. */
import { defineActor, defineProtocol } from '../../kernel/index.ts';

/** When this module ran, after all that it imports; of this thread's own clock. */
const LOADED_AT_MS = performance.now();

export const victimProtocol = defineProtocol('victim', {
  fail: { request: {} },
  /** It waits behind the one that fails, and the next life handles it. */
  next: { request: {} },
  /** So do these, which are asked. */
  task: { request: {}, reply: {} },
});

/** Whom the victim tells; control, as that one is in the middle of a handler. */
export const witnessProtocol = defineProtocol('witness', {
  faulted: { lane: 'control', request: { properties: { atMs: { type: 'float64' } } } },
  released: { lane: 'control', request: { properties: { atMs: { type: 'float64' } } } },
  /** A light actor's parent has heard of its failure. */
  detected: { lane: 'control', request: { properties: { atMs: { type: 'float64' } } } },
  ready: {
    lane: 'control',
    request: { properties: { atMs: { type: 'float64' }, bootedMs: { type: 'float64' }, loadedMs: { type: 'float64' }, startedMs: { type: 'float64' }, pid: { type: 'uint32' } } },
  },
});

export interface VictimArgs {
  /** Address of whom it tells. */
  readonly witness: number;
}

export const victim = defineActor({
  protocol: victimProtocol,
  /** The codecs of what it tells of itself: they belong to the measuring and not to what is measured. */
  prepare: () => (['faulted', 'released', 'ready'] as const).map((name) => witnessProtocol.message(name).request),
  start(context, args: VictimArgs) {
    const { clock } = context;
    const witness = context.ref(args.witness, witnessProtocol);
    const startedMs = clock.monotonicMs();
    const originMs = startedMs - performance.now();
    const { bootstrapComplete } = performance.nodeTiming;
    return {
      handlers: {
        fail() {
          witness.tell('faulted', { atMs: clock.monotonicMs() });
          throw new Error('told to fail');
        },
        task: () => ({}),
        next() {
          const atMs = clock.monotonicMs();
          witness.tell('ready', { atMs, bootedMs: originMs + bootstrapComplete, loadedMs: originMs + LOADED_AT_MS, startedMs, pid: process.pid });
        },
      },
      stop: () => void witness.tell('released', { atMs: clock.monotonicMs() }),
    };
  },
});
