import { describe, expect, test } from 'vitest';
import type { Inspection } from '../../../kernel/telemetry/inspection.ts';
import { READINESS_CODES, readinessOf, type ReadinessCode, type ReadinessReason } from '../../../kernel/telemetry/readiness.ts';
import { actor, inspection, lanesWith, thread } from './sample-inspection.ts';

const store = { id: 2, name: 'store' };
const pressured = lanesWith({ data: { pressured: true, levelBytes: 50_000 } });

const CASES: readonly [sentence: string, shown: Inspection, reasons: ReadinessReason[]][] = [
  ['starts', inspection([], { phase: 'starting' }), [{ code: 'starting' }]],
  ['closes', inspection([], { phase: 'closing' }), [{ code: 'closing' }]],
  ['has a crashed thread', inspection([thread(2, 'store', { state: 'crashed' })]), [{ code: 'thread_down', thread: store, state: 'crashed' }]],
  ['waits to start a thread again', inspection([thread(2, 'store', { state: 'restarting' })]), [{ code: 'thread_down', thread: store, state: 'restarting' }]],
  ['starts a thread again', inspection([thread(2, 'store', { state: 'starting', restarts: 1 })]), [{ code: 'thread_down', thread: store, state: 'starting' }]],
  [
    'has a handler that does not return',
    inspection([thread(2, 'store', { handling: { actor: 'writer', forMs: 5_001 } })]),
    [{ code: 'thread_hung', thread: store, actor: 'writer', forMs: 5_001 }],
  ],
  [
    'has a full data lane',
    inspection([thread(2, 'store', { lanes: pressured })]),
    [{ code: 'data_pressured', thread: store, levelBytes: 50_000, highMarkBytes: 49_152 }],
  ],
  [
    'has mailboxes that drop',
    inspection([thread(2, 'store', { actors: [actor(1, 'a', { mode: 'drop' }), actor(2, 'b', { mode: 'sync' }), actor(3, '', { mode: 'flush' })] })]),
    [{ code: 'mailbox_dropping', thread: store, actors: ['a', '0/3'], count: 2 }],
  ],
];

describe('a system is not ready when it', () => {
  test.each(CASES)('%s, and says so', (_, shown, reasons) => {
    expect(readinessOf(shown)).toEqual({ ready: false, reasons });
  });
});

describe('readiness', () => {
  test('has a case for each of its codes', () => {
    expect(new Set(CASES.flatMap(([, , reasons]) => reasons.map(({ code }) => code)))).toEqual(new Set<ReadinessCode>(READINESS_CODES));
  });

  test('is given while threads work, start, have done their work, or telemetry is lost', () => {
    const busy = thread(2, 'busy', { handling: { actor: 'a', forMs: 4_999 }, lanes: lanesWith({ telemetry: { pressured: true } }) });
    const shown = inspection([busy, thread(3, 'new', { state: 'starting' }), thread(4, 'done', { state: 'stopped' }), thread(5, '', { state: 'vacant' })]);
    expect(readinessOf(shown)).toEqual({ ready: true, reasons: [] });
  });

  test('comes back when the reason has gone', () => {
    const hung = thread(2, 'store', { handling: { actor: 'writer', forMs: 6_000 } });
    expect(readinessOf(inspection([hung])).ready).toBe(false);
    expect(readinessOf(inspection([thread(2, 'store')])).ready).toBe(true);
  });

  test('tolerates what its thresholds permit, and beyond them names all', () => {
    const threads = [2, 3].map((id) => thread(id, `t${id}`, { lanes: pressured, actors: [actor(id, 'a', { mode: 'drop' })] }));
    const thresholds = { pressuredThreadsMax: 1, droppingMailboxesMax: 1 };
    expect(readinessOf(inspection(threads.slice(0, 1)), thresholds).ready).toBe(true);
    expect(readinessOf(inspection(threads), thresholds).reasons.map(({ code }) => code)).toEqual([
      'data_pressured',
      'data_pressured',
      'mailbox_dropping',
      'mailbox_dropping',
    ]);
  });

  test('gives all reasons at once, one for a thread however many of its mailboxes drop', () => {
    const actors = Array.from({ length: 10_000 }, (_, index) => actor(index, `a${index}`, { mode: 'drop' }));
    const { reasons } = readinessOf(inspection([thread(2, 'store', { state: 'crashed', lanes: pressured, actors })], { phase: 'closing' }));
    expect(reasons.map(({ code }) => code)).toEqual(['closing', 'thread_down', 'data_pressured', 'mailbox_dropping']);
    expect(reasons.at(-1)).toMatchObject({ actors: ['a0', 'a1', 'a2', 'a3', 'a4'], count: 10_000 });
  });
});
