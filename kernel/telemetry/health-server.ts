/**
 * What orchestrators, scrapers and people with curl ask of the system, over HTTP on this machine alone:
 *
 *   /healthz   200 as long as the loop of the thread that serves it turns
 *   /readyz    200, or 503 with the reasons
 *   /metrics   Prometheus text
 *   /inspect   the whole inspection as JSON
 *
 * It shows names and numbers and takes no orders, so it knows no users: who may connect is decided by the
 * loopback interface or the permissions of the socket's folder. A page in a browser on this machine must
 * not read it under a name of its own (DNS rebinding), hence the look at `Host`. Everything a client can
 * take of the process is bounded: connections, time, headers; bodies are refused unread.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { SpillwayError } from '../errors.ts';
import type { Inspection } from './inspection.ts';
import { listenLocally, isLoopback, type HealthAddress } from './local-listener.ts';
import { PROMETHEUS_CONTENT_TYPE } from './prometheus.ts';
import type { Readiness } from './readiness.ts';

export interface HealthServerOptions {
  /** Port 0 takes any free one. Default host: 127.0.0.1. */
  readonly listen: HealthAddress;
  readonly inspect: () => Inspection;
  readonly readiness: () => Readiness;
  /** Prometheus text, as from `prometheusText`. Without it `/metrics` is not found. */
  readonly metrics?: () => Promise<string>;
  /** For a whole request to come in. Default: 5000. */
  readonly requestTimeoutMs?: number;
}

export interface HealthServer {
  /** Where it listens, with the port that was taken. */
  readonly address: HealthAddress;
  /** Ends all connections, also those with a request on its way. May be called again. */
  close(): Promise<void>;
}

/** A scraper, an orchestrator, a console and a few people, each with more than one connection. */
export const HEALTH_CONNECTIONS_MAX = 32;
const HEADER_BYTES_MAX = 8 * 1024;
const DEFAULT_REQUEST_TIMEOUT_MS = 5_000;
/** For a connection on which nothing moves, for instance because the client does not read its answer. */
const IDLE_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 5_000;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/**
 * @throws {SpillwayError} `health_not_local` for a host that is not of the loopback interface,
 *   `health_address_in_use` if somebody listens there, `health_listen_failed` for any other reason not to listen
 */
export async function startHealthServer(options: HealthServerOptions): Promise<HealthServer> {
  const timeoutMs = options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
  const server = createServer({
    headersTimeout: timeoutMs,
    requestTimeout: timeoutMs,
    connectionsCheckingInterval: Math.min(timeoutMs, 1_000),
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: HEADER_BYTES_MAX,
  });
  server.maxConnections = HEALTH_CONNECTIONS_MAX;
  server.timeout = IDLE_TIMEOUT_MS;
  const serve = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(options, request).then((given) => send(request, response, given));
  };
  server.on('request', serve);
  // Without this Node would ask for the body of a request that waits for permission to send it.
  server.on('checkContinue', serve);
  const address = await listenLocally(server, options.listen);
  // A connection that could not be accepted, for want of file handles say, must not end the process.
  server.on('error', () => {});
  // To be looked at is no reason for a process to live on.
  server.unref();
  let closing: Promise<void> | undefined;
  return { address, close: () => (closing ??= close(server)) };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function answer(options: HealthServerOptions, request: IncomingMessage): Promise<Answer> {
  const refusal = refusalOf(options.listen, request);
  if (refusal !== undefined) return refusal;
  try {
    return await answerTo(options, (request.url ?? '').split('?', 1)[0]!);
  } catch (error) {
    const code = error instanceof SpillwayError ? error.code : 'internal';
    return json(500, { error: code, message: error instanceof Error ? error.message : String(error) });
  }
}

async function answerTo({ inspect, readiness, metrics }: HealthServerOptions, path: string): Promise<Answer> {
  if (path === '/healthz') return text(200, 'ok\n');
  if (path === '/inspect') return json(200, inspect());
  if (path === '/metrics' && metrics !== undefined) return { status: 200, type: PROMETHEUS_CONTENT_TYPE, body: await metrics() };
  if (path === '/readyz') {
    const shown = readiness();
    return json(shown.ready ? 200 : 503, shown);
  }
  return text(404, `Not found. There are /healthz, /readyz, ${metrics === undefined ? '' : '/metrics, '}/inspect.\n`);
}

function refusalOf(listen: HealthAddress, { method, headers }: IncomingMessage): Answer | undefined {
  if ('port' in listen && !isLocalName(headers.host)) {
    return text(421, 'This server answers only to localhost and addresses of the loopback interface.\n');
  }
  if (method !== 'GET' && method !== 'HEAD') return { ...text(405, 'Only GET and HEAD.\n'), headers: { Allow: 'GET, HEAD' } };
  if (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0) {
    return text(413, 'No body is accepted.\n');
  }
  return undefined;
}

/** Whether a Host header, with or without port, names this machine. HTTP/1.0 may do without one, a browser does not. */
function isLocalName(header: string | undefined): boolean {
  if (header === undefined) return true;
  const host = header.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return host === 'localhost' || (isIP(host) !== 0 && isLoopback(host));
}

function text(status: number, body: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body };
}

function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value)}\n` };
}

function send(request: IncomingMessage, response: ServerResponse, { status, type, body, headers }: Answer): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    // After a request that was refused there may be a body that nobody wants to read.
    ...(status >= 400 && status < 500 ? { Connection: 'close' } : {}),
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
