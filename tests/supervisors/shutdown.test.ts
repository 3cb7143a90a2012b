import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSystem, type ChildSpec, type System } from '../../supervisors/index.ts';
import { echoProtocol, type EchoArgs } from '../kernel/actors/echo.ts';
import { until } from '../kernel/condition.ts';

const module = new URL('../kernel/actors/echo.ts', import.meta.url).href;
const ask = { deadlineMs: 20_000 };

let folder: string;
let system: System;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-shutdown-'));
  system = await createSystem({ logLevel: 'error' });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const spawnEcho = (id: string, args?: EchoArgs, spec: Partial<ChildSpec> = {}) =>
  system.spawn({ ...spec, id, start: { module, export: 'echo', args } }, echoProtocol);

test('children stop from right to left', async () => {
  const stopFile = join(folder, 'order');
  for (const id of ['left', 'middle', 'right']) await spawnEcho(id, { stopFile });
  await system.close();
  expect(readFileSync(stopFile, 'utf8')).toBe('right shutdown\nmiddle shutdown\nleft shutdown\n');
});

test('what waits in the lanes is handled and answered before an actor stops', async () => {
  const actor = await spawnEcho('draining');
  const waiting = Array.from({ length: 20 }, () => actor.ask('slow', { delayMs: 5 }, ask));
  const closed = system.close();
  expect(await Promise.all(waiting)).toEqual(waiting.map(() => ({ cancelled: false })));
  await closed;
});

test('an actor that ignores its stop is terminated at its deadline', async () => {
  await spawnEcho('deaf', { stopMs: 600_000 }, { shutdownMs: 100 });
  await expect(system.close()).resolves.toBeUndefined();
});

test('a native actor that ignores its stop is named instead, and close may be called again', async () => {
  await spawnEcho('quick');
  await spawnEcho('native', { stopMs: 700 }, { native: true });
  await expect(system.close(150)).rejects.toMatchObject({ code: 'shutdown_deadline', details: { still: ['native'] } });
  await expect(system.spawn({ id: 'late', start: { module, export: 'echo' } }, echoProtocol)).rejects.toMatchObject({
    code: 'system_closed',
  });
  await expect(system.close()).resolves.toBeUndefined();
});

test('a child that starts while the system closes is stopped, and its spawn is rejected', async () => {
  const spawning = spawnEcho('starting', { startMs: 600_000 }, { shutdownMs: 100 }).catch((error: unknown) => error);
  await until(async () => (await system.children()).length === 1, 'it starts');
  await system.close();
  expect(await spawning).toMatchObject({ code: 'actor_start_failed' });
});

test('a closed system refuses everything, and closing it again does nothing', async () => {
  const actor = await spawnEcho('left');
  await Promise.all([system.close(), system.close()]);
  await system.close();
  await expect(system.children()).rejects.toMatchObject({ code: 'system_closed' });
  await expect(actor.ask('echo', { text: '' }, ask)).rejects.toMatchObject({ code: 'actor_stopped' });
});

test('a closed system leaves no thread and lets the process exit', async () => {
  const child = fileURLToPath(new URL('./close-child.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [...process.execArgv, child], { timeout: 30_000 });
  // Its threads hold the process while they live, and nothing calls process.exit.
  expect(stdout).toBe('closed\n');
  await system.close();
});
