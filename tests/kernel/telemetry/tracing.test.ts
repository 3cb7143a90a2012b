import { AsyncLocalStorage } from 'node:async_hooks';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, context, trace, type Context, type ContextManager } from '@opentelemetry/api';
import { AlwaysOffSampler, InMemorySpanExporter, SimpleSpanProcessor, TracerProvider, type ReadableSpan, type Sampler } from '@opentelemetry/sdk-trace';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SpillwayError } from '../../../kernel/errors.ts';
import { TRACE_CONTEXT_BYTES, readTraceContext, writeTraceContext, type TraceContext } from '../../../kernel/telemetry/trace-context.ts';
import { activeTraceContext, runInTraceContext } from '../../../kernel/telemetry/tracing.ts';

const REMOTE: TraceContext = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1 };

/** Follows a context through promises, as that of OpenTelemetry's Node SDK does. */
class AsyncContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(active: Context, fn: F, thisArg?: ThisParameterType<F>, ...args: A): ReturnType<F> {
    return this.#storage.run(active, () => fn.apply(thisArg, args));
  }

  bind<T>(_: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}

let exporter: InMemorySpanExporter;

function useSdk(sampler?: Sampler): void {
  exporter = new InMemorySpanExporter();
  const spanProcessors = [new SimpleSpanProcessor({ exporter })];
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors, ...(sampler === undefined ? {} : { sampler }) }));
  context.setGlobalContextManager(new AsyncContextManager());
}

function spans(): Record<string, ReadableSpan> {
  return Object.fromEntries(exporter.getFinishedSpans().map((span) => [span.name, span]));
}

/** The way of a message: what is active goes into a header and comes out of it. */
function throughHeader(): TraceContext {
  const header = new Uint8Array(new SharedArrayBuffer(TRACE_CONTEXT_BYTES));
  writeTraceContext(header, 0, activeTraceContext());
  return readTraceContext(header, 0)!;
}

afterEach(() => {
  trace.disable();
  context.disable();
});

describe('with an SDK', () => {
  beforeEach(() => useSdk());

  test('a trace goes on over two hops, each handler a child of the one that sent', async () => {
    const tracer = trace.getTracer('application');
    await tracer.startActiveSpan('request', async (request) => {
      const first = throughHeader();
      await context.with(ROOT_CONTEXT, () =>
        runInTraceContext(first, 'parse', async () => {
          await Promise.resolve();
          const second = throughHeader();
          context.with(ROOT_CONTEXT, () => runInTraceContext(second, 'store', () => 'stored'));
        }),
      );
      request.end();
    });
    const { request, parse, store } = spans();
    const traceId = request!.spanContext().traceId;
    expect([parse, store].map((span) => span!.spanContext().traceId)).toEqual([traceId, traceId]);
    expect(parse!.parentSpanContext).toMatchObject({ spanId: request!.spanContext().spanId, isRemote: true });
    expect(store!.parentSpanContext).toMatchObject({ spanId: parse!.spanContext().spanId, isRemote: true });
    expect(store!.kind).toBe(SpanKind.CONSUMER);
    expect(request!.parentSpanContext).toBeUndefined();
  });

  test('nothing is active outside of a span, and its own context is inside', () => {
    expect(activeTraceContext()).toBeUndefined();
    const inside = runInTraceContext(REMOTE, 'handle', () => activeTraceContext());
    expect(inside).toMatchObject({ traceId: REMOTE.traceId, spanId: spans()['handle']!.spanContext().spanId });
    expect(activeTraceContext()).toBeUndefined();
  });

  test('a handler is the child of its sender and not of what the thread did before', () => {
    trace.getTracer('thread').startActiveSpan('dispatch', (span) => {
      runInTraceContext(REMOTE, 'handle', () => {});
      span.end();
    });
    expect(spans()['handle']!.parentSpanContext).toMatchObject(REMOTE);
  });

  test('a result comes back and ends the span', () => {
    expect(runInTraceContext(REMOTE, 'handle', () => 42)).toBe(42);
    expect(spans()['handle']!.status.code).toBe(SpanStatusCode.UNSET);
  });

  test('the span of a promise ends with it and not before', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const running = runInTraceContext(REMOTE, 'handle', () => promise);
    await Promise.resolve();
    expect(spans()).toEqual({});
    resolve(7);
    expect(await running).toBe(7);
    expect(spans()['handle']!.status.code).toBe(SpanStatusCode.UNSET);
  });

  test.each<[string, unknown, string, string]>([
    ['an error', new RangeError('too far'), 'RangeError', 'too far'],
    ['an error with a code', new SpillwayError('ask_deadline', 'too late'), 'ask_deadline', 'too late'],
    ['what is no error', 'just text', 'Error', 'just text'],
  ])('%s passes through and stands in the span, whether it was thrown or a promise was rejected', async (_, thrown, type, message) => {
    const fail = (): never => {
      throw thrown;
    };
    const caught: unknown[] = [];
    try {
      runInTraceContext(REMOTE, 'throws', fail);
    } catch (error) {
      caught.push(error);
    }
    await runInTraceContext(REMOTE, 'rejects', async () => fail()).catch((error: unknown) => caught.push(error));
    expect(caught).toEqual([thrown, thrown]);
    for (const name of ['throws', 'rejects']) {
      const span = spans()[name]!;
      expect(span.status).toEqual({ code: SpanStatusCode.ERROR, message });
      expect(span.attributes['error.type']).toBe(type);
      expect(span.events.map((event) => event.attributes?.['exception.message'])).toEqual([message]);
    }
  });
});

test('a trace that is not sampled goes on unsampled', () => {
  useSdk(new AlwaysOffSampler());
  const inside = runInTraceContext({ ...REMOTE, traceFlags: 0 }, 'handle', () => throughHeader());
  expect(inside).toMatchObject({ traceId: REMOTE.traceId, traceFlags: 0 });
  expect(exporter.getFinishedSpans()).toEqual([]);
});

describe('without an SDK', () => {
  test('nothing is active, and a handler just runs: even its promise is handed through', async () => {
    const promise = Promise.resolve(1);
    expect(activeTraceContext()).toBeUndefined();
    expect(runInTraceContext(REMOTE, 'handle', () => promise)).toBe(promise);
    expect(() => runInTraceContext(REMOTE, 'handle', () => { throw new Error('as it is'); })).toThrow('as it is');
  });

  test('one that is registered later is found, and one that leaves is not missed', () => {
    expect(activeTraceContext()).toBeUndefined();
    useSdk();
    runInTraceContext(REMOTE, 'handle', () => {});
    expect(Object.keys(spans())).toEqual(['handle']);
    trace.disable();
    runInTraceContext(REMOTE, 'later', () => {});
    expect(Object.keys(spans())).toEqual(['handle']);
  });
});
