import { request } from 'node:http';
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { afterEach, describe, expect, test } from 'vitest';
import type { HealthServer, Readiness } from '../../kernel/index.ts';
import type { SystemOptions } from '../../supervisors/index.ts';
import { until } from '../kernel/condition.ts';
import { LightSystem, NEVER_MS, ask } from './light-system.ts';

const open: LightSystem[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((light) => light.close()));
});

async function start(options?: SystemOptions): Promise<LightSystem> {
  const light = await LightSystem.create(options);
  open.push(light);
  return light;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

function get({ address }: HealthServer, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...address, path, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => (body += part));
      response.on('end', () => resolve({ status: response.statusCode!, body }));
    });
    asked.on('error', reject).end();
  });
}

async function readiness(server: HealthServer): Promise<Readiness & { status: number }> {
  const { status, body } = await get(server, '/readyz');
  return { status, ...(JSON.parse(body) as Readiness) };
}

describe('the health server of a system', () => {
  test('says that it lives and is ready, and shows metrics and the inspection', async () => {
    const light = await start();
    const actor = await light.spawn({ id: 'shown' });
    await actor.ask('notes', {}, ask);
    const server = await light.system.serveHealth();
    expect(server.address).toMatchObject({ host: '127.0.0.1' });
    expect((await get(server, '/healthz')).status).toBe(200);
    expect(await readiness(server)).toEqual({ status: 200, ready: true, reasons: [] });
    const { threads } = JSON.parse((await get(server, '/inspect')).body) as { threads: { name: string }[] };
    expect(threads.map(({ name }) => name)).toEqual(['application', 'guardian', 'shown']);
    const metrics = (await get(server, '/metrics')).body;
    expect(metrics).toMatch(/^spillway_thread_messages_total\{[^}]*thread_name="shown"[^}]*outcome="handled"[^}]*\} 1$/m);
    expect(metrics).toMatch(/^spillway_thread_hangs_total\{[^}]*thread_name="shown"[^}]*\} 0$/m);
  });

  test('also on a socket, beside another', async () => {
    const light = await start();
    const socketPath = light.path('health.sock');
    const servers = await Promise.all([light.system.serveHealth({ socketPath }), light.system.serveHealth({ port: 0 })]);
    expect(servers[0].address).toEqual({ socketPath });
    for (const server of servers) expect(await readiness(server)).toMatchObject({ ready: true });
    await servers[0].close();
    await expect(get(servers[0], '/healthz')).rejects.toThrow();
    expect(await readiness(servers[1])).toMatchObject({ ready: true });
  });

  test('says who holds a thread, for as long as it is held', async () => {
    const light = await start({ hungAfterMs: 100 });
    const holding = await light.spawn({ id: 'holding' });
    const server = await light.system.serveHealth();
    const gate = light.gate();
    holding.tell('hold', { path: gate.path });
    await until(async () => !(await readiness(server)).ready, 'the thread is held');
    expect(await readiness(server)).toMatchObject({ status: 503, reasons: [{ code: 'thread_hung', thread: { name: 'holding' }, actor: 'holding' }] });
    gate.open();
    await until(async () => (await readiness(server)).ready, 'it goes on');
  });

  test('says which thread is down while it waits to be started again', async () => {
    const light = await start({ supervisor: { backoff: { minMs: NEVER_MS, maxMs: NEVER_MS, jitter: 0 } } });
    const crashing = await light.spawn({ id: 'crashing' });
    const server = await light.system.serveHealth();
    crashing.tell('crash', {});
    await until(async () => (await readiness(server)).reasons.some((reason) => reason.code === 'thread_down' && reason.state === 'restarting'), 'it has crashed');
    expect(await readiness(server)).toMatchObject({ status: 503, reasons: [{ code: 'thread_down', thread: { name: 'crashing' } }] });
    await light.system.terminate('crashing');
    expect(await readiness(server)).toMatchObject({ status: 200 });
  });

  test('takes thresholds for what the system may show', async () => {
    const light = await start({ hungAfterMs: 100 });
    const holding = await light.spawn({ id: 'holding' });
    const patient = await light.system.serveHealth({ readiness: { handlingMsMax: NEVER_MS } });
    const gate = light.gate();
    holding.tell('hold', { path: gate.path });
    await until(() => !light.system.readiness().ready, 'the thread is held');
    expect(await readiness(patient)).toMatchObject({ ready: true });
    gate.open();
  });

  test('says that the system closes until it has closed, and ends with it', async () => {
    const light = await LightSystem.create();
    await light.spawn({ id: 'slow', args: { stopMs: 300 } });
    const server = await light.system.serveHealth();
    const closing = light.close();
    expect(await readiness(server)).toMatchObject({ status: 503, reasons: [{ code: 'closing' }] });
    await closing;
    await expect(get(server, '/healthz')).rejects.toThrow();
    await server.close();
    await expect(light.system.admin('slow')).rejects.toMatchObject({ code: 'system_closed' });
    await expect(light.system.serveHealth()).rejects.toMatchObject({ code: 'system_closed' });
  });

  test('that begins while the system closes is refused and leaves nothing behind', async () => {
    const light = await LightSystem.create();
    const serving = light.system.serveHealth();
    const refused = expect(serving).rejects.toMatchObject({ code: 'system_closed' });
    await light.close();
    await refused;
  });

  test.each([
    ['a host that others reach', { host: '0.0.0.0' }, 'health_not_local'],
    ['a port and a socket', { port: 0, socketPath: 'x' }, 'health_invalid'],
    ['a port that is none', { port: 70_000 }, 'health_listen_failed'],
  ])('refuses %s', async (_, options, code) => {
    const light = await start();
    await expect(light.system.serveHealth(options)).rejects.toMatchObject({ code });
  });
});

test('OpenTelemetry collects what the system shows, until the instruments are taken away', async () => {
  const light = await start();
  const actor = await light.spawn({ id: 'collected' });
  await actor.ask('notes', {}, ask);
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: NEVER_MS });
  const provider = new MeterProvider({ readers: [reader] });
  const remove = await light.system.registerMetrics({ meter: provider.getMeter('test') });
  const handled = async (): Promise<unknown> => {
    const { resourceMetrics } = await reader.collect();
    const metric = resourceMetrics.scopeMetrics[0]?.metrics.find(({ descriptor }) => descriptor.name === 'spillway.thread.messages');
    return metric?.dataPoints.find(({ attributes }) => attributes['thread.name'] === 'collected' && attributes['spillway.message.outcome'] === 'handled')?.value;
  };
  expect(await handled()).toBe(1);
  await actor.ask('notes', {}, ask);
  expect(await handled()).toBe(2);
  remove();
  await actor.ask('notes', {}, ask);
  expect(await handled()).toBe(2);
  await provider.shutdown();
});
