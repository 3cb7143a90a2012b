/** An actor that does to its process what no actor should. */
import { defineActor, defineProtocol } from '../../../../kernel/index.ts';

const nothing = { properties: {} } as const;

export const outcastProtocol = defineProtocol('outcast', {
  pid: { request: nothing, reply: { properties: { pid: { type: 'uint32' }, incarnation: { type: 'int32' } } } },
  /** Sends its own process a signal, in the middle of a handler. */
  signal: { request: { properties: { name: { type: 'string' } } } },
  /** As `signal`, for who asks. */
  signalled: { request: { properties: { name: { type: 'string' } } }, reply: nothing },
  exit: { request: { properties: { code: { type: 'int32' } } } },
  abort: { request: nothing },
  /** Takes so much memory and touches all of it. */
  allocate: { request: { properties: { bytes: { type: 'float64' } } }, reply: { properties: {} } },
  /** Never returns. */
  spin: { request: nothing },
  /** Returns when `release` has come. */
  hold: { request: nothing, reply: nothing },
  release: { lane: 'control', request: nothing, reply: { properties: { notes: { type: 'uint32' } } } },
  note: { request: { properties: { number: { type: 'uint32' } } } },
  notes: { request: nothing, reply: { properties: { numbers: { elements: { type: 'uint32' } } } } },
  /** How many bytes came. */
  size: { request: { properties: { bytes: { elements: { type: 'uint8' }, metadata: { typedArray: true } } } }, reply: { properties: { length: { type: 'uint32' } } } },
  environment: { request: nothing, reply: { properties: { names: { elements: { type: 'string' } } } } },
  /** Spawns light actors, whose entries the board shows. */
  spawn: { request: { properties: { count: { type: 'uint32' } } }, reply: { properties: {} } },
});

const light = defineActor<typeof outcastProtocol.spec, undefined>({
  protocol: outcastProtocol,
  start: () => ({ handlers: {} as never }),
});

const kept: Uint8Array[] = [];

export const outcast = defineActor<typeof outcastProtocol.spec, undefined>({
  protocol: outcastProtocol,
  counters: ['notes'],
  start(context) {
    const numbers: number[] = [];
    let release = (): void => {};
    return {
      handlers: {
        pid: () => ({ pid: process.pid, incarnation: context.incarnation }),
        signal({ name }) {
          process.kill(process.pid, name);
        },
        signalled({ name }) {
          process.kill(process.pid, name);
          return {};
        },
        exit({ code }) {
          process.exit(code);
        },
        abort() {
          process.abort();
        },
        allocate({ bytes }) {
          for (let taken = 0; taken < bytes; taken += 2 ** 24) kept.push(new Uint8Array(2 ** 24).fill(1));
          return {};
        },
        spin() {
          for (;;);
        },
        async hold() {
          await new Promise<void>((resolve) => (release = resolve));
          return {};
        },
        release() {
          release();
          return { notes: numbers.length };
        },
        note({ number }) {
          numbers.push(number);
          context.counters.add('notes');
        },
        notes: () => ({ numbers }),
        size: ({ bytes }) => ({ length: bytes.length }),
        environment: () => ({ names: Object.keys(process.env) }),
        spawn({ count }) {
          for (let index = 0; index < count; index++) context.spawn(light, undefined, { name: `light ${index}` });
          return {};
        },
      },
    };
  },
});
