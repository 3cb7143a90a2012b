import { BACK_PRESSURED } from 'atomics-ring-buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAILBOX_POLICIES, Mailbox, SHED_REASONS, completeMailboxSpec, type MailboxMode, type MailboxSpec, type ShedReason } from '../../../kernel/mailbox/mailbox.ts';
import { anyMailboxSpec, anySteps, type Arrival, type Step } from './mailbox-scripts.ts';

const SHEDS_OF_POLICY: Readonly<Record<MailboxSpec<Arrival>['policy'], readonly ShedReason[]>> = {
  refuse: [],
  wait: [],
  drop_newest: ['dropped_newest', 'flushed'],
  drop_oldest: ['dropped_oldest', 'flushed'],
  conflate: ['conflated', 'dropped_oldest', 'flushed'],
  expire: ['expired', 'flushed'],
};

/** A mailbox, the fate of each message, and the mode as its observer knows it. */
class Books {
  readonly mailbox: Mailbox<Arrival>;
  readonly #spec: MailboxSpec<Arrival>;
  readonly #shed = new Map<ShedReason, number>(SHED_REASONS.map((reason) => [reason, 0]));
  /** Messages whose fate is known; each has one only. */
  readonly #settled = new Set<Arrival>();
  #accepted = 0;
  #taken = 0;
  #lastTaken = -1;
  #knownMode: MailboxMode = 'async';
  #hasForced = false;

  constructor(spec: MailboxSpec<Arrival>) {
    this.#spec = spec;
    this.mailbox = new Mailbox(spec, {
      shed: (arrival, reason) => {
        expect(SHEDS_OF_POLICY[spec.policy]).toContain(reason);
        this.#shed.set(reason, this.#shed.get(reason)! + 1);
        this.#settle(arrival);
      },
      modeChanged: (from, to, level) => {
        expect(from).toBe(this.#knownMode);
        expect(to).not.toBe(from);
        const isBetter = to === 'async' || (from === 'drop' && to === 'sync');
        if (isBetter && from === 'drop') expect(level).toBeLessThanOrEqual(spec.marks.dropLow);
        if (isBetter && to === 'async') expect(level).toBeLessThanOrEqual(spec.marks.syncLow);
        this.#knownMode = to;
      },
    });
  }

  run(step: Step, id: number, nowMs: number): void {
    const { mailbox } = this;
    switch (step.call) {
      case 'offer':
      case 'force': {
        const arrival = { id, key: step.key };
        if (step.call === 'force') {
          mailbox.force(arrival, nowMs);
          this.#accepted++;
          this.#hasForced = true;
        } else {
          const answer = mailbox.offer(arrival, nowMs);
          expect([0, BACK_PRESSURED]).toContain(answer);
          if (answer === 0) this.#accepted++;
          // A refused message is still its sender's.
          else expect(this.#settled.has(arrival)).toBe(false);
        }
        break;
      }
      case 'take': {
        const arrival = mailbox.take(nowMs);
        if (arrival === undefined) expect(mailbox.level).toBe(0);
        else this.#take(arrival);
        break;
      }
      case 'takeAll':
        for (const arrival of mailbox.takeAll()) this.#take(arrival);
        expect(mailbox.level).toBe(0);
    }
    this.check();
  }

  check(): void {
    const { level, mode } = this.mailbox;
    const { capacity, marks, policy } = this.#spec;
    const shed = [...this.#shed.values()].reduce((sum, count) => sum + count, 0);
    expect(this.#taken + shed + level).toBe(this.#accepted);
    expect(this.#settled.size).toBe(this.#taken + shed);
    expect(mode).toBe(this.#knownMode);
    if (!this.#hasForced || !['refuse', 'wait', 'expire'].includes(policy)) expect(level).toBeLessThanOrEqual(capacity);
    // What the marks say of a mode at rest.
    if (mode === 'async') expect(level).toBeLessThan(marks.sync);
    if (mode === 'sync') expect(level > marks.syncLow && level < marks.drop).toBe(true);
    if (mode === 'drop') expect(level).toBeGreaterThan(marks.dropLow);
    expect(mode).not.toBe('flush');
  }

  #take(arrival: Arrival): void {
    this.#taken++;
    this.#settle(arrival);
    // A conflated message stands in the place of an older one.
    if (this.#spec.policy === 'conflate') return;
    expect(arrival.id).toBeGreaterThan(this.#lastTaken);
    this.#lastTaken = arrival.id;
  }

  #settle(arrival: Arrival): void {
    expect(this.#settled.has(arrival)).toBe(false);
    this.#settled.add(arrival);
  }
}

describe.each(MAILBOX_POLICIES)('the books of a mailbox of the policy %s', (policy) => {
  test('balance at every moment: accepted = taken + shed by reason + level', () => {
    fc.assert(
      fc.property(anyMailboxSpec(policy), anySteps, (partial, steps) => {
        const books = new Books(completeMailboxSpec(partial));
        let nowMs = 0;
        for (const [id, step] of steps.entries()) {
          nowMs += step.afterMs;
          books.run(step, id, nowMs);
        }
      }),
      { numRuns: 300 },
    );
  });
});
