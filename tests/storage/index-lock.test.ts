/** The writer's lock between processes. Within one process: see the conformance suite. */
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { hostname } from 'node:os';

import { expect, it, onTestFinished } from 'vitest';

import { acquireIndexLock } from '../../actors/storage/index-lock.ts';
import { sqliteIndex } from '../../actors/storage/sqlite-index.ts';
import { startChild } from './child-process.ts';
import { OPTIONS, visibleRows } from './sample.ts';
import { closing, scratchIndex } from './scratch.ts';

it('says who holds the index, lets readers in, and falls with its holder, not with its garbage', async () => {
  const dir = scratchIndex();
  const child = startChild('./holder-child.ts', dir);
  onTestFinished(() => void child.kill('SIGKILL'));
  await once(child.stdout!, 'data');

  let refusal: unknown;
  try {
    closing(sqliteIndex.openWriter(dir, OPTIONS));
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toMatchObject({ code: 'index_locked', details: { path: dir, pid: child.pid, host: hostname() } });
  expect((refusal as Error).message).toMatch(new RegExp(`process ${child.pid} on .* \\(holder-child\\.ts .*\\) since \\d{4}-`));
  expect(visibleRows(sqliteIndex, dir)).toEqual([]);

  child.kill('SIGKILL');
  await once(child, 'close');
  closing(sqliteIndex.openWriter(dir, OPTIONS));
});

it('is held by exactly one of many that want it, and named after that one', () => {
  const dir = scratchIndex();
  mkdirSync(dir);
  const lock = acquireIndexLock(dir, { now: () => 0 });
  onTestFinished(() => lock.release());
  for (let i = 0; i < 5; i += 1) expect(() => acquireIndexLock(dir)).toThrow(/since 1970-01-01T00:00:00.000Z/);
  lock.release();
  const next = acquireIndexLock(dir, { now: () => 1000 });
  onTestFinished(() => next.release());
  expect(() => acquireIndexLock(dir)).toThrow(/since 1970-01-01T00:00:01.000Z/);
});
