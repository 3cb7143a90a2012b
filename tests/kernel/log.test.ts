import { describe, expect, test } from 'vitest';
import type { Clock } from '../../kernel/clock.ts';
import { LogWriter, createLog, plainFields, type LogRecord } from '../../kernel/log.ts';

const clock: Clock = { monotonicMs: () => 5, wallMs: () => 1_700_000_000_000 };

function collecting() {
  const lines: string[] = [];
  return { lines, destination: { write: (line: string) => void lines.push(line) } };
}

describe('a log', () => {
  test('emits a record with the level, the time and the actor', () => {
    const records: LogRecord[] = [];
    createLog('worker', 'info', clock, (record) => records.push(record)).warn('careful', { left: 3 });
    expect(records).toEqual([
      { level: 40, timeMs: 1_700_000_000_000, actor: 'worker', message: 'careful', fields: { left: 3 } },
    ]);
  });

  test('emits nothing below its minimum', () => {
    const records: LogRecord[] = [];
    const log = createLog('worker', 'warn', clock, (record) => records.push(record));
    log.debug('no');
    log.info('no');
    log.warn('yes');
    log.error('yes');
    expect(records.map(({ level }) => level)).toEqual([40, 50]);
  });
});

describe('the writer', () => {
  test("writes one JSON line in pino's form", () => {
    const { lines, destination } = collecting();
    new LogWriter('debug', destination).write({ level: 50, timeMs: 12, actor: 'a', message: 'broken', fields: { code: 7 } });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { level: 50, time: 12, actor: 'a', code: 7, msg: 'broken' },
    ]);
  });

  test('leaves out what is below its minimum', () => {
    const { lines, destination } = collecting();
    const writer = new LogWriter('warn', destination);
    writer.write({ level: 30, timeMs: 1, actor: 'a', message: 'no', fields: {} });
    writer.write({ level: 40, timeMs: 2, actor: 'a', message: 'yes', fields: {} });
    expect(lines).toHaveLength(1);
  });

  test('keeps time and actor of the record, whatever fields a line has', () => {
    const { lines, destination } = collecting();
    new LogWriter('debug', destination).write({ level: 30, timeMs: 1, actor: 'a', message: 'm', fields: { time: 'x', actor: 'y' } });
    expect(JSON.parse(lines[0]!)).toMatchObject({ time: 1, actor: 'a' });
  });

  test('takes fields that are no object', () => {
    const { lines, destination } = collecting();
    new LogWriter('debug', destination).write({ level: 30, timeMs: 1, actor: 'a', message: 'm', fields: 9 });
    expect(JSON.parse(lines[0]!)).toMatchObject({ value: 9 });
  });
});

test('fields that are no plain data become text', () => {
  const fields = plainFields({ error: new Error('why'), run() {}, left: 3 });
  expect(fields['error']).toContain('Error: why');
  expect(fields['run']).toContain('Function');
  expect(fields['left']).toBe('3');
});
