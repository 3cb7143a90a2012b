import { describe, expect, test } from 'vitest';
import { DEFAULT_FLAGS } from '../../supervisors/child-spec.ts';
import { createSystem } from '../../supervisors/index.ts';
import { checkChildren, completeFlags } from '../../supervisors/spec-check.ts';

const start = { module: 'file:///actor.js', export: 'actor' };
const spec = { id: 'a', start };
const mailbox = (sizes: Record<string, number>) => ({ ...spec, mailbox: sizes });

test('a complete spec is accepted', () => {
  expect(() =>
    checkChildren([
      spec,
      {
        id: 'b',
        start: { ...start, args: { any: ['thing', 1] } },
        restart: 'transient',
        shutdownMs: 10,
        placement: 'thread',
        native: true,
        mailbox: { controlBytes: 1_024, dataBytes: 4_096, telemetryBytes: 1_024, highMarkBytes: 4_096, lowMarkBytes: 1 },
      },
    ], DEFAULT_FLAGS),
  ).not.toThrow();
});

describe('a child spec is refused as a whole, with the field named', () => {
  test.each([
    ['an unknown key', { ...spec, restarts: 'permanent' }, 'restarts'],
    ['an unknown key of start', { id: 'a', start: { ...start, file: 'x' } }, 'file'],
    ['an unknown key of the mailbox', mailbox({ bytes: 1_024 }), 'bytes'],
    ['no id', { start }, 'id'],
    ['an empty id', { ...spec, id: '' }, 'id'],
    ['no start', { id: 'a' }, 'start'],
    ['an unknown restart type', { ...spec, restart: 'always' }, 'restart'],
    ['an unknown placement', { ...spec, placement: 'moon' }, 'placement'],
    ['a deadline of zero', { ...spec, shutdownMs: 0 }, 'shutdownMs'],
    ['a deadline below zero', { ...spec, shutdownMs: -1 }, 'shutdownMs'],
    ['a lane that is no power of two', mailbox({ dataBytes: 5_000 }), 'dataBytes'],
    ['a lane too small for any message', mailbox({ controlBytes: 64 }), 'controlBytes'],
    ['a lane of zero', mailbox({ telemetryBytes: 0 }), 'telemetryBytes'],
    ['a lane larger than a ring can be', mailbox({ dataBytes: 2 ** 31 }), 'dataBytes'],
    ['a high mark above the lane', mailbox({ dataBytes: 4_096, highMarkBytes: 8_192 }), 'highMarkBytes'],
    ['a low mark above the high mark', mailbox({ highMarkBytes: 100, lowMarkBytes: 200 }), 'lowMarkBytes'],
    ['a low mark at the high mark', mailbox({ highMarkBytes: 100, lowMarkBytes: 100 }), 'lowMarkBytes'],
    ['a low mark above the default of the high mark', mailbox({ dataBytes: 4_096, lowMarkBytes: 3_500 }), 'lowMarkBytes'],
    ['a high mark of zero', mailbox({ highMarkBytes: 0 }), 'highMarkBytes'],
    ['a low mark of zero', mailbox({ lowMarkBytes: 0 }), 'lowMarkBytes'],
  ])('%s', (_, wrong, field) => {
    const attempt = (): void => checkChildren([spec, { ...wrong, id: 'id' in wrong && wrong.id === 'a' ? 'b' : (wrong as { id?: string }).id }], DEFAULT_FLAGS);
    expect(attempt).toThrow(expect.objectContaining({ code: 'spec_invalid' }) as Error);
    expect(attempt).toThrow(field);
  });

  test('no object at all', () => {
    for (const wrong of [undefined, null, 7, 'a', []]) {
      expect(() => checkChildren([wrong], DEFAULT_FLAGS)).toThrow(expect.objectContaining({ code: 'spec_invalid' }) as Error);
    }
  });

  test('an id that is there twice', () => {
    expect(() => checkChildren([spec, spec], DEFAULT_FLAGS)).toThrow(expect.objectContaining({ code: 'child_exists' }) as Error);
  });
});

describe('supervisor flags', () => {
  test('that are not given are the defaults', () => {
    expect(completeFlags({})).toEqual(DEFAULT_FLAGS);
    expect(completeFlags({ intensity: 0 })).toEqual({ ...DEFAULT_FLAGS, intensity: 0 });
  });

  test.each([
    ['an unknown flag', { intensities: 3 }, 'intensities'],
    ['an unknown strategy', { strategy: 'all_for_one' }, 'strategy'],
    ['an intensity below zero', { intensity: -1 }, 'intensity'],
    ['an intensity that is no whole number', { intensity: 1.5 }, 'intensity'],
    ['a period of zero', { periodMs: 0 }, 'periodMs'],
    ['a least delay above the most', { backoff: { minMs: 5, maxMs: 1, jitter: 0 } }, 'backoff'],
    ['a delay below zero', { backoff: { minMs: -1, maxMs: 1, jitter: 0 } }, 'backoff'],
    ['a jitter above one', { backoff: { minMs: 1, maxMs: 1, jitter: 1.1 } }, 'backoff'],
    ['an unknown key of the back-off', { backoff: { minMs: 1, maxMs: 1, jitter: 0, factor: 2 } }, 'factor'],
  ])('are refused for %s', (_, wrong, field) => {
    const attempt = () => completeFlags(wrong as never);
    expect(attempt).toThrow(expect.objectContaining({ code: 'spec_invalid' }) as Error);
    expect(attempt).toThrow(field);
  });
});

describe('options of a system', () => {
  test.each([0, 2, 1.5, Number.NaN, 65_537])('maxThreads of %d is refused before anything starts', async (maxThreads) => {
    await expect(createSystem({ maxThreads })).rejects.toMatchObject({ code: 'spec_invalid' });
  });

  test('an unknown log level is refused before anything starts', async () => {
    await expect(createSystem({ logLevel: 'loud' as never })).rejects.toMatchObject({ code: 'spec_invalid' });
  });
});
