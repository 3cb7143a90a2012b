import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SpillwayError } from '../../../kernel/errors.ts';
import { CancelScope, scopeIds, type ScopeHost } from '../../../kernel/flow/cancel-scope.ts';
import { Fences } from '../../../kernel/flow/fence.ts';
import { TimerWheel } from '../../../kernel/time/timer-wheel.ts';
import { heapGrowthBytes } from './heap-growth.ts';
import { expectRefusal } from './spec-cases.ts';

/** A thread as far as scopes need one, whose time the test turns on. */
class Host implements ScopeHost {
  readonly timers = new TimerWheel(0);
  readonly cancelledIds: number[] = [];
  readonly nextId = scopeIds();
  readonly maxScopes = 100;
  nowMs = 0;

  after(delayMs: number, run: () => void): { cancel(): void } {
    return this.timers.schedule(this.nowMs + delayMs, run);
  }

  scopeCancelled(scope: CancelScope): void {
    this.cancelledIds.push(scope.id);
  }

  advanceTo(nowMs: number): void {
    this.nowMs = nowMs;
    this.timers.advance(nowMs);
  }
}

describe('a cancel', () => {
  it('reaches what is below, once each, and never what is above or beside', () => {
    const root = new CancelScope(new Host());
    const [left, right] = [root.child(), root.child()];
    const leaf = left.child();
    const heard: string[] = [];
    for (const [name, scope] of Object.entries({ root, left, right, leaf })) scope.onCancel((reason) => heard.push(`${name} ${String(reason)}`));
    expect(left.cancel('enough')).toBe(true);
    expect(left.cancel('again')).toBe(false);
    expect(leaf.cancel('again')).toBe(false);
    expect(heard).toEqual(['left enough', 'leaf enough']);
    expect([root.cancelled, left.cancelled, right.cancelled, leaf.cancelled]).toEqual([false, true, false, true]);
    expect([left.reason, leaf.reason, root.reason]).toEqual(['enough', 'enough', undefined]);
    root.cancel('all');
    expect(heard.slice(2)).toEqual(['root all', 'right all']);
    expect([left.reason, right.reason]).toEqual(['enough', 'all']);
  });
  it('without a reason has an error with a code for one', () => {
    const scope = new CancelScope(new Host());
    scope.cancel();
    expect(scope.reason).toMatchObject({ code: 'scope_cancelled', details: { scope: scope.id } });
  });
  it('shows every scope as cancelled, and every fence as raised, before any listener is called', () => {
    const host = new Host();
    const root = new CancelScope(host);
    const children = [root.child(), root.child()];
    const seen: unknown[] = [];
    root.onCancel(() => seen.push(...children.map(({ cancelled }) => cancelled), [...host.cancelledIds]));
    root.cancel();
    expect(seen).toEqual([true, true, [1, 2, 3]]);
  });
  it('goes down a chain of any length', () => {
    const root = new CancelScope({ nextId: scopeIds(), after: () => ({ cancel() {} }) });
    let leaf = root;
    for (let depth = 0; depth < 50_000; depth++) leaf = leaf.child();
    root.cancel('enough');
    expect(leaf.reason).toBe('enough');
  });
  it('tells the other listeners also when some throw, and then throws', () => {
    const heard: string[] = [];
    const fail = (text: string) => () => {
      throw new Error(text);
    };
    const one = new CancelScope(new Host());
    const child = one.child();
    one.onCancel(fail('first'));
    child.onCancel(() => heard.push('child'));
    expect(() => one.cancel()).toThrow('first');
    expect(heard).toEqual(['child']);
    const two = new CancelScope(new Host());
    two.onCancel(fail('first'));
    two.onCancel(fail('second'));
    expect(() => two.cancel()).toThrow(AggregateError);
    expect(two.cancelled).toBe(true);
  });
});

describe('a listener', () => {
  it('is called at once if the scope is cancelled, and never if it is closed', () => {
    const heard: string[] = [];
    const [cancelled, closed] = [new CancelScope(new Host()), new CancelScope(new Host())];
    closed.onCancel(() => heard.push('early'));
    closed.close();
    expect(closed.cancel()).toBe(false);
    closed.onCancel(() => heard.push('late'));
    cancelled.cancel('enough');
    cancelled.onCancel((reason) => heard.push(String(reason)));
    expect(heard).toEqual(['enough']);
  });
  it('is not called once it is taken off, also by a listener of the same cancel', () => {
    const scope = new CancelScope(new Host());
    const heard: string[] = [];
    const off = scope.onCancel(() => heard.push('off'));
    scope.onCancel(() => offLater());
    const offLater = scope.onCancel(() => heard.push('off later'));
    const listener = (): unknown => heard.push('twice');
    const offTwice = scope.onCancel(listener);
    scope.onCancel(listener);
    off();
    off();
    offTwice();
    scope.cancel();
    expect(heard).toEqual(['twice']);
  });
  it('is one of at most 1,024', () => {
    const scope = new CancelScope(new Host());
    const offs = Array.from({ length: 1_024 }, () => scope.onCancel(() => {}));
    expectRefusal(() => scope.onCancel(() => {}), 'scope_full', 'Scope 1 has 1024 listeners');
    offs[0]!();
    scope.onCancel(() => {});
  });
});

describe('the signal of a scope', () => {
  it('aborts with its reason, whenever it was asked for', () => {
    const scope = new CancelScope(new Host());
    const early = scope.child();
    const late = scope.child();
    const signal = early.signal;
    expect(signal.aborted).toBe(false);
    scope.cancel('enough');
    for (const each of [signal, late.signal]) expect([each.aborted, each.reason]).toEqual([true, 'enough']);
    expect(early.signal).toBe(signal);
  });
  it('stays quiet when the scope is closed', () => {
    const scope = new CancelScope(new Host());
    const { signal } = scope;
    scope.close();
    expect([signal.aborted, scope.cancelled, scope.isOver]).toEqual([false, false, true]);
  });
});

describe('a deadline', () => {
  it('cancels the scope when it passes, with a code', () => {
    const host = new Host();
    const root = new CancelScope(host);
    const scope = root.child({ deadlineMs: 50 });
    host.advanceTo(49);
    expect(scope.cancelled).toBe(false);
    host.advanceTo(50);
    expect(scope.reason).toMatchObject({ code: 'scope_deadline', message: 'Scope 2 was not over within 50 ms.' });
    expect(root.cancelled).toBe(false);
  });
  it('leaves no timer behind when the scope is over before it', () => {
    const host = new Host();
    const root = new CancelScope(host);
    root.child({ deadlineMs: 50 }).close();
    root.child({ deadlineMs: 50 }).cancel();
    root.child().child({ deadlineMs: 50 });
    root.cancel();
    root.child({ deadlineMs: 50 });
    expect(host.timers.size).toBe(0);
  });
  it.each([0, -1, NaN, Infinity])('of %s is a mistake', (deadlineMs) => {
    const root = new CancelScope(new Host());
    expect(() => root.child({ deadlineMs })).toThrow(TypeError);
    expect(root.size).toBe(0);
  });
});

describe('a scope that is over', () => {
  it('by closing cancels what is still open in it, which nobody waits for any more', () => {
    const host = new Host();
    const root = new CancelScope(host);
    const scope = root.child();
    const [open, done] = [scope.child(), scope.child()];
    done.close();
    scope.close();
    expect([scope.cancelled, open.cancelled, done.cancelled]).toEqual([false, true, false]);
    expect(open.reason).toBeInstanceOf(SpillwayError);
    expect(open.reason).toMatchObject({ code: 'scope_cancelled', message: expect.stringContaining('Scope 2 was closed') });
    expect(host.cancelledIds).toEqual([open.id]);
  });
  it('begins nothing: a child of it is cancelled already', () => {
    const [cancelled, closed] = [new CancelScope(new Host()), new CancelScope(new Host())];
    cancelled.cancel('enough');
    closed.close();
    expect(cancelled.child().reason).toBe('enough');
    expect(closed.child().reason).toMatchObject({ code: 'scope_cancelled' });
    expect(closed.child().child().cancelled).toBe(true);
  });
  it('is let go of by its parent, so a tree takes as many as it may at once and any number over time', () => {
    const root = new CancelScope(new Host());
    const open = Array.from({ length: 99 }, () => root.child());
    expect(root.size).toBe(99);
    expectRefusal(() => open[5]!.child(), 'scope_full', 'The tree of scopes has 100 open scopes');
    open[5]!.close();
    open[6]!.cancel();
    expect(root.size).toBe(97);
    open[7]!.child().child();
    expectRefusal(() => root.child(), 'scope_full', 'The tree of scopes has 100 open scopes');
    open[7]!.close();
    expect(Array.from({ length: 3 }, () => root.child()).every(({ isOver }) => !isOver)).toBe(true);
  });
  it('closes where its block ends', () => {
    const root = new CancelScope(new Host());
    {
      using scope = root.child();
      expect([scope.isOver, root.size]).toEqual([false, 1]);
    }
    expect(root.size).toBe(0);
  });
  it('leaves nothing behind: a million opened and closed take no memory', () => {
    const host = new Host();
    const root = new CancelScope(host);
    const round = (count: number): void => {
      for (let index = 0; index < count; index++) {
        const scope = index % 4 === 0 ? root.child({ deadlineMs: 60_000 }) : root.child();
        if (index % 8 === 0) scope.onCancel(() => {});
        if (index % 3 === 0) scope.cancel('enough');
        else scope.close();
      }
    };
    round(10_000);
    const grownBytes = heapGrowthBytes(() => {
      host.cancelledIds.length = 0;
      round(1_000_000);
      host.cancelledIds.length = 0;
    });
    expect(root.size).toBe(0);
    // Less than 4 bytes for each; one that is kept has hundreds.
    expect(grownBytes).toBeLessThan(4_000_000);
    expect(host.timers.size).toBe(0);
  });
});

describe('numbers of scopes', () => {
  it('count up and around, without the one that means none', () => {
    const next = scopeIds(0xffff_fffd);
    expect([next(), next(), next(), next()]).toEqual([0xffff_fffe, 0xffff_ffff, 1, 2]);
  });
});

interface ModelScope {
  readonly scope: CancelScope;
  readonly parent: ModelScope | undefined;
  state: 'open' | 'cancelled' | 'closed';
  calls: number;
}

describe('any tree of scopes', () => {
  it('is cancelled downwards only, once each, and nothing of what is cancelled passes the fences', () => {
    // Mostly children, as an end of the root, which comes early at times, ends everything.
    const call = fc.constantFrom<'child' | 'cancel' | 'close'>('child', 'child', 'child', 'child', 'cancel', 'close');
    const steps = fc.array(fc.record({ call, pick: fc.nat() }), { minLength: 10, maxLength: 60, size: 'max' });
    const origin = 9;
    let cancelled = 0;
    fc.assert(
      fc.property(steps, (calls) => {
        const fences = new Fences({ maxFences: 100, maxAgeMs: 1_000 });
        const host: ScopeHost = { nextId: scopeIds(), after: () => ({ cancel() {} }), scopeCancelled: ({ id }) => fences.raise(origin, id, 0) };
        const all: ModelScope[] = [];
        const add = (scope: CancelScope, parent: ModelScope | undefined): void => {
          const model: ModelScope = { scope, parent, state: 'open', calls: 0 };
          scope.onCancel(() => model.calls++);
          all.push(model);
        };
        const isBelow = (model: ModelScope, top: ModelScope): boolean => model === top || (model.parent !== undefined && isBelow(model.parent, top));
        add(new CancelScope(host), undefined);
        for (const { call, pick } of calls) {
          const model = all[pick % all.length]!;
          if (call === 'child') {
            if (model.state === 'open') add(model.scope.child(), model);
            else expect(model.scope.child().cancelled).toBe(true);
            continue;
          }
          if (call === 'cancel') expect(model.scope.cancel()).toBe(model.state === 'open');
          else model.scope.close();
          if (model.state !== 'open') continue;
          for (const each of all) if (each.state === 'open' && isBelow(each, model)) each.state = 'cancelled';
          if (call === 'close') model.state = 'closed';
        }
        for (const { scope, state, calls } of all) {
          expect(scope.cancelled ? 'cancelled' : scope.isOver ? 'closed' : 'open').toBe(state);
          expect(calls).toBe(state === 'cancelled' ? 1 : 0);
          expect(fences.blocks(origin, scope.id)).toBe(state === 'cancelled');
          expect(scope.size).toBe(all.filter((each) => each.parent?.scope === scope && each.state === 'open').length);
          if (state === 'cancelled') cancelled++;
        }
      }),
      { numRuns: 500 },
    );
    expect(cancelled).toBeGreaterThan(300);
  });
});
