/** The accounting law, the closed list of reasons, and dead letters: docs/reference/semantics.md. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DEAD_LETTER_REASONS, SHED_REASONS, defineProtocol, type ActorInspection, type DeadLetter, type MailboxPolicy, type ThreadCounter } from '../../../kernel/index.ts';
import { until } from '../condition.ts';
import { puppetProtocol } from '../actors/puppet-protocol.ts';
import { SPAWNED, useStage, type Puppet } from './stage.ts';

const stage = useStage();
const REASONS: readonly ThreadCounter[] = [...new Set([...DEAD_LETTER_REASONS, ...SHED_REASONS])];

function inspected(puppet: Puppet): ActorInspection {
  const actor = stage.system.inspect({ lightActorsMax: 10_000 }).threads.flatMap(({ actors }) => actors).find(({ address }) => address === puppet.address);
  if (actor === undefined) throw new Error(`${puppet.ref.name} is not shown.`);
  return actor;
}

const countOf = (puppet: Puppet, reason: ThreadCounter): number => stage.system.health(puppet.thread).counters[reason];

describe('the law', () => {
  const acts = fc.array(
    fc.oneof(
      { weight: 6, arbitrary: fc.record({ act: fc.constant('note' as const), count: fc.integer({ min: 1, max: 30 }) }) },
      { weight: 1, arbitrary: fc.record({ act: fc.constantFrom('echo' as const, 'fail' as const, 'cancelled' as const, 'late' as const, 'urgent' as const, 'gauge' as const, 'fenced' as const), count: fc.constant(1) }) },
    ),
    { maxLength: 15 },
  );

  test.each(SPAWNED)('[S83] holds to the message for every policy, at every quiet moment, of an actor that is %s', async (placement) => {
    const policies: readonly MailboxPolicy[] = ['refuse', 'drop_newest', 'drop_oldest', 'conflate', 'expire'];
    for (const [seed, policy] of policies.entries()) {
      const { sender, subject } = await stage.pair(placement, {
        mailbox: { capacity: 10, policy, ...(policy === 'expire' ? { ttlMs: 100 } : {}) },
        ...(policy === 'conflate' ? { keyModulo: 4 } : {}),
      });
      await stage.begin(sender, subject, 'busy');
      // The link's `urgentEcho`, the message in hand, and the questions of the test itself are among them.
      const asks: Promise<unknown>[] = [];
      let told = 0;
      for (const { act, count } of fc.sample(acts, { seed, numRuns: 6 }).flat()) {
        if (act === 'note' || act === 'urgent' || act === 'gauge') {
          const results = await sender.do('tellAll', subject.address, Array.from({ length: count }, (_, number) => [act, { number }]));
          told += results.filter((result) => result === 0).length;
        } else if (act === 'fenced') {
          await sender.do('openScope', 'over');
          asks.push(sender.ask(subject, 'echo', { text: act }, { scope: 'over' }));
          await sender.do('cancelScope', 'over');
        } else {
          asks.push(sender.ask(subject, act === 'fail' ? 'fail' : 'echo', act === 'fail' ? { code: 'told_to' } : { text: act }, act === 'late' ? { deadlineMs: 1 } : { cancel: act }));
          if (act === 'cancelled') await sender.do('cancel', 'cancelled');
        }
      }
      const isLawful = (): boolean => {
        const { counts, level } = inspected(subject);
        const { arrived, handled, failed, shed, expired, deadLettered } = counts;
        // One is in its hands, as long as it is busy.
        return arrived >= told && arrived === handled + failed + shed + expired + deadLettered + level + 1;
      };
      await until(isLawful, `at a quiet moment with messages queued the law holds for ${policy}`);
      await subject.do('release', 'busy');
      await Promise.all(asks);
      // Held again, so that it is shown: nothing is left but the message in its hands.
      await subject.holds(0);
      await stage.begin(sender, subject, 'quiet');
      await until(isLawful, `at the end the law holds for ${policy}`);
      expect(inspected(subject).level).toBe(0);
      await subject.do('release', 'quiet');
    }
  });
});

describe('the list of reasons', () => {
  test('[S84] is closed: the page and the code have the same', () => {
    const page = readFileSync(new URL('../../../docs/reference/semantics.md', import.meta.url), 'utf8');
    const [, list] = /<!-- reasons -->([\s\S]*?)<!-- end -->/.exec(page)!;
    const named = [...list!.matchAll(/`([a-z_]+)`/g)].map(([, reason]) => reason);
    expect(named.toSorted((a, b) => a!.localeCompare(b!))).toEqual(REASONS.toSorted((a, b) => a.localeCompare(b)));
  });

  /** How each reason comes about. @returns on whose thread it is counted */
  const causes: Record<string, () => Promise<Puppet>> = {
    async unknown_actor() {
      const { sender, subject } = await stage.pair('spawned on another thread');
      // An address of that thread that nobody has had.
      expect(await sender.tell(subject.address + (5_000 << 4), 'note', { number: 1 })).toBe(0);
      return subject;
    },
    async undecodable() {
      const { subject } = await stage.pair('spawned on another thread');
      const stranger = stage.system.ref(subject.address, defineProtocol('stranger', { note: { request: { properties: {} } } }));
      expect(stranger.tell('note', {})).toBe(0);
      return subject;
    },
    async expired() {
      const { sender, subject } = await stage.pair('spawned on another thread', { mailbox: { policy: 'expire', ttlMs: 100 } });
      await stage.begin(sender, subject, 'busy');
      await sender.note(subject, 1);
      await subject.do('after', 'too old', 200);
      await subject.hasLogged('after too old');
      await subject.do('release', 'busy');
      return subject;
    },
    async cancelled() {
      const { sender, subject } = await stage.pair('spawned on another thread');
      await stage.begin(sender, subject, 'busy');
      const asked = sender.ask(subject, 'echo', { text: '' }, { cancel: 'it' });
      await sender.do('life');
      await sender.do('cancel', 'it');
      await asked;
      await subject.do('release', 'busy');
      return subject;
    },
    async stale_reply() {
      const { sender, subject } = await stage.pair('spawned on another thread');
      const { outcome } = await stage.begin(sender, subject, 'first', { cancel: 'it' });
      await sender.do('cancel', 'it');
      await outcome;
      await subject.do('release', 'first');
      return sender;
    },
    async reply_refused() {
      const subject = await stage.spawn(stage.south);
      const sender = await stage.thread();
      await stage.link(sender, subject);
      await stage.begin(sender, subject, 'first');
      await stage.system.terminate(sender.thread);
      const witness = await stage.spawn(stage.south);
      // Once the south thread knows of the end, it knows that nobody takes the answer.
      await until(async () => (await witness.tell(sender, 'note', { number: 1 })) !== 0, 'the end is known');
      await subject.do('release', 'first');
      return subject;
    },
    async abandoned() {
      const { sender, subject } = await stage.pair('spawned on another thread');
      await stage.begin(sender, subject, 'in hand');
      await subject.do('stopSelf');
      return subject;
    },
    async actor_stopped() {
      const { sender, subject } = await stage.pair('spawned on another thread');
      await stage.begin(sender, subject, 'in hand');
      await sender.note(subject, 1);
      await subject.holds(1);
      await subject.do('stopSelf');
      return subject;
    },
    async fenced() {
      const { sender, subject } = await stage.pair('spawned on another thread');
      await stage.begin(sender, subject, 'busy');
      await sender.do('openScope', 'it');
      await sender.tell(subject, 'note', { number: 1 }, { scope: 'it' });
      await sender.do('cancelScope', 'it');
      await sender.ask(subject, 'urgentEcho', { text: '' });
      await subject.do('release', 'busy');
      return subject;
    },
    async lane_full() {
      const { sender, subject } = await stage.pair('spawned on another thread');
      await stage.begin(sender, subject, 'busy');
      // More than an actor keeps of telemetry, though no more than its lane does.
      for (let round = 0; round < 3; round++) {
        await sender.do('flood', subject.address, 'gauge', 100);
        await sender.ask(subject, 'urgentEcho', { text: '' });
      }
      return subject;
    },
    async poisoned() {
      const subject = await stage.thread({ export: 'puppetWithoutStash', delivery: { guarantee: 'at_least_once', maxRedeliveries: 0 } });
      const sender = await stage.spawn(stage.north);
      await stage.link(sender, subject);
      await sender.ask(subject, 'fail', { code: '' });
      return subject;
    },
    async restarted() {
      const subject = await stage.thread({ delivery: { onRestart: 'dead_letter' } });
      const sender = await stage.spawn(stage.north);
      await stage.link(sender, subject);
      await stage.begin(sender, subject, 'busy');
      await sender.note(subject, 1);
      await sender.ask(subject, 'do', { command: 'noSuchCommand', args: [] });
      return subject;
    },
    dropped_newest: () => overfull({ capacity: 1, policy: 'drop_newest' }),
    dropped_oldest: () => overfull({ capacity: 1, policy: 'drop_oldest' }),
    conflated: () => overfull({ capacity: 4, policy: 'conflate' }),
    flushed: () => overfull({ capacity: 2, policy: 'drop_oldest', marks: { flush: 2 } }),
  };

  async function overfull(mailbox: { capacity: number; policy: MailboxPolicy; marks?: { flush: number } }): Promise<Puppet> {
    const { sender, subject } = await stage.pair('spawned on another thread', { mailbox, ...(mailbox.policy === 'conflate' ? { keyModulo: 1 } : {}) });
    await stage.begin(sender, subject, 'busy');
    await sender.note(subject, 1, 2, 3);
    return subject;
  }

  test.each(REASONS)('[S85] %s is counted where it came about', async (reason) => {
    const totals = (...more: Puppet[]): number => [stage.north, stage.south, ...more].reduce((sum, thread) => sum + countOf(thread, reason), 0);
    const before = totals();
    const place = await causes[reason]!();
    // Some come about on a thread that was made for it.
    await until(() => totals(place) > before, `${reason} is counted`);
    expect(countOf(place, reason)).toBeGreaterThan(0);
  });

  test('[S86] a dead letter is told to whoever subscribes, with its reason, and never with its content', async () => {
    const all: DeadLetter[] = [];
    const leave = await stage.system.onDeadLetter((letter) => all.push(letter));
    const { sender, subject } = await stage.pair('spawned on another thread', { mailbox: { capacity: 1, policy: 'drop_newest' } });
    // Actors of former tests may still be ending.
    const told = (letters: readonly DeadLetter[]): DeadLetter[] => letters.filter(({ to }) => to === subject.address);
    await stage.begin(sender, subject, 'busy');
    await sender.note(subject, 1, 2);
    await until(() => told(all).length === 1, 'it is told');
    expect(told(all)[0]).toEqual({
      to: subject.address,
      from: sender.address,
      actor: expect.any(String) as string,
      protocol: puppetProtocol.name,
      message: 'note',
      reason: 'dropped_newest',
      timeMs: expect.any(Number) as number,
    });
    leave();
    const before = countOf(subject, 'dropped_newest');
    await sender.note(subject, 3);
    await until(() => countOf(subject, 'dropped_newest') === before + 1, 'the next is shed too');
    const other: DeadLetter[] = [];
    const leaveOther = await stage.system.onDeadLetter((letter) => other.push(letter));
    await sender.note(subject, 4);
    await until(() => told(other).length === 1, 'told to the other');
    leaveOther();
    expect(told(all)).toHaveLength(1);
  });

  test('[S87] of a flood of dead letters each is told or counted as untold', async () => {
    let told = 0;
    const subject = await stage.spawn(stage.south, { mailbox: { capacity: 1, policy: 'drop_oldest' } });
    const leave = await stage.system.onDeadLetter(({ to }) => {
      if (to === subject.address) told++;
    });
    const sender = await stage.spawn(stage.south);
    // Counted where it was not told any further: on the thread itself, or by the guardian.
    const untold = (): number => stage.system.inspect().threads.reduce((sum, { counters }) => sum + counters.deadLettersUntold, 0);
    const before = untold();
    await sender.do('flood', subject.address, 'note', 20_000);
    await until(() => told + untold() - before === 19_999, 'each is told or counted');
    expect(untold() - before).toBeGreaterThan(0);
    leave();
  });
});
