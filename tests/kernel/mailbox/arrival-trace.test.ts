import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ArrivalRecorder, RecordedMailbox, decisionName, replay, type ArrivalTrace } from '../../../kernel/mailbox/arrival-trace.ts';
import { MAILBOX_POLICIES, Mailbox, completeMailboxSpec, type MailboxSpec } from '../../../kernel/mailbox/mailbox.ts';
import { anyMailboxSpec, anySteps, type Arrival, type Step } from './mailbox-scripts.ts';

function perform(mailbox: Mailbox<Arrival>, steps: readonly Step[]): unknown[] {
  let nowMs = 1_000;
  return steps.map(({ call, afterMs, key }, id) => {
    nowMs += afterMs;
    if (call === 'takeAll') return mailbox.takeAll();
    return call === 'take' ? mailbox.take(nowMs) : mailbox[call]({ id, key }, nowMs);
  });
}

/** A mailbox of this spec on which the steps were performed under the eyes of a recorder. */
function record(spec: MailboxSpec<Arrival>, steps: readonly Step[], callsMax?: number): { recorder: ArrivalRecorder; results: unknown[]; told: unknown[] } {
  const recorder = new ArrivalRecorder(callsMax);
  const told: unknown[] = [];
  const observer = { shed: (...said: unknown[]) => told.push(said), modeChanged: (...said: unknown[]) => told.push(said) };
  const results = perform(new RecordedMailbox(spec, observer, recorder), steps);
  return { recorder, results, told };
}

const SPEC = completeMailboxSpec<Arrival>({
  capacity: 4,
  policy: 'expire',
  ttlMs: 10,
  marks: { sync: 2, drop: 3, flush: 5, syncLow: 1, dropLow: 2 },
});
const arrive = (afterMs = 0): Step => ({ call: 'offer', afterMs, key: undefined });
const force: Step = { call: 'force', afterMs: 0, key: undefined };
const take = (afterMs = 0): Step => ({ call: 'take', afterMs, key: undefined });

describe.each(MAILBOX_POLICIES)('a recorded mailbox of the policy %s', (policy) => {
  test('decides as its replay does, byte for byte, and as often as it is replayed', () => {
    fc.assert(
      fc.property(anyMailboxSpec(policy), anySteps, (partial, steps) => {
        const spec = completeMailboxSpec(partial);
        const { recorder } = record(spec, steps);
        const stored = JSON.parse(JSON.stringify(recorder.trace)) as ArrivalTrace;
        expect(replay(stored, spec)).toEqual(recorder.decisions);
        expect(replay(stored, spec)).toEqual(replay(stored, spec));
      }),
      { numRuns: 200 },
    );
  });

  test('does what one does that is not recorded', () => {
    fc.assert(
      fc.property(anyMailboxSpec(policy), anySteps, (partial, steps) => {
        const spec = completeMailboxSpec(partial);
        const told: unknown[] = [];
        const plain = new Mailbox(spec, { shed: (...said) => told.push(said), modeChanged: (...said) => told.push(said) });
        const results = perform(plain, steps);
        expect(record(spec, steps)).toMatchObject({ results, told });
      }),
      { numRuns: 50 },
    );
  });
});

describe('an arrival trace', () => {
  test('tells every decision, what happened within a call before how it ended', () => {
    const { recorder } = record(SPEC, [arrive(), arrive(5), arrive(), arrive(), take(), arrive(6), take(20), force, { ...take(), call: 'takeAll' }]);
    expect([...recorder.decisions].map(decisionName)).toEqual([
      'accepted',
      'async -> sync',
      'accepted',
      'sync -> drop',
      'accepted',
      'refused',
      'drop -> sync',
      'taken',
      'sync -> drop',
      'accepted',
      'drop -> sync',
      'shed expired',
      'sync -> async',
      'shed expired',
      'shed expired',
      'nothing to take',
      'accepted',
      'took all',
    ]);
  });

  test('shows a flush in the order in which it went', () => {
    const { recorder } = record(SPEC, [force, force, force, force, force]);
    expect([...recorder.decisions].map(decisionName).slice(-8)).toEqual([
      'drop -> flush',
      ...Array.from({ length: 5 }, () => 'shed flushed'),
      'flush -> async',
      'accepted',
    ]);
  });

  test('holds numbers only, and nothing of what the messages and their keys say', () => {
    const spec = completeMailboxSpec<Arrival>({ policy: 'conflate', key: ({ key }) => key });
    const keyed = (key: string | undefined): Step => ({ call: 'offer', afterMs: 1, key });
    const { recorder } = record(spec, [keyed('secret'), keyed('other'), keyed(undefined), keyed('secret'), take(0.5)]);
    expect(recorder.trace).toEqual({
      calls: [0, 0, 0, 0, 2],
      timesMs: [1_001, 1_002, 1_003, 1_004, 1_004.5],
      keys: [0, 1, -1, 0, -1],
    });
    expect([...replay(recorder.trace, spec)].map(decisionName)).toEqual(['accepted', 'accepted', 'accepted', 'shed conflated', 'accepted', 'taken']);
  });

  test('under another spec shows what that would have done', () => {
    const { recorder } = record(SPEC, [arrive(), arrive(), arrive(), arrive()]);
    const roomy = completeMailboxSpec<Arrival>({ capacity: 100 });
    expect([...replay(recorder.trace, roomy)].map(decisionName)).toEqual(['accepted', 'accepted', 'accepted', 'accepted']);
    const dropping = completeMailboxSpec<Arrival>({ capacity: 3, policy: 'drop_oldest' });
    expect([...replay(recorder.trace, dropping)].map(decisionName).slice(-2)).toEqual(['shed dropped_oldest', 'accepted']);
  });

  test('is cut at its bound, and what it has replays to the decisions that it has', () => {
    const { recorder, results } = record(SPEC, [arrive(), arrive(), arrive(), arrive(), take()], 3);
    expect(results).toHaveLength(5);
    expect(recorder.isCut).toBe(true);
    expect(recorder.trace.calls).toHaveLength(3);
    expect(replay(recorder.trace, SPEC)).toEqual(recorder.decisions);
    expect(record(SPEC, [arrive(), arrive(), arrive()], 3).recorder.isCut).toBe(false);
  });

  test('leaves out a call that threw before anything was decided', () => {
    const key = ({ key }: Arrival): string => {
      if (key === undefined) throw new TypeError('no key');
      return key;
    };
    const spec = completeMailboxSpec<Arrival>({ policy: 'conflate', key });
    const recorder = new ArrivalRecorder();
    const mailbox = new RecordedMailbox(spec, { shed: () => {} }, recorder);
    mailbox.offer({ id: 1, key: 'a' }, 0);
    expect(() => mailbox.offer({ id: 2, key: undefined }, 0)).toThrow('no key');
    mailbox.offer({ id: 3, key: 'a' }, 0);
    expect(replay(recorder.trace, spec)).toEqual(recorder.decisions);
    expect([...recorder.decisions].map(decisionName)).toEqual(['accepted', 'shed conflated', 'accepted']);
  });

  test.each<[string, ArrivalTrace, string]>([
    ['a call that does not exist', { calls: [4], timesMs: [0], keys: [-1] }, 'calls'],
    ['a time too few', { calls: [0, 0], timesMs: [0], keys: [-1, -1] }, 'timesMs'],
    ['a time that is none', { calls: [0], timesMs: [Number.NaN], keys: [-1] }, 'timesMs'],
    ['half a key', { calls: [0], timesMs: [0], keys: [0.5] }, 'keys'],
    ['no columns', {} as ArrivalTrace, 'calls'],
  ])('with %s is refused', (_, trace, column) => {
    expect(() => replay(trace, SPEC)).toThrow(expect.objectContaining({ code: 'trace_invalid', details: { column } }));
  });

  test('has names for its decisions and for nothing else', () => {
    for (const number of [5, 21, 48, 255]) expect(() => decisionName(number)).toThrow(TypeError);
  });
});
