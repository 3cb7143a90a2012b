import { describe, expect, it } from 'vitest';
import { ModelSlot } from '../../../actors/inference/hosting/model-slot.ts';
import { SpillwayError } from '../../../kernel/index.ts';
import { puppetModel, type PuppetModel } from './puppet-model.ts';

function slotOf(source = 'a') {
  const loaded: PuppetModel[] = [];
  const failing = new Set<string>();
  const slot = new ModelSlot<string>(source, async (wanted) => {
    await Promise.resolve();
    if (failing.has(wanted)) throw new SpillwayError('backend_load_failed', `no ${wanted}`);
    const puppet = puppetModel(wanted);
    loaded.push(puppet);
    return puppet.model;
  });
  return { slot, loaded, failing };
}

describe('a model slot', () => {
  it('loads its model with the first lease, once for many at the same time', async () => {
    const { slot, loaded } = slotOf();
    expect(slot.current).toBeUndefined();
    const leases = await Promise.all(Array.from({ length: 10 }, () => slot.lease()));
    expect(loaded).toHaveLength(1);
    expect(loaded[0]!.leases).toBe(10);
    for (const { release } of leases) {
      release();
      release();
    }
    expect(loaded[0]!.leases).toBe(0);
  });

  it('leads new calls to the new model at a swap, and ends the old one with its last call', async () => {
    const { slot, loaded } = slotOf();
    const old = await slot.lease();
    const swapping = slot.swap('b');
    await expect.poll(() => slot.current?.info.name).toBe('b');
    const next = await slot.lease();
    expect(next.model.info.name).toBe('b');
    expect([old.model.info.name, loaded[0]!.isClosed]).toEqual(['a', false]);
    old.release();
    expect(await swapping).toMatchObject({ from: { name: 'a' }, to: { name: 'b' }, isCut: false });
    expect(loaded.map(({ isClosed }) => isClosed)).toEqual([true, false]);
    next.release();
  });

  it('goes on with the old model when the new one cannot be loaded', async () => {
    const { slot, loaded, failing } = slotOf();
    (await slot.lease()).release();
    failing.add('b');
    await expect(slot.swap('b')).rejects.toMatchObject({ code: 'backend_load_failed' });
    expect([slot.source, slot.former, slot.current!.info.name, loaded[0]!.isClosed]).toEqual(['a', undefined, 'a', false]);
  });

  it('rolls back to the former model, and from there again', async () => {
    const { slot } = slotOf();
    await expect(slot.rollback()).rejects.toMatchObject({ code: 'model_no_former' });
    await slot.swap('b');
    expect((await slot.rollback()).to.name).toBe('a');
    expect((await slot.rollback()).to.name).toBe('b');
  });

  it('swaps one after another, whatever is asked at once, and ends all but the last', async () => {
    const { slot, loaded } = slotOf();
    const held = await slot.lease();
    const swaps = ['b', 'c', 'd'].map((source) => slot.swap(source));
    await expect.poll(() => slot.current?.info.name).toBe('d');
    held.release();
    await Promise.all(swaps);
    expect(loaded.map(({ name, isClosed }) => `${name} ${isClosed ? 'closed' : 'open'}`)).toEqual(['a closed', 'b closed', 'c closed', 'd open']);
  });

  it('loads its model again after it has gone for good', async () => {
    const { slot, loaded } = slotOf();
    (await slot.lease()).release();
    loaded[0]!.die();
    const { model } = await slot.lease();
    expect([loaded.length, model === loaded[1]!.model, loaded[0]!.isClosed]).toEqual([2, true, true]);
  });

  it('tries again after a load that failed', async () => {
    const { slot, failing } = slotOf();
    failing.add('a');
    await expect(slot.lease()).rejects.toMatchObject({ code: 'backend_load_failed' });
    failing.delete('a');
    expect((await slot.lease()).model.info.name).toBe('a');
  });

  it('unloads only what nobody uses, and never waits for a change', async () => {
    const { slot, loaded } = slotOf();
    const lease = await slot.lease();
    expect(await slot.unload()).toBe(false);
    lease.release();
    const swapping = slot.swap('b');
    expect(await slot.unload()).toBe(false);
    await swapping;
    expect(await slot.unload()).toBe(true);
    expect(loaded.map(({ isClosed }) => isClosed)).toEqual([true, true]);
    expect((await slot.lease()).model.info.name).toBe('b');
  });

  it('refuses leases once closed, and tells what still waits that it is closed', async () => {
    const { slot, loaded } = slotOf();
    await slot.lease();
    await slot.close();
    expect([loaded[0]!.isClosed, loaded[0]!.closedWith?.code]).toEqual([true, 'actor_stopped']);
    await expect(slot.lease()).rejects.toMatchObject({ code: 'actor_stopped' });
    await expect(slot.swap('b')).rejects.toMatchObject({ code: 'actor_stopped' });
  });
});
