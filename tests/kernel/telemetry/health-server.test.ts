import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request, type IncomingHttpHeaders, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { HEALTH_CONNECTIONS_MAX, startHealthServer, type HealthServer, type HealthServerOptions } from '../../../kernel/telemetry/health-server.ts';
import { prometheusText } from '../../../kernel/telemetry/prometheus.ts';
import { readinessOf } from '../../../kernel/telemetry/readiness.ts';
import type { Inspection } from '../../../kernel/telemetry/inspection.ts';
import { inspection, thread } from './sample-inspection.ts';

const started: HealthServer[] = [];
const sockets: Socket[] = [];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spillway-health-'));
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(started.splice(0).map((server) => server.close()));
});
afterAll(() => rm(folder, { recursive: true }));

const healthy = inspection([thread(2, 'store')]);

async function start(some: Partial<HealthServerOptions> = {}, shown: () => Inspection = () => healthy): Promise<HealthServer> {
  const server = await startHealthServer({ listen: { port: 0 }, inspect: shown, readiness: () => readinessOf(shown()), metrics: prometheusText({ inspect: shown }), ...some });
  started.push(server);
  return server;
}

function portOf({ address }: HealthServer): number {
  return 'port' in address ? address.port : Number.NaN;
}

function urlOf(server: HealthServer, path: string): string {
  return `http://127.0.0.1:${portOf(server)}${path}`;
}

interface Reply {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A client that may send what fetch refuses to. */
async function send(options: RequestOptions, body?: string): Promise<Reply> {
  const sent = request({ agent: false, ...options });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, headers: response.headers, body: text };
}

async function opened(server: HealthServer): Promise<Socket> {
  const socket = connect(portOf(server), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

describe('the health server', () => {
  test('says that its loop turns', async () => {
    const response = await fetch(urlOf(await start(), '/healthz'));
    expect([response.status, await response.text()]).toEqual([200, 'ok\n']);
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('says whether the system is ready, with the reasons if it is not, and again when they have gone', async () => {
    let shown = healthy;
    const server = await start({}, () => shown);
    const ready = async (): Promise<unknown[]> => {
      const response = await fetch(urlOf(server, '/readyz'));
      return [response.status, await response.json()];
    };
    expect(await ready()).toEqual([200, { ready: true, reasons: [] }]);
    shown = inspection([thread(2, 'store', { state: 'crashed' })]);
    expect(await ready()).toEqual([503, { ready: false, reasons: [{ code: 'thread_down', thread: { id: 2, name: 'store' }, state: 'crashed' }] }]);
    shown = healthy;
    expect(await ready()).toEqual([200, { ready: true, reasons: [] }]);
  });

  test('shows the inspection and the metrics', async () => {
    const server = await start();
    expect(await (await fetch(urlOf(server, '/inspect'))).json()).toEqual(healthy);
    const metrics = await fetch(urlOf(server, '/metrics?x=1'));
    expect(metrics.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await metrics.text()).toContain('spillway_thread_restarts_total{thread_id="2",thread_name="store"');
  });

  test('has nothing at other paths, nor metrics that nobody gave it', async () => {
    const server = await startHealthServer({ listen: { port: 0 }, inspect: () => healthy, readiness: () => readinessOf(healthy) });
    started.push(server);
    for (const path of ['/', '/metrics', '/healthz/', '/inspect/../healthz2']) expect((await fetch(urlOf(server, path))).status).toBe(404);
    expect(await (await fetch(urlOf(server, '/'))).text()).not.toContain('/metrics');
  });

  test('answers HEAD with the same headers and no body', async () => {
    const server = await start();
    const [get, head] = await Promise.all(['GET', 'HEAD'].map((method) => send({ port: portOf(server), path: '/inspect', method })));
    expect(head).toMatchObject({ status: 200, body: '' });
    expect(head!.headers['content-length']).toBe(get!.headers['content-length']);
    expect(get!.headers['content-length']).toBe(String(get!.body.length));
  });

  test('answers 500 when what it shows fails, and goes on', async () => {
    let fails = true;
    const server = await start({}, () => {
      if (fails) throw new Error('the memory has gone');
      return healthy;
    });
    for (const path of ['/inspect', '/readyz', '/metrics']) {
      const response = await fetch(urlOf(server, path));
      expect([response.status, await response.json()]).toEqual([500, { error: 'internal', message: 'the memory has gone' }]);
    }
    expect((await fetch(urlOf(server, '/healthz'))).status).toBe(200);
    fails = false;
    expect((await fetch(urlOf(server, '/inspect'))).status).toBe(200);
  });
});

describe('a client of the health server', () => {
  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('may not %s', async (method) => {
    const reply = await send({ port: portOf(await start()), path: '/healthz', method });
    expect(reply).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });

  test.each([
    ['of a stated length', { 'Content-Length': '5' }],
    ['in chunks', { 'Transfer-Encoding': 'chunked' }],
    ['that waits for permission', { 'Content-Length': '5', Expect: '100-continue' }],
  ])('may not send a body %s', async (_, headers) => {
    const reply = await send({ port: portOf(await start()), path: '/healthz', headers }, 'hello');
    expect(reply).toMatchObject({ status: 413, headers: { connection: 'close' } });
  });

  test.each([
    ['evil.example', 421],
    ['127.0.0.1.evil.example', 421],
    ['localhost.evil.example:80', 421],
    ['10.0.0.1', 421],
    ['localhost:9', 200],
    ['127.8.8.8', 200],
    ['[::1]:80', 200],
    ['LOCALHOST', 200],
  ])('that asks for the host %s gets %i', async (host, status) => {
    expect((await send({ port: portOf(await start()), path: '/inspect', headers: { Host: host } })).status).toBe(status);
  });

  test('is cut off when its request does not come to an end', async () => {
    const socket = await opened(await start({ requestTimeoutMs: 50 }));
    socket.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(String(answer)).toMatch(/^HTTP\/1.1 408/);
    await once(socket, 'close');
  });

  test('is cut off when its header is too long, or no HTTP at all', async () => {
    const server = await start();
    for (const [sent, status] of [[`GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431], ['what is this\r\n\r\n', 400]] as const) {
      const socket = await opened(server);
      socket.write(sent);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(String(answer)).toContain(`HTTP/1.1 ${status}`);
      await once(socket, 'close');
    }
    expect((await fetch(urlOf(server, '/healthz'))).status).toBe(200);
  });

  test('gets no connection beyond the bound, until another one ends', async () => {
    const server = await start();
    const held = await Promise.all(Array.from({ length: HEALTH_CONNECTIONS_MAX }, () => opened(server)));
    const refused = await opened(server);
    refused.resume();
    await once(refused, 'close');
    held[0]!.end();
    held[0]!.resume();
    await once(held[0]!, 'close');
    expect((await send({ port: portOf(server), path: '/healthz' })).status).toBe(200);
  });
});

describe('the address of the health server', () => {
  test.each(['0.0.0.0', '::', '', '192.168.1.1', 'example.com', '127.0.0.1.evil.example', '127.1', 'localhost.'])('may not be %j', async (host) => {
    await expect(start({ listen: { port: 0, host } })).rejects.toMatchObject({ code: 'health_not_local', details: { host } });
  });

  test.each(['localhost', '127.0.0.1', '127.0.0.2'])('may be %s', async (host) => {
    const { address } = await start({ listen: { port: 0, host } });
    expect(address).toEqual({ host: host === 'localhost' ? '127.0.0.1' : host, port: expect.any(Number) });
    expect((await send({ ...address, path: '/healthz' })).status).toBe(200);
  });

  test('that another one has is said to be in use, and free when that one has closed', async () => {
    const first = await start();
    const listen = { port: portOf(first) };
    await expect(start({ listen })).rejects.toMatchObject({ code: 'health_address_in_use', message: expect.stringContaining(String(listen.port)) });
    await first.close();
    expect((await start({ listen })).address).toMatchObject(listen);
  });

  test.each([
    ['a port that is none', () => ({ port: 70_000 }), 'ERR_SOCKET_BAD_PORT'],
    ['a folder that is not there', () => ({ socketPath: join(folder, 'nowhere', 's') }), 'EACCES'],
    ['a path that is too long for a socket', () => ({ socketPath: join(folder, 'x'.repeat(200)) }), 'EINVAL'],
  ])('is told apart from %s', async (_, listen, reason) => {
    await expect(start({ listen: listen() })).rejects.toMatchObject({ code: 'health_listen_failed', details: { reason } });
  });
});

describe('a Unix socket', () => {
  const socketPath = (): string => join(folder, 's');

  test('serves like a port, whatever host is asked for, and leaves no file behind', async () => {
    const server = await start({ listen: { socketPath: socketPath() } });
    expect(server.address).toEqual({ socketPath: socketPath() });
    expect(await send({ socketPath: socketPath(), path: '/healthz', headers: { Host: 'anything' } })).toMatchObject({ status: 200, body: 'ok\n' });
    await server.close();
    expect(existsSync(socketPath())).toBe(false);
  });

  test('that is served is not taken away', async () => {
    await start({ listen: { socketPath: socketPath() } });
    await expect(start({ listen: { socketPath: socketPath() } })).rejects.toMatchObject({ code: 'health_address_in_use' });
    expect((await send({ socketPath: socketPath(), path: '/healthz' })).status).toBe(200);
  });

  test('that a killed process left behind is taken over', async () => {
    const code = `require('node:net').createServer().listen(${JSON.stringify(socketPath())}, () => console.log('listens'))`;
    const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(existsSync(socketPath())).toBe(true);
    await start({ listen: { socketPath: socketPath() } });
    expect((await send({ socketPath: socketPath(), path: '/healthz' })).status).toBe(200);
  });

  test('does not replace a file that is no socket', async () => {
    const path = join(folder, 'file');
    await writeFile(path, 'precious');
    await expect(start({ listen: { socketPath: path } })).rejects.toMatchObject({ code: 'health_address_in_use' });
    expect(existsSync(path)).toBe(true);
  });
});

describe('the end of the health server', () => {
  test('does not wait for clients, idle or in the midst of a request, and may be asked for twice', async () => {
    const { promise: never } = Promise.withResolvers<string>();
    const server = await start({ metrics: () => never });
    const idle = await opened(server);
    const waiting = await opened(server);
    const closed = [idle, waiting].map((socket) => once(socket.resume(), 'close'));
    waiting.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await fetch(urlOf(server, '/healthz'));
    await Promise.all([server.close(), server.close()]);
    await Promise.all(closed);
    await expect(fetch(urlOf(server, '/healthz'))).rejects.toThrow('fetch failed');
  });

  test('is not what a process waits for', async () => {
    const module = JSON.stringify(new URL('../../../kernel/telemetry/health-server.ts', import.meta.url).href);
    const code = `
      const { startHealthServer } = await import(${module});
      const unasked = () => { throw new Error('nobody asks'); };
      await startHealthServer({ listen: { port: 0 }, inspect: unasked, readiness: unasked });
      console.log('listens');
    `;
    const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, '--input-type=module', '-e', code], { timeout: 30_000 });
    expect(stdout).toBe('listens\n');
  });
});
