// The placement of a child is one word of its spec: everything else is the same in all four.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { threadOf, type ActorRef } from '../../kernel/index.ts';
import { createSystem, type ChildSpec, type Placement, type System } from '../../supervisors/index.ts';
import { until } from '../kernel/condition.ts';
import { liverProtocol, type LiverArgs } from './actors/liver.ts';

type Liver = ActorRef<typeof liverProtocol.spec>;

const module = new URL('./actors/liver.ts', import.meta.url).href;
const ask = { deadlineMs: 20_000 };
const supervisor = { intensity: 1_000, backoff: { minMs: 0, maxMs: 5, jitter: 0 } };

let folder: string;
let system: System;
let spawned = 0;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-placement-'));
  system = await createSystem({ logLevel: 'silent', supervisor, pool: { threads: 2, hungAfterMs: 300 }, crashReports: { folder, keep: 5 } });
});
afterAll(async () => {
  await system.close();
  rmSync(folder, { recursive: true, force: true });
});

const failureOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => expect.unreachable('it was answered'), (error: unknown) => error);

const PLACEMENTS: readonly Placement[] = ['inline', 'pool', 'thread', 'process'];

describe.each(PLACEMENTS)('a child placed %s', (placement) => {
  const specOf = (args: LiverArgs = {}, spec: Partial<ChildSpec> = {}): ChildSpec => ({ id: `child-${++spawned}`, placement, ...spec, start: { module, export: 'liver', args } });
  const spawn = (args?: LiverArgs, spec?: Partial<ChildSpec>): Promise<Liver> => system.spawn(specOf(args, spec), liverProtocol);
  const stateOf = async (id: string) => (await system.children()).find((child) => child.id === id);

  test('keeps its address and its name when it is restarted, and handles what came meanwhile', async () => {
    const actor = await spawn();
    const [crashed, ...answers] = await Promise.allSettled([actor.ask('crash', { message: 'told to' }, ask), ...Array.from({ length: 5 }, () => actor.ask('whoAreYou', {}, ask))]);
    expect(crashed).toMatchObject({ status: 'rejected', reason: { code: 'actor_restarted', details: { mayHaveBeenHandled: true } } });
    for (const answer of answers) expect(answer).toMatchObject({ status: 'fulfilled', value: { incarnation: 2 } });
    const resolved = await system.resolve(actor.name, liverProtocol);
    expect(resolved.address).toBe(actor.address);
    await until(async () => (await stateOf(actor.name))?.state === 'running', 'its supervisor knows');
    expect(await stateOf(actor.name)).toMatchObject({ restarts: 1, lastError: 'told to', address: actor.address });
  });

  test('is left alone by an operating error', async () => {
    const actor = await spawn();
    expect(await failureOf(actor.ask('refuse', {}, ask))).toMatchObject({ code: 'told_to_refuse' });
    expect(await actor.ask('whoAreYou', {}, ask)).toMatchObject({ incarnation: 1 });
  });

  test.each(['normal', 'shutdown'] as const)('that ends itself (%s) is restarted only if it is permanent', async (reason) => {
    const [permanent, transient] = await Promise.all([spawn(), spawn({}, { restart: 'transient' })]);
    await Promise.all([permanent.ask('leave', { reason }, ask), transient.ask('leave', { reason }, ask)]);
    expect(await permanent.ask('whoAreYou', {}, ask)).toMatchObject({ incarnation: 2 });
    await until(async () => (await stateOf(transient.name))?.state === 'stopped', 'it has left');
    expect(await failureOf(transient.ask('whoAreYou', {}, ask))).toMatchObject({ code: 'actor_stopped' });
  });

  test('whose start fails rejects the spawn at first, and is tried again later', async () => {
    await expect(spawn({ failStartOf: [1] })).rejects.toMatchObject({ message: expect.stringContaining('told to fail in start') as string });
    const actor = await spawn({ failStartOf: [2, 3] });
    await failureOf(actor.ask('crash', { message: '' }, ask));
    expect(await actor.ask('whoAreYou', {}, ask)).toMatchObject({ incarnation: 4 });
  });

  test('whose start hangs is ended at its deadline, and the others go on', async () => {
    const other = await spawn();
    // A life that does not hang has to be up within it, on a busy machine too.
    const startMs = placement === 'inline' || placement === 'pool' ? 300 : 3_000;
    await expect(spawn({ hangStartOf: [1] }, { startMs })).rejects.toMatchObject({ code: 'start_deadline' });
    expect(await other.ask('whoAreYou', {}, ask)).toMatchObject({ incarnation: 1 });
    const actor = await spawn({ hangStartOf: [2] }, { startMs });
    await failureOf(actor.ask('crash', { message: '' }, ask));
    expect(await actor.ask('whoAreYou', {}, ask)).toMatchObject({ incarnation: 3 });
  });

  test('that has nothing to do leaves, and may be started again', async () => {
    const root = system.supervisor();
    const spec = specOf({ ignoreStartOf: [1] });
    expect(await root.startChild(spec)).toMatchObject({ id: spec.id, isIgnored: true });
    expect(await stateOf(spec.id)).toMatchObject({ state: 'stopped' });
    // Its place was given up with it, so its lives are counted anew.
    expect(await root.restartChild(spec.id)).toMatchObject({ isIgnored: true });
    await root.deleteChild(spec.id);
    expect(await stateOf(spec.id)).toBeUndefined();
  });

  test('says something of itself when it is started', async () => {
    expect(await system.supervisor().startChild(specOf({ info: 'ready on port 7' }))).toMatchObject({ isIgnored: false, info: 'ready on port 7' });
  });

  test('is terminated within its deadline, though its handler and its stop never end', async () => {
    const actor = await spawn({ ignoresStop: true }, { shutdownMs: 200 });
    const pending = failureOf(actor.ask('hang', {}, ask));
    await until(() => system.inspect().threads.flatMap(({ actors }) => actors).some(({ address, counts }) => address === actor.address && counts.arrived > 0), 'it has the message');
    expect(await system.terminate(actor.name)).toBe(true);
    expect(await pending).toMatchObject({ code: expect.stringMatching(/actor_(stopped|restarted)/) as string });
    await expect(system.resolve(actor.name, liverProtocol)).rejects.toMatchObject({ code: 'actor_unknown' });
    expect(await stateOf(actor.name)).toBeUndefined();
  });

  test('is restarted after it was killed on request', async () => {
    const actor = await spawn();
    expect(await system.supervisor().killChild(actor.name)).toBe(true);
    expect(await actor.ask('whoAreYou', {}, ask)).toMatchObject({ incarnation: 2 });
  });

  test('is killed at once where its spec says so', async () => {
    const actor = await spawn({ ignoresStop: true }, { brutalKill: true });
    expect(await system.supervisor().terminateChild(actor.name)).toBe(true);
    expect(await stateOf(actor.name)).toMatchObject({ state: 'stopped' });
    expect(await system.supervisor().restartChild(actor.name)).toMatchObject({ isIgnored: false });
  });

  test('leaves a report of its crash, in memory and as a file', async () => {
    const actor = await spawn();
    await failureOf(actor.ask('crash', { message: 'for the report' }, ask));
    await actor.ask('whoAreYou', {}, ask);
    const report = (await system.crashReports()).findLast(({ child }) => child === actor.name);
    expect(report).toMatchObject({ placement, reason: 'crashed', message: 'for the report', restart: 'permanent', decision: 'restarted', intensity: 1_000, siblings: [] });
    expect(report?.stack).toContain('liver.ts');
    expect(report?.restartsMs).toHaveLength(1);
    const files = readdirSync(folder).toSorted();
    expect(files.length).toBeLessThanOrEqual(5);
    expect(JSON.parse(readFileSync(join(folder, files.at(-1)!), 'utf8'))).toMatchObject({ child: actor.name, message: 'for the report' });
  });
});

test.each(['exit', 'spin'] as const)('children of the pool come back under their addresses when their whole thread has ended (%s)', async (how) => {
  const spec = (id: string): ChildSpec => ({ id, placement: 'pool', start: { module, export: 'liver' } });
  const actors = await Promise.all(['a', 'b', 'c', 'd'].map((id) => system.spawn(spec(`pooled-${how}-${id}`), liverProtocol)));
  const threads = new Set(actors.map(({ address }) => threadOf(address)));
  expect(threads.size).toBe(2);
  const [first] = actors as [Liver];
  const touched = actors.filter(({ address }) => threadOf(address) === threadOf(first.address));
  expect(await failureOf(first.ask(how, {}, ask))).toMatchObject({ code: 'actor_stopped', details: { mayHaveBeenHandled: true } });
  for (const actor of actors) {
    await until(async () => {
      const child = (await system.children()).find(({ id }) => id === actor.name);
      return child?.state === 'running' && child.restarts === (touched.includes(actor) ? 1 : 0) && child.address === actor.address;
    }, `${actor.name} runs`);
    expect(await actor.ask('whoAreYou', {}, ask)).toMatchObject({ name: actor.name });
  }
});
