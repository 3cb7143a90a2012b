/**
 * Any sequence of calls by several owners, some of which die, against a model of a dozen lines: a block
 * has one holder or none, and a handle is good until its block becomes free or is taken over.
 */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BACK_PRESSURED, BlockOwner, BlockPool, NOT_OWNED, createBlockPool } from 'atomics-ring-buffer';
import { withCode } from './ring.cases.ts';

const CLASSES = [
  { blockBytes: 64, count: 3 },
  { blockBytes: 128, count: 2 },
];
const OWNERS = 3;

const HANDLE_CALLS = ['release', 'handOver', 'takeOver', 'takeBack', 'offsetOf'] as const;

type Step =
  | { readonly call: 'acquire'; readonly owner: number; readonly bytes: number }
  | { readonly call: (typeof HANDLE_CALLS)[number]; readonly owner: number; readonly pick: number }
  | { readonly call: 'die' | 'reclaimUnpublished' | 'attach'; readonly owner: number };

const owners = fc.integer({ min: 1, max: OWNERS });
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ call: fc.constant('acquire' as const), owner: owners, bytes: fc.constantFrom(1, 64, 65, 128) }) },
  { weight: 12, arbitrary: fc.record({ call: fc.constantFrom(...HANDLE_CALLS), owner: owners, pick: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ call: fc.constantFrom('die' as const, 'reclaimUnpublished' as const, 'attach' as const), owner: owners }) },
);

interface ModelBlock {
  holder: number;
  handed: boolean;
  readonly offset: number;
  readonly bytes: number;
}

/** The pool, and what it should be. */
class Trial {
  readonly buffer = createBlockPool({ classes: CLASSES, owners: OWNERS });
  readonly pool = new BlockPool(this.buffer);
  readonly owners = new Map<number, BlockOwner>();
  /** Every handle ever given out, with its block while it is good, and the picks of the steps among them. */
  readonly handles = new Map<number, ModelBlock | undefined>();
  readonly departed = new Set<number>();
  acquired = 0;
  released = 0;
  reclaimed = 0;

  get inUse(): ModelBlock[] {
    return [...this.handles.values()].filter((block) => block !== undefined);
  }

  run(step: Step): void {
    switch (step.call) {
      case 'attach': return this.attach(step.owner);
      case 'die': return this.die(step.owner);
      case 'reclaimUnpublished': return this.reclaimUnpublished(step.owner);
      case 'acquire': return this.acquire(step.owner, step.bytes);
      default: return this.use(step.call, step.owner, step.pick);
    }
  }

  attach(owner: number): void {
    if (this.owners.has(owner)) return;
    const isFree = !this.inUse.some((block) => block.holder === owner);
    expect(this.pool.isVacant(owner)).toBe(isFree);
    if (isFree) this.owners.set(owner, new BlockOwner(this.buffer, owner));
    else expect(() => new BlockOwner(this.buffer, owner)).toThrow(withCode('owner_taken'));
    if (isFree) this.departed.delete(owner);
  }

  die(owner: number): void {
    if (!this.owners.delete(owner)) return;
    const held = this.free((block) => block.holder === owner && !block.handed);
    expect(this.pool.reclaim(owner)).toBe(held);
    this.reclaimed += held;
    this.departed.add(owner);
  }

  reclaimUnpublished(owner: number): void {
    if (!this.departed.has(owner)) return;
    const handed = this.free((block) => block.holder === owner && block.handed);
    expect(this.pool.reclaimUnpublished(owner)).toBe(handed);
    this.reclaimed += handed;
  }

  acquire(number: number, bytes: number): void {
    const owner = this.owners.get(number);
    if (owner === undefined) return;
    const { blockBytes, count } = CLASSES.find((each) => bytes <= each.blockBytes)!;
    const handle = owner.acquire(bytes);
    if (this.inUse.filter((block) => block.bytes === blockBytes).length === count) {
      expect(handle).toBe(BACK_PRESSURED);
      return;
    }
    expect(this.handles.has(handle), 'a handle is given out once').toBe(false);
    const offset = owner.offsetOf(handle);
    expect(this.inUse.some((block) => block.offset === offset), 'a block has one owner').toBe(false);
    this.handles.set(handle, { holder: number, handed: false, offset, bytes: blockBytes });
    this.acquired++;
  }

  use(call: (typeof HANDLE_CALLS)[number], number: number, pick: number): void {
    const owner = this.owners.get(number);
    if (owner === undefined || this.handles.size === 0) return;
    // The later ones are the likelier ones to be good.
    const handle = [...this.handles.keys()].at(-1 - (pick % Math.min(this.handles.size, 8)))!;
    const block = this.handles.get(handle);
    if (call === 'takeOver') this.takeOver(owner, handle, block);
    else expect(owner[call](handle)).toBe(this.expected(call, number, handle, block));
  }

  takeOver(owner: BlockOwner, handle: number, block: ModelBlock | undefined): void {
    const taken = owner.takeOver(handle);
    if (block === undefined || !block.handed) {
      expect(taken).toBe(NOT_OWNED);
      return;
    }
    expect(this.handles.has(taken), 'a handle is given out once').toBe(false);
    this.handles.set(handle, undefined);
    this.handles.set(taken, { ...block, holder: owner.owner, handed: false });
  }

  /** What a call answers, and carries it out on the model. */
  expected(call: Exclude<(typeof HANDLE_CALLS)[number], 'takeOver'>, number: number, handle: number, block: ModelBlock | undefined): number {
    const isHeld = block?.holder === number && !block.handed;
    if (block === undefined) return NOT_OWNED;
    switch (call) {
      case 'offsetOf':
        return isHeld || (block.handed && block.holder !== number) ? block.offset : NOT_OWNED;
      case 'takeBack':
        if (!block.handed || block.holder !== number) return NOT_OWNED;
        block.handed = false;
        return 0;
      case 'handOver':
        if (isHeld) block.handed = true;
        break;
      case 'release':
        if (isHeld) this.handles.set(handle, undefined);
        if (isHeld) this.released++;
    }
    return isHeld ? 0 : NOT_OWNED;
  }

  /** Frees blocks of the model and says how many they were. */
  free(which: (block: ModelBlock) => boolean): number {
    const gone = [...this.handles].filter(([, block]) => block !== undefined && which(block));
    for (const [handle] of gone) this.handles.set(handle, undefined);
    return gone.length;
  }

  check(): void {
    const { acquired, released, reclaimed, inUse } = this;
    const handed = inUse.filter((block) => block.handed).length;
    expect(this.pool.counters).toMatchObject({ acquired, released, reclaimed, inUse: inUse.length, handed });
    expect(acquired).toBe(released + reclaimed + inUse.length);
  }
}

describe('any sequence of calls by several owners', () => {
  it('leaves each block with the one holder that a simple model gives it, and loses none', () => {
    fc.assert(
      fc.property(fc.array(steps, { minLength: 1, maxLength: 150 }), (sequence) => {
        const trial = new Trial();
        for (let owner = 1; owner <= OWNERS; owner++) trial.attach(owner);
        for (const step of sequence) {
          trial.run(step);
          trial.check();
        }
        for (let owner = 1; owner <= OWNERS; owner++) trial.die(owner);
        for (let owner = 1; owner <= OWNERS; owner++) trial.reclaimUnpublished(owner);
        trial.check();
        expect(trial.inUse).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
