import { describe, expect, it } from 'vitest';
import { ProviderSession, providersOf } from '../../../actors/inference/hosting/provider-session.ts';
import { ManualClock, SpillwayError } from '../../../kernel/index.ts';
import { puppetModel, type PuppetModel } from './puppet-model.ts';

function slotOf(puppets: readonly PuppetModel[]) {
  let leased = 0;
  return {
    lease: async () => puppets[Math.min(leased++, puppets.length - 1)]!.model.lease(),
    get leased() {
      return leased;
    },
  };
}

const broken = (): never => {
  throw new SpillwayError('backend_load_failed', 'it is broken');
};

function chain() {
  const clock = new ManualClock();
  const [a, b] = [puppetModel('a'), puppetModel('b')];
  const [first, second] = [slotOf([a]), slotOf([b])];
  const providers = providersOf([first, second], { failures: 2, restMs: 100 }, clock);
  return { clock, a, b, first, second, providers, session: () => new ProviderSession(providers, clock) };
}

describe('a session over providers', () => {
  it('asks the first one as long as it works', async () => {
    const { session, second } = chain();
    expect(await session().run(1_000, async ({ info }) => info.name)).toBe('a');
    expect(second.leased).toBe(0);
  });

  it('gives a request that failed to the next one, within the deadline of the request', async () => {
    const { clock, session } = chain();
    const budgets: Record<string, number> = {};
    const result = await session().run(1_000, async ({ info }, deadlineMs) => {
      budgets[info.name] = deadlineMs;
      if (info.name === 'a') {
        clock.advance(400);
        broken();
      }
      return info.name;
    });
    expect([result, budgets]).toEqual(['b', { a: 500, b: 600 }]);
  });

  it('leaves a provider alone that fails in a row, and tries it again later', async () => {
    const { clock, session, providers } = chain();
    const asked: string[] = [];
    let isBroken = true;
    const run = (): Promise<string> =>
      session().run(1_000, async ({ info }) => {
        asked.push(info.name);
        return info.name === 'a' && isBroken ? broken() : info.name;
      });
    for (let request = 0; request < 4; request++) expect(await run()).toBe('b');
    expect(asked.filter((name) => name === 'a')).toHaveLength(2);
    expect(providers[0]!.breaker.state).toBe('open');
    isBroken = false;
    clock.advance(100);
    expect([await run(), await run()]).toEqual(['a', 'a']);
  });

  it('takes an answer that shows a failure for one, but the last one takes it as it is', async () => {
    const { session } = chain();
    expect(await session().run(1_000, async ({ info }) => info.name, (name) => name === 'a')).toBe('b');
    expect(await session().run(1_000, async ({ info }) => info.name, () => true)).toBe('b');
  });

  it('does not blame a provider for what the caller did', async () => {
    const { session, providers, second } = chain();
    for (let request = 0; request < 5; request++) {
      await expect(session().run(1_000, async () => Promise.reject(new SpillwayError('ask_cancelled', 'by the caller')))).rejects.toMatchObject({ code: 'ask_cancelled' });
    }
    await expect(session().run(1_000, async () => Promise.reject(new TypeError('a defect')))).rejects.toThrow(TypeError);
    expect([providers[0]!.breaker.state, second.leased]).toEqual(['closed', 0]);
  });

  it('throws what the last one threw, and says when to come again while all rest', async () => {
    const { session } = chain();
    for (let request = 0; request < 2; request++) await expect(session().run(1_000, async () => broken())).rejects.toMatchObject({ code: 'backend_load_failed' });
    await expect(session().run(1_000, async () => broken())).rejects.toMatchObject({ code: 'providers_resting', details: { retryAfterMs: 100 } });
  });

  it('asks an only provider whatever it did before: its own error says more than that it rests', async () => {
    const only = new ProviderSession(providersOf([slotOf([puppetModel('a')])], { failures: 1 }, new ManualClock()), new ManualClock());
    for (let request = 0; request < 3; request++) await expect(only.run(1_000, async () => broken())).rejects.toMatchObject({ code: 'backend_load_failed' });
    expect(await only.run(1_000, async ({ info }) => info.name)).toBe('a');
  });

  it('keeps one lease for all of its requests, and gives it back at its end', async () => {
    const { session, a, first } = chain();
    const one = session();
    await Promise.all([1, 2, 3].map(() => one.run(1_000, async ({ info }) => info.name)));
    expect([first.leased, a.leases]).toEqual([1, 1]);
    one.close();
    await expect.poll(() => a.leases).toBe(0);
  });

  it('goes on with the same model after that was loaded anew, and with no other', async () => {
    const [old, same, other] = [puppetModel('a'), puppetModel('a again', 'a'), puppetModel('b')];
    const clock = new ManualClock();
    const one = new ProviderSession(providersOf([slotOf([old, same, other])], {}, clock), clock);
    expect(await one.run(1_000, async ({ info }) => info.name)).toBe('a');
    old.die();
    expect(await one.run(1_000, async ({ info }) => info.name)).toBe('a again');
    expect(old.leases).toBe(0);
    same.die();
    await expect(one.run(1_000, async ({ info }) => info.name)).rejects.toMatchObject({ code: 'model_unloaded' });
    expect(other.leases).toBe(0);
  });
});
