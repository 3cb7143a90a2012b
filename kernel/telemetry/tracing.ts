/**
 * Traces of messages through OpenTelemetry's API: what goes along with a message that is sent, and a
 * span around the handler of one that came.
 *
 * Which SDK records the spans, if any, is the matter of the application. A thread without one must pay
 * nothing: the API takes several milliseconds to load, so it is loaded when a tracer is first found to
 * be registered. Where it registers itself is fixed, since all copies of the API in a process find each
 * other there, whichever way they were loaded.
 */
import { createRequire } from 'node:module';
import type { Span } from '@opentelemetry/api';
import type { TraceContext } from './trace-context.ts';

type Api = typeof import('@opentelemetry/api');

const REGISTERED = Symbol.for('opentelemetry.js.api.1');

let loaded: Api | undefined;

/** The API, if a tracer is registered on this thread. */
function tracingApi(): Api | undefined {
  const registered = (globalThis as { [REGISTERED]?: { readonly trace?: unknown } })[REGISTERED];
  if (registered?.trace === undefined) return undefined;
  loaded ??= createRequire(import.meta.url)('@opentelemetry/api') as Api;
  return loaded;
}

/** What a message that is sent now takes along: the active span, or undefined if there is none. */
export function activeTraceContext(): TraceContext | undefined {
  const api = tracingApi();
  const context = api?.trace.getActiveSpan()?.spanContext();
  return context !== undefined && api!.isSpanContextValid(context) ? context : undefined;
}

/**
 * Runs `fn` in a span that is a child of the sender's, and ends the span with what becomes of it: a
 * result, an exception, or a promise of either. Where no tracer is registered, `fn` just runs.
 *
 * @returns what `fn` returns; for a promise one that is settled the same way after the span has ended
 */
export function runInTraceContext<Result>(context: TraceContext, spanName: string, fn: () => Result): Result {
  const api = tracingApi();
  if (api === undefined) return fn();
  // From the root and not from the active context: what the dispatching thread did before is not the cause.
  const parent = api.trace.setSpanContext(api.ROOT_CONTEXT, { ...context, isRemote: true });
  const span = api.trace.getTracer('spillway').startSpan(spanName, { kind: api.SpanKind.CONSUMER }, parent);
  try {
    const result = api.context.with(api.trace.setSpan(parent, span), fn);
    if (result instanceof Promise) return endedBy(api, span, result) as Result;
    span.end();
    return result;
  } catch (error) {
    endWithError(api, span, error);
    throw error;
  }
}

async function endedBy<Value>(api: Api, span: Span, promise: Promise<Value>): Promise<Value> {
  try {
    const value = await promise;
    span.end();
    return value;
  } catch (error) {
    endWithError(api, span, error);
    throw error;
  }
}

function endWithError(api: Api, span: Span, thrown: unknown): void {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const code = (error as { readonly code?: unknown }).code;
  span.setAttribute('error.type', typeof code === 'string' ? code : error.name);
  span.recordException(error);
  span.setStatus({ code: api.SpanStatusCode.ERROR, message: error.message });
  span.end();
}
