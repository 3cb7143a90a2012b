import { describe, expect, it } from 'vitest';
import { CircuitBreaker } from '../../../actors/inference/hosting/circuit-breaker.ts';
import { ManualClock } from '../../../kernel/index.ts';

function breaker() {
  const clock = new ManualClock();
  return { clock, breaker: new CircuitBreaker(clock, { failures: 3, restMs: 100, restMsMax: 350 }) };
}

describe('a circuit breaker', () => {
  it('stays closed as long as successes come between the failures', () => {
    const { breaker: one } = breaker();
    for (let round = 0; round < 10; round++) {
      expect(one.admits()).toBe(true);
      one.failed();
      one.failed();
      one.succeeded();
    }
    expect(one.state).toBe('closed');
  });

  it('opens at the third failure in a row, and admits one trial when its rest is over', () => {
    const { clock, breaker: one } = breaker();
    for (let failure = 0; failure < 3; failure++) one.failed();
    expect([one.state, one.admits(), one.restLeftMs]).toEqual(['open', false, 100]);
    clock.advance(99);
    expect(one.admits()).toBe(false);
    clock.advance(1);
    expect([one.state, one.admits(), one.admits()]).toEqual(['half_open', true, false]);
    one.succeeded();
    expect([one.state, one.admits(), one.restLeftMs]).toEqual(['closed', true, 0]);
  });

  it('rests twice as long after each failed trial, up to its bound, and begins anew after a success', () => {
    const { clock, breaker: one } = breaker();
    for (let failure = 0; failure < 3; failure++) one.failed();
    for (const restMs of [100, 200, 350, 350]) {
      expect(one.restLeftMs).toBe(restMs);
      clock.advance(restMs);
      expect(one.admits()).toBe(true);
      one.failed();
    }
    clock.advance(350);
    one.admits();
    one.succeeded();
    for (let failure = 0; failure < 3; failure++) one.failed();
    expect(one.restLeftMs).toBe(100);
  });

  it('takes late failures of requests from before it opened for none of its trial', () => {
    const { clock, breaker: one } = breaker();
    for (let failure = 0; failure < 3; failure++) one.failed();
    one.failed();
    expect(one.restLeftMs).toBe(100);
    clock.advance(100);
    expect(one.admits()).toBe(true);
  });

  it('admits another trial after one that said nothing', () => {
    const { clock, breaker: one } = breaker();
    for (let failure = 0; failure < 3; failure++) one.failed();
    clock.advance(100);
    one.admits();
    one.inconclusive();
    expect(one.admits()).toBe(true);
  });
});
