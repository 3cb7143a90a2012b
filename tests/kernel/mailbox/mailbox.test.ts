import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BACK_PRESSURED } from 'atomics-ring-buffer';
import { describe, expect, test } from 'vitest';
import { MAILBOX_MODES, MAILBOX_POLICIES, Mailbox, completeMailboxSpec, type MailboxPolicy, type PartialMailboxSpec } from '../../../kernel/mailbox/mailbox.ts';
import { loggedMailbox } from './mailbox-log.ts';

const marks = { sync: 2, drop: 4, flush: 8, syncLow: 1, dropLow: 3 };

function specOf(policy: MailboxPolicy, more: PartialMailboxSpec<number> = {}): PartialMailboxSpec<number> {
  return {
    capacity: 4,
    policy,
    marks,
    ...(policy === 'expire' && { ttlMs: 100 }),
    ...(policy === 'conflate' && { key: (message: number) => message }),
    ...more,
  };
}

/** Everything that can be taken, in order. */
function drain<M>(mailbox: Mailbox<M>, nowMs = 0): M[] {
  const messages: M[] = [];
  for (let message = mailbox.take(nowMs); message !== undefined; message = mailbox.take(nowMs)) messages.push(message);
  return messages;
}

test('the numbers of the modes in shared memory are those of OTP, from light to heavy', () => {
  expect(MAILBOX_MODES).toEqual(['async', 'sync', 'drop', 'flush']);
});

describe.each(MAILBOX_POLICIES)('a mailbox of the policy %s', (policy) => {
  test('gives its messages in the order in which they came', () => {
    const { mailbox, log } = loggedMailbox(specOf(policy, { capacity: 1_000, marks: {} }));
    for (let message = 0; message < 100; message++) expect(mailbox.offer(message, message)).toBe(0);
    expect(mailbox.level).toBe(100);
    expect(drain(mailbox, 100)).toEqual(Array.from({ length: 100 }, (_, message) => message));
    expect(mailbox.level).toBe(0);
    expect(mailbox.take(100)).toBeUndefined();
    expect(log).toEqual([]);
  });

  test('tells of each mode at its mark and of its end at the low mark', () => {
    const { mailbox, news } = loggedMailbox(specOf(policy));
    for (const message of [1, 2, 3, 4]) mailbox.offer(message, 0);
    expect(news()).toEqual(['async -> sync at 2', 'sync -> drop at 4']);
    expect(mailbox.mode).toBe('drop');
    drain(mailbox);
    expect(news()).toEqual(['drop -> sync at 3', 'sync -> async at 1']);
    expect(mailbox.mode).toBe('async');
  });

  test('does not flap between two marks', () => {
    const { mailbox, log } = loggedMailbox(specOf(policy, { capacity: 100, marks: { sync: 10, drop: 20, syncLow: 5, dropLow: 15 } }));
    for (let message = 0; message < 10; message++) mailbox.offer(message, 0);
    for (let message = 10; message < 1_000; message++) {
      mailbox.take(0);
      mailbox.take(0);
      mailbox.offer(message, 0);
      mailbox.offer(-message, 0);
    }
    expect(log).toEqual(['async -> sync at 10']);
  });

  test('goes to the mode of its level in one step when marks coincide', () => {
    const { mailbox, news } = loggedMailbox(specOf(policy, { capacity: 1, marks: {} }));
    mailbox.offer(1, 0);
    mailbox.take(0);
    expect(news()).toEqual(['async -> drop at 1', 'drop -> async at 0']);
  });

  test('hands over everything when its actor stops, sheds none of it, and starts anew', () => {
    const { mailbox, news } = loggedMailbox(specOf(policy));
    for (const message of [1, 2, 3, 4]) mailbox.offer(message, 0);
    news();
    // What has expired goes with the rest: the one who takes it all says what it is.
    expect(mailbox.takeAll()).toEqual([1, 2, 3, 4]);
    expect(news()).toEqual(['drop -> async at 0']);
    expect([mailbox.level, mailbox.mode, mailbox.oldestMs]).toEqual([0, 'async', undefined]);
    expect(mailbox.takeAll()).toEqual([]);
    mailbox.offer(4, 0);
    expect(drain(mailbox)).toEqual([4]);
    expect(news()).toEqual([]);
  });

  test('has done what it tells of when it tells of it', () => {
    const spec = completeMailboxSpec(specOf(policy));
    const levels: [told: number, found: number][] = [];
    const mailbox: Mailbox<number> = new Mailbox<number>(spec, {
      shed: () => expect(mailbox.level).toBeLessThanOrEqual(spec.capacity),
      modeChanged: (_from, to, level) => {
        levels.push([level, mailbox.level]);
        expect(mailbox.mode).toBe(to);
      },
    });
    for (const message of [1, 2, 3, 4, 4, 5]) mailbox.offer(message, 0);
    drain(mailbox, 1_000);
    expect(levels.length).toBeGreaterThanOrEqual(4);
    for (const [told, found] of levels) expect(found).toBe(told);
  });

  test('works without anybody who listens to its modes', () => {
    const mailbox = new Mailbox<number>(completeMailboxSpec(specOf(policy)), { shed: () => {} });
    for (const message of [1, 2, 3, 4]) mailbox.offer(message, 0);
    expect(mailbox.mode).toBe('drop');
    expect(drain(mailbox)).toEqual([1, 2, 3, 4]);
    expect(mailbox.mode).toBe('async');
  });
});

describe('the table of what becomes of an arrival at a full mailbox', () => {
  // The messages 1, 2, 3, 4 are queued, capacity is 4 and 5 arrives.
  test.each<[policy: MailboxPolicy, answer: number, told: string[], queued: number[]]>([
    ['refuse', BACK_PRESSURED, [], [1, 2, 3, 4]],
    ['wait', BACK_PRESSURED, [], [1, 2, 3, 4]],
    ['expire', BACK_PRESSURED, [], [1, 2, 3, 4]],
    ['drop_newest', 0, ['shed 5 dropped_newest'], [1, 2, 3, 4]],
    ['drop_oldest', 0, ['shed 1 dropped_oldest'], [2, 3, 4, 5]],
    ['conflate', 0, ['shed 1 dropped_oldest'], [2, 3, 4, 5]],
  ])('%s answers %i', (policy, answer, told, queued) => {
    const { mailbox, news } = loggedMailbox(specOf(policy));
    for (const message of [1, 2, 3, 4]) mailbox.offer(message, 0);
    news();
    expect(mailbox.offer(5, 0)).toBe(answer);
    expect(news()).toEqual(told);
    expect(mailbox.takeAll()).toEqual(queued);
  });

  test.each<[policy: MailboxPolicy, told: string[], queued: number[]]>([
    ['refuse', [], [1, 2, 3, 4, 5]],
    ['wait', [], [1, 2, 3, 4, 5]],
    ['expire', [], [1, 2, 3, 4, 5]],
    ['drop_newest', ['shed 5 dropped_newest'], [1, 2, 3, 4]],
    ['drop_oldest', ['shed 1 dropped_oldest'], [2, 3, 4, 5]],
    ['conflate', ['shed 1 dropped_oldest'], [2, 3, 4, 5]],
  ])('%s takes in what is forced on it, or sheds as ever', (policy, told, queued) => {
    const { mailbox, news } = loggedMailbox(specOf(policy));
    for (const message of [1, 2, 3, 4]) mailbox.offer(message, 0);
    news();
    mailbox.force(5, 0);
    expect(news()).toEqual(told);
    expect(mailbox.takeAll()).toEqual(queued);
  });

  test.each<[policy: MailboxPolicy, answer: number]>([
    ['refuse', BACK_PRESSURED],
    ['wait', BACK_PRESSURED],
    ['expire', BACK_PRESSURED],
    ['drop_newest', 0],
    ['drop_oldest', 0],
    ['conflate', 0],
  ])('%s answers %i while there is room and the mode is still drop, and loses nothing', (policy, answer) => {
    const { mailbox, news } = loggedMailbox(specOf(policy, { marks: { ...marks, dropLow: 2 } }));
    for (const message of [1, 2, 3, 4]) mailbox.offer(message, 0);
    mailbox.take(0);
    news();
    expect(mailbox.mode).toBe('drop');
    expect(mailbox.offer(5, 0)).toBe(answer);
    expect(news()).toEqual([]);
    mailbox.take(0);
    while (mailbox.mode === 'drop') mailbox.take(0);
    expect(mailbox.offer(6, 0)).toBe(0);
  });

  test.each<[policy: MailboxPolicy, expected: string[]]>([
    ['drop_newest', ['drop -> flush at 6', 'shed 1 flushed', 'shed 2 flushed', 'shed 3 flushed', 'shed 4 flushed', 'shed 5 flushed', 'shed 6 flushed', 'flush -> async at 0']],
    ['drop_oldest', ['drop -> flush at 6', 'shed 1 flushed', 'shed 2 flushed', 'shed 3 flushed', 'shed 4 flushed', 'shed 5 flushed', 'shed 6 flushed', 'flush -> async at 0']],
    ['conflate', ['drop -> flush at 6', 'shed 1 flushed', 'shed 2 flushed', 'shed 3 flushed', 'shed 4 flushed', 'shed 5 flushed', 'shed 6 flushed', 'flush -> async at 0']],
    ['expire', ['drop -> flush at 6', 'shed 1 flushed', 'shed 2 flushed', 'shed 3 flushed', 'shed 4 flushed', 'shed 5 flushed', 'shed 6 flushed', 'flush -> async at 0']],
    ['refuse', []],
    ['wait', []],
  ])('%s at its flush mark starts over, unless it may lose nothing', (policy, expected) => {
    const { mailbox, news } = loggedMailbox(specOf(policy, { capacity: 6, marks: { sync: 2, drop: 4, flush: 6 } }));
    for (const message of [1, 2, 3, 4, 5]) mailbox.force(message, 0);
    news();
    mailbox.force(6, 0);
    expect(news()).toEqual(expected);
    expect(mailbox.level).toBe(expected.length === 0 ? 6 : 0);
    mailbox.force(7, 0);
    expect(mailbox.take(0)).toBe(expected.length === 0 ? 1 : 7);
  });
});

describe('conflate', () => {
  const byTopic = { policy: 'conflate', capacity: 4, key: (message: string) => message.split('=')[0] } as const;

  test('puts the latest in the place of the older one', () => {
    const { mailbox, log } = loggedMailbox<string>(byTopic);
    for (const message of ['a=1', 'b=1', 'a=2', 'a=3']) mailbox.offer(message, 0);
    expect(mailbox.level).toBe(2);
    expect(drain(mailbox)).toEqual(['a=3', 'b=1']);
    expect(log.filter((line) => line.startsWith('shed'))).toEqual(['shed a=1 conflated', 'shed a=2 conflated']);
  });

  test('replaces at capacity too, so that only a new key costs the oldest', () => {
    const { mailbox, news } = loggedMailbox<string>(byTopic);
    for (const message of ['a=1', 'b=1', 'c=1', 'd=1']) mailbox.offer(message, 0);
    news();
    mailbox.offer('b=2', 0);
    mailbox.offer('e=1', 0);
    mailbox.offer('a=2', 0);
    expect(news()).toEqual(['shed b=1 conflated', 'shed a=1 dropped_oldest', 'shed b=2 dropped_oldest']);
    expect(drain(mailbox)).toEqual(['c=1', 'd=1', 'e=1', 'a=2']);
  });

  test('does not replace what was taken already', () => {
    const { mailbox, log } = loggedMailbox<string>(byTopic);
    mailbox.offer('a=1', 0);
    expect(mailbox.take(0)).toBe('a=1');
    mailbox.offer('a=2', 0);
    expect(mailbox.takeAll()).toEqual(['a=2']);
    mailbox.offer('a=3', 0);
    expect(drain(mailbox)).toEqual(['a=3']);
    expect(log).toEqual([]);
  });

  test('keeps apart messages without a key, and the keys 1 and "1"', () => {
    const key = (message: number | string): number | string | undefined => (message === 0 ? undefined : message);
    const { mailbox, log } = loggedMailbox({ policy: 'conflate', key });
    for (const message of [0, 0, 1, '1']) mailbox.offer(message, 0);
    expect(drain(mailbox)).toEqual([0, 0, 1, '1']);
    expect(log).toEqual([]);
  });

  test('is as it was when the key of an arrival throws', () => {
    const key = (message: string): string => {
      if (message === 'bad') throw new TypeError('no key');
      return message;
    };
    const { mailbox, log } = loggedMailbox({ policy: 'conflate', key });
    mailbox.offer('good', 0);
    expect(() => mailbox.offer('bad', 0)).toThrow('no key');
    expect(drain(mailbox)).toEqual(['good']);
    expect(log).toEqual([]);
  });
});

describe('expire', () => {
  test('gives the oldest that is not over its time, to the millisecond', () => {
    const { mailbox, log } = loggedMailbox<string>({ policy: 'expire', ttlMs: 100 });
    mailbox.offer('first', 1_000);
    mailbox.offer('second', 1_000.5);
    mailbox.offer('third', 1_050);
    expect(mailbox.oldestMs).toBe(1_000);
    expect(mailbox.take(1_100)).toBe('first');
    expect(mailbox.oldestMs).toBe(1_000.5);
    expect(mailbox.take(1_101)).toBe('third');
    expect(mailbox.oldestMs).toBeUndefined();
    expect(log).toEqual(['shed second expired']);
  });

  test('makes room for an arrival of what is over its time', () => {
    const { mailbox, news } = loggedMailbox(specOf('expire'));
    for (const [message, nowMs] of [[1, 0], [2, 10], [3, 20], [4, 30]] as const) mailbox.offer(message, nowMs);
    news();
    expect(mailbox.offer(5, 100)).toBe(BACK_PRESSURED);
    expect(mailbox.offer(6, 115)).toBe(0);
    expect(news()).toEqual(['drop -> sync at 3', 'shed 1 expired', 'shed 2 expired']);
    expect(drain(mailbox, 115)).toEqual([3, 4, 6]);
  });

  test('is refused as by refuse when too little has expired to end the mode', () => {
    const { mailbox, news } = loggedMailbox(specOf('expire', { marks: { ...marks, dropLow: 2 } }));
    for (const [message, nowMs] of [[1, 0], [2, 50], [3, 50], [4, 50]] as const) mailbox.offer(message, nowMs);
    news();
    expect(mailbox.offer(5, 101)).toBe(BACK_PRESSURED);
    expect(news()).toEqual(['shed 1 expired']);
    expect(mailbox.level).toBe(3);
  });

  test('empties itself when all is over its time', () => {
    const { mailbox, log } = loggedMailbox<number>({ policy: 'expire', ttlMs: 1, capacity: 100 });
    for (let message = 0; message < 100; message++) mailbox.offer(message, 0);
    expect(mailbox.take(10)).toBeUndefined();
    expect([mailbox.level, mailbox.mode, mailbox.oldestMs]).toEqual([0, 'async', undefined]);
    expect(log.filter((line) => line.endsWith('expired'))).toHaveLength(100);
    mailbox.offer(100, 10);
    expect([mailbox.oldestMs, mailbox.take(10)]).toEqual([10, 100]);
  });

  test('alone keeps times', () => {
    for (const policy of MAILBOX_POLICIES.filter((each) => each !== 'expire')) {
      const { mailbox } = loggedMailbox(specOf(policy));
      mailbox.offer(1, 1_000);
      expect(mailbox.oldestMs).toBeUndefined();
    }
  });
});

test('refuse and wait take no more than capacity but for what is forced, and all of that', () => {
  for (const policy of ['refuse', 'wait'] as const) {
    const { mailbox, log } = loggedMailbox(specOf(policy));
    for (let message = 0; message < 100; message++) mailbox.force(message, 0);
    expect(mailbox.offer(100, 0)).toBe(BACK_PRESSURED);
    expect(drain(mailbox)).toHaveLength(100);
    expect(log.filter((line) => line.startsWith('shed'))).toEqual([]);
    expect(mailbox.offer(101, 0)).toBe(0);
  }
});

describe('the memory of very many mailboxes', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const COUNT = 20_000;

  /** Bytes of heap for each of many mailboxes, of whatever was done with them. */
  function bytesEach(use: (mailbox: Mailbox<number>) => void): number {
    const spec = completeMailboxSpec<number>();
    const observer = { shed: () => {} };
    const mailboxes: Mailbox<number>[] = Array.from({ length: COUNT });
    collect();
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < COUNT; index++) {
      mailboxes[index] = new Mailbox<number>(spec, observer);
      use(mailboxes[index]!);
    }
    collect();
    const each = (process.memoryUsage().heapUsed - before) / COUNT;
    expect(mailboxes).toHaveLength(COUNT);
    return each;
  }

  test('is a few words for an empty one', () => {
    expect(bytesEach(() => {})).toBeLessThan(160);
  });

  test('is given back after a burst', () => {
    // A queue of a thousand places alone would be 8,000 bytes.
    const burst = (mailbox: Mailbox<number>): void => {
      for (let message = 0; message < 1_000; message++) mailbox.offer(message, 0);
      while (mailbox.take(0) !== undefined);
    };
    expect(bytesEach(burst)).toBeLessThan(160);
  });
});
