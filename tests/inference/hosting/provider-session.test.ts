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
    expect(await session().run(1_000, async ({ info }) => info.name, { verdictOf: (name) => (name === 'a' ? 'failed' : 'served') })).toBe('b');
    expect(await session().run(1_000, async ({ info }) => info.name, { verdictOf: () => 'failed' })).toBe('b');
  });

  it('does not blame a provider for what the caller did', async () => {
    const { session, providers, second } = chain();
    for (let request = 0; request < 5; request++) {
      await expect(session().run(1_000, async () => Promise.reject(new SpillwayError('ask_cancelled', 'by the caller')))).rejects.toMatchObject({ code: 'ask_cancelled' });
    }
    await expect(session().run(1_000, async () => Promise.reject(new TypeError('a defect')))).rejects.toThrow(TypeError);
    expect([providers[0]!.breaker.state, second.leased]).toEqual(['closed', 0]);
  });

  it('does not blame a provider for a request that was in a hurry, but for one that had time', async () => {
    const { clock, session, providers } = chain();
    const late = (deadlineMs: number): Promise<string> =>
      session().run(
        deadlineMs,
        async ({ info }, grantedMs) => {
          if (info.name === 'a') clock.advance(grantedMs);
          return info.name;
        },
        { verdictOf: (name) => (name === 'a' ? 'late' : 'served') },
      );
    for (let request = 0; request < 5; request++) expect(await late(100)).toBe('b');
    expect(providers[0]!.breaker.state).toBe('closed');
    for (let request = 0; request < 2; request++) expect(await late(10_000)).toBe('b');
    expect(providers[0]!.breaker.state).toBe('open');
  });

  it('asks a provider even when the time is over at once, so that the answer says what became of the request', async () => {
    const clock = new ManualClock();
    const jumping = { monotonicMs: () => (clock.advance(5), clock.monotonicMs()), wallMs: () => 0 };
    for (const models of [[puppetModel('a')], [puppetModel('a'), puppetModel('b')]]) {
      const session = new ProviderSession(providersOf(models.map((model) => slotOf([model])), {}, jumping), jumping);
      const asked: string[] = [];
      const late = async ({ info }: { info: { name: string } }, grantedMs: number): Promise<string> => {
        asked.push(`${info.name} ${grantedMs}`);
        return 'too late';
      };
      expect(await session.run(1, late, { verdictOf: () => 'late' })).toBe('too late');
      expect(asked).toHaveLength(1);
    }
  });

  it('waits for a model to be loaded as long as the request may take or until it is cancelled, and gives the lease back when it comes', async () => {
    const puppet = puppetModel('a');
    const { promise: loaded, resolve: load } = Promise.withResolvers<void>();
    const slot = { lease: async () => (await loaded, puppet.model.lease()) };
    const due: (() => void)[] = [];
    const timers = { after: (_: number, run: () => void) => (due.push(run), () => {}) };
    const open = (): ProviderSession => new ProviderSession(providersOf([slot], {}, new ManualClock()), new ManualClock(), timers);
    const [hurried, cancelled, patient] = [open(), open(), open()];
    const cancel = new AbortController();
    const work = async (): Promise<string> => 'done';
    const late = hurried.run(500, work);
    const givenUp = cancelled.run(500, work, { signal: cancel.signal });
    const served = patient.run(500, work);
    due[0]!();
    cancel.abort();
    await expect(late).rejects.toMatchObject({ code: 'ask_deadline' });
    await expect(givenUp).rejects.toMatchObject({ code: 'ask_cancelled' });
    const cancelledBefore = cancelled.run(500, work, { signal: cancel.signal });
    due.at(-1)!();
    await expect(cancelledBefore).rejects.toMatchObject({ code: 'ask_cancelled' });
    for (const session of [hurried, cancelled]) session.close();
    load();
    expect(await served).toBe('done');
    await expect.poll(() => puppet.leases).toBe(1);
    patient.close();
    await expect.poll(() => puppet.leases).toBe(0);
  });

  it('asks a model that is there even for a request that was cancelled before, so that the answer says so of each text', async () => {
    expect(await chain().session().run(1_000, async ({ info }) => info.name, { signal: AbortSignal.abort() })).toBe('a');
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
