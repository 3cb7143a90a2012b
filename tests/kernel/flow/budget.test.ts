import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUDGET_DECISIONS, BUDGET_RESOURCES, Budget, type BudgetLimits, type BudgetSpec } from '../../../kernel/flow/budget.ts';
import { expectRefusal } from './spec-cases.ts';

const NOTHING_LIMITED = { timeMs: Infinity, messages: Infinity, bytes: Infinity, tokens: Infinity };

describe('a budget', () => {
  it.each<[string, BudgetSpec, number, string]>([
    ['messages', { messages: 100 }, 79, 'continue'],
    ['messages', { messages: 100 }, 80, 'degrade'],
    ['messages', { messages: 100 }, 94, 'degrade'],
    ['messages', { messages: 100 }, 95, 'fallback'],
    ['messages', { messages: 100 }, 99, 'fallback'],
    ['messages', { messages: 100 }, 100, 'terminate'],
    ['bytes', { bytes: 1_000, degradeAt: 0.5, fallbackAt: 0.6 }, 500, 'degrade'],
    ['bytes', { bytes: 1_000, degradeAt: 0.5, fallbackAt: 0.6 }, 600, 'fallback'],
    ['tokens', { tokens: 10, degradeAt: 0.5, fallbackAt: 0.5 }, 5, 'fallback'],
    ['tokens', { tokens: 10, degradeAt: 1, fallbackAt: 1 }, 9, 'continue'],
    ['tokens', { tokens: 10 }, 1e9, 'terminate'],
  ])('of %s: %j with %d spent says %s', (resource, spec, amount, decision) => {
    const budget = new Budget(spec, 0);
    expect(budget.charge({ [resource]: amount }, 0)).toBe(decision);
    expect(budget.decision).toBe(decision);
    expect(budget.decidedBy).toBe(decision === 'continue' ? undefined : resource);
  });
  it('of time decides as it passes, looked at with any charge', () => {
    const budget = new Budget({ timeMs: 1_000, messages: 10 }, 5_000);
    expect(budget.charge({ messages: 1 }, 5_799)).toBe('continue');
    expect(budget.charge({}, 5_800)).toBe('degrade');
    expect(budget.charge({}, 5_950)).toBe('fallback');
    expect(budget.decision).toBe('fallback');
    expect(budget.charge({}, 6_000)).toBe('terminate');
    expect(budget.decidedBy).toBe('timeMs');
  });
  it('names the resource that decided first, until another decides more strictly', () => {
    const budget = new Budget({ messages: 10, bytes: 100 }, 0);
    budget.charge({ messages: 8 }, 0);
    budget.charge({ bytes: 80 }, 0);
    expect([budget.decision, budget.decidedBy]).toEqual(['degrade', 'messages']);
    budget.charge({ bytes: 20 }, 0);
    expect([budget.decision, budget.decidedBy]).toEqual(['terminate', 'bytes']);
    budget.charge({ messages: 2 }, 0);
    expect(budget.decidedBy).toBe('bytes');
  });
  it('says what remains, at least 0, and Infinity of what has no limit', () => {
    const budget = new Budget({ timeMs: 100, messages: 10 }, 0);
    budget.charge({ messages: 4, tokens: 7 }, 30);
    expect(budget.remaining(40)).toEqual({ ...NOTHING_LIMITED, timeMs: 60, messages: 6 });
    budget.charge({ messages: 40 }, 30);
    expect(budget.remaining(400)).toEqual({ ...NOTHING_LIMITED, timeMs: 0, messages: 0 });
  });
  it('gets no time back from a clock that is set back', () => {
    const budget = new Budget({ timeMs: 100 }, 1_000);
    budget.charge({}, 1_050);
    expect(budget.remaining(1_000).timeMs).toBe(50);
    budget.charge({}, 1_000);
    expect(budget.remaining(1_040).timeMs).toBe(50);
  });
  it.each([-1, NaN, Infinity])('takes no charge of %s, and counts nothing of it', (amount) => {
    const budget = new Budget({ messages: 10, bytes: 10 }, 0);
    expect(() => budget.charge({ messages: 5, bytes: amount }, 0)).toThrow(TypeError);
    expect(() => budget.charge({ messages: 5 }, NaN)).toThrow(TypeError);
    expect(budget.remaining(0).messages).toBe(10);
  });
});

describe('a child budget', () => {
  it('is a fraction of what is left, and draws on the parent', () => {
    const parent = new Budget({ tokens: 1_000, timeMs: 100 }, 0);
    parent.charge({ tokens: 200 }, 20);
    const child = parent.child(0.5, 20);
    expect(child.remaining(20)).toEqual({ ...NOTHING_LIMITED, tokens: 400, timeMs: 40 });
    expect(child.charge({ tokens: 320 }, 20)).toBe('degrade');
    expect(parent.decision).toBe('continue');
    expect(parent.remaining(20).tokens).toBe(480);
    expect(child.charge({}, 60)).toBe('terminate');
    expect([child.decidedBy, parent.decision]).toEqual(['timeMs', 'continue']);
  });
  it('has the limits it is given, cut to what is left', () => {
    const parent = new Budget({ tokens: 100, messages: 5 }, 0);
    expect(parent.child({ tokens: 30, bytes: 7 }, 0).remaining(0)).toEqual({ ...NOTHING_LIMITED, tokens: 30, messages: 5, bytes: 7 });
    expect(parent.child({ tokens: 300 }, 0).remaining(0).tokens).toBe(100);
  });
  it('is ended by the parent when its siblings have used up what it was promised', () => {
    const parent = new Budget({ messages: 10 }, 0);
    const [greedy, late] = [parent.child(0.9, 0), parent.child(0.9, 0)];
    greedy.charge({ messages: 8 }, 0);
    expect(late.remaining(0).messages).toBe(2);
    expect([late.decision, late.decidedBy]).toEqual(['degrade', 'messages']);
    expect(late.charge({ messages: 2 }, 0)).toBe('terminate');
    expect(greedy.decision).toBe('terminate');
  });
  it('of a budget that is exhausted ends at once', () => {
    const parent = new Budget({ messages: 1 }, 0);
    parent.charge({ messages: 1 }, 0);
    expect(parent.child(1, 0).decision).toBe('terminate');
    const timed = new Budget({ timeMs: 10 }, 0);
    expect(timed.child(0.5, 10).decision).toBe('terminate');
  });
  it('begins with the decision that the time of its parent brings', () => {
    const parent = new Budget({ timeMs: 100 }, 0);
    expect(parent.child({ tokens: 5 }, 85).decision).toBe('degrade');
    expect(parent.decision).toBe('degrade');
  });
  it('keeps the fractions of its parent', () => {
    const child = new Budget({ messages: 100, degradeAt: 0.1, fallbackAt: 0.2 }, 0).child(0.1, 0);
    expect(child.charge({ messages: 1 }, 0)).toBe('degrade');
    expect(child.charge({ messages: 1 }, 0)).toBe('fallback');
  });
  it('nests to a bound', () => {
    let budget = new Budget({ messages: 100 }, 0);
    for (let depth = 2; depth <= 32; depth++) budget = budget.child(1, 0);
    expectRefusal(() => budget.child(1, 0), 'budget_invalid', 'at most 32 deep');
    expect(budget.charge({ messages: 100 }, 0)).toBe('terminate');
  });
});

interface Node {
  readonly budget: Budget;
  readonly parent: Node | undefined;
  readonly limits: Readonly<Record<string, number>>;
  readonly used: Record<string, number>;
  readonly startMs: number;
}

/** The strictest that any level says of what it has used. */
function expectedRank(node: Node): number {
  const ranks = BUDGET_RESOURCES.map((resource) => {
    const [used, limit] = [node.used[resource]!, node.limits[resource]!];
    return used >= limit ? 3 : used >= limit * 0.75 ? 2 : used >= limit * 0.5 ? 1 : 0;
  });
  return Math.max(...ranks, node.parent === undefined ? 0 : expectedRank(node.parent));
}

describe('any tree of budgets', () => {
  it('decides by what was spent in and below each, and never again more mildly', () => {
    const limit = fc.option(fc.integer({ min: 1, max: 64 }), { nil: undefined });
    const steps = fc.array(
      fc.oneof(
        fc.record({ call: fc.constant('child' as const), pick: fc.nat(), share: fc.constantFrom(0.25, 0.5, 1), afterMs: fc.nat(2) }),
        fc.record({ call: fc.constant('charge' as const), pick: fc.nat(), messages: fc.nat(4), bytes: fc.nat(4), tokens: fc.nat(4), afterMs: fc.nat(2) }),
      ),
      { maxLength: 60, size: 'max' },
    );
    const reached = new Set<string>();
    fc.assert(
      fc.property(fc.record({ timeMs: limit, messages: limit, bytes: limit }), steps, (limits, calls) => {
        const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)) as BudgetLimits;
        const root = new Budget({ tokens: 64, ...given, degradeAt: 0.5, fallbackAt: 0.75 }, 0);
        const none = (): Record<string, number> => ({ timeMs: 0, messages: 0, bytes: 0, tokens: 0 });
        const nodes: Node[] = [{ budget: root, parent: undefined, limits: { ...NOTHING_LIMITED, tokens: 64, ...given }, used: none(), startMs: 0 }];
        let nowMs = 0;
        for (const step of calls) {
          nowMs += step.afterMs;
          const node = nodes[step.pick % nodes.length]!;
          const before = nodes.map(({ budget }) => BUDGET_DECISIONS.indexOf(budget.decision));
          for (let up: Node | undefined = node; up !== undefined; up = up.parent) {
            up.used['timeMs'] = nowMs - up.startMs;
            if (step.call === 'child') continue;
            for (const resource of ['messages', 'bytes', 'tokens'] as const) up.used[resource]! += step[resource];
          }
          if (step.call === 'charge') {
            expect(node.budget.charge(step, nowMs)).toBe(BUDGET_DECISIONS[expectedRank(node)]);
          } else if (nodes.length < 20) {
            const left = node.budget.remaining(nowMs);
            const shared = Object.fromEntries(BUDGET_RESOURCES.map((resource) => [resource, left[resource] * step.share]));
            nodes.push({ budget: node.budget.child(step.share, nowMs), parent: node, limits: shared, used: none(), startMs: nowMs });
          }
          for (const [index, { budget, parent }] of nodes.entries()) {
            const rank = BUDGET_DECISIONS.indexOf(budget.decision);
            reached.add(budget.decision);
            expect(rank).toBeGreaterThanOrEqual(before[index] ?? 0);
            if (parent !== undefined) expect(rank).toBeGreaterThanOrEqual(BUDGET_DECISIONS.indexOf(parent.budget.decision));
            expect(budget.decidedBy === undefined).toBe(budget.decision === 'continue');
          }
        }
      }),
      { numRuns: 150 },
    );
    expect([...reached].toSorted()).toEqual([...BUDGET_DECISIONS].toSorted());
  });
});

describe('a spec of a budget', () => {
  it.each<[string, unknown, string]>([
    ['that is none', null, 'The budget spec must be an object, and is null'],
    ['without a limit', {}, 'must limit at least one of timeMs, messages, bytes, tokens'],
    ['with a limit of 0', { messages: 0 }, 'spec.messages must be a number from 1'],
    ['without end', { tokens: Infinity }, 'spec.tokens must be a number from 1 to 9007199254740991, and is Infinity'],
    ['with a misspelt key', { time: 5 }, 'unknown key "time"'],
    ['with fractions in the wrong order', { bytes: 5, fallbackAt: 0.5 }, 'degradeAt must not be above fallbackAt (0.5), and is 0.8'],
    ['with percent', { bytes: 5, degradeAt: 80 }, 'degradeAt must be a number from 0.001 to 1, and is 80'],
  ])('%s is refused in words that say where', (_, spec, words) => {
    expectRefusal(() => new Budget(spec as BudgetSpec, 0), 'budget_invalid', words);
  });
  it.each<[number | BudgetLimits, string]>([
    [0, 'fraction above 0 and up to 1, or limits, and is 0'],
    [1.5, 'and is 1.5'],
    [NaN, 'and is NaN'],
    [{ tokens: -1 }, 'The share of a budget.tokens must be a number from 1'],
  ])('and so is a share of %j', (share, words) => {
    expectRefusal(() => new Budget({ tokens: 5 }, 0).child(share, 0), 'budget_invalid', words);
  });
});
