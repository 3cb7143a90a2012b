/** The explorer tested by small programs, so that what it says of the rings can be believed. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ExploreOptions, type Exploration, explore } from './explorer.ts';
import { loadRings } from './ring-source.ts';
import { formatSchedule, narrate, parseSchedule } from './schedule.ts';
import { type ToyOptions, type ToyProgram, shared, toy, toyOutcomes } from './toy-programs.ts';
import { walk } from './walk.ts';
import { World } from './world.ts';

const { Atomics } = shared;
const source = await loadRings();

function outcomesOf(programs: readonly ToyProgram[], options: ToyOptions = {}, how: ExploreOptions = {}): { outcomes: string[]; result: Exploration } {
  const outcomes = new Set<string>();
  const result = explore(toyOutcomes(outcomes, programs, options), source, how);
  return { outcomes: [...outcomes].toSorted(), result };
}

/** Loads, adds one and stores: two steps between which anything may happen. */
const increment: ToyProgram = (thread, words) => {
  const before = Atomics.load(words, 0);
  Atomics.store(words, 0, before + 1);
  thread.note('was', before);
};

const BENIGN: ToyOptions = { benignRaces: { w0: 'meant', w1: 'meant', w2: 'meant' } };

describe('schedules', () => {
  it('are all walked, each once: two threads of two steps have six', () => {
    const twoStores: ToyProgram = (_, words) => {
      Atomics.store(words, 0, 1);
      Atomics.store(words, 1, 1);
    };
    const result = explore(toy([twoStores, twoStores]), source, { isReduced: false });
    expect([result.schedules, result.isExhausted, result.violation]).toEqual([6, true, undefined]);
    expect(explore(toy([twoStores, twoStores, twoStores]), source, { isReduced: false }).schedules).toBe(90);
  });

  it('show what is lost between a load and a store', () => {
    expect(outcomesOf([increment, increment]).outcomes).toEqual(['0 0', '0 1', '1 0']);
  });

  it('show nothing that sequential consistency forbids', () => {
    const side = (own: number): ToyProgram => (thread, words) => {
      Atomics.store(words, own, 1);
      thread.note('saw', Atomics.load(words, 1 - own));
    };
    expect(outcomesOf([side(0), side(1)]).outcomes).toEqual(['0 1', '1 0', '1 1']);
  });

  it('tear a plain access of 64 bits, and never an atomic one', () => {
    const cellsOf = (words: Int32Array): BigInt64Array => new shared.BigInt64Array(words.buffer as SharedArrayBuffer);
    const seenWith = (store: (cells: BigInt64Array) => void): string[] => {
      const reader: ToyProgram = (thread, words) => thread.note('saw', Number(Atomics.load(cellsOf(words), 0)));
      return outcomesOf([(_, words) => store(cellsOf(words)), reader], BENIGN).outcomes;
    };
    const value = 2n ** 32n + 1n;
    expect(seenWith((cells) => (cells[0] = value))).toEqual([' 0', ' 1', ' 4294967297']);
    expect(seenWith((cells) => void Atomics.store(cells, 0, value))).toEqual([' 0', ' 4294967297']);
  });

  it('stay within a bound of preemptions', () => {
    const thrice: ToyProgram = (_, words) => {
      for (const value of [1, 2, 3]) Atomics.store(words, 0, value);
    };
    const counts = [0, 1, 2, 9].map((preemptionsMax) => explore(toy([thrice, thrice]), source, { preemptionsMax }).schedules);
    expect(counts).toEqual([2, 6, 14, 20]);
  });

  it('are given up beyond a number of states', () => {
    const { isExhausted, violation } = explore(toy([increment, increment, increment]), source, { statesMax: 3 });
    expect([isExhausted, violation]).toEqual([false, undefined]);
  });

  it('at random are the same for the same seed, and find what is to be found', () => {
    const scenario = toy([increment, increment], {
      check({ lives }) {
        if (lives('a')[0]![0]!.values[0] === lives('b')[0]![0]!.values[0]) throw new Error('lost');
      },
    });
    const [once, again] = [1, 1].map((seed) => walk(scenario, source, { schedules: 1000, seed }));
    expect(once!.violation?.message).toBe('lost');
    expect(again!.violation).toEqual(once!.violation);
    expect(walk(toy([increment, increment]), source, { schedules: 100, seed: 1 })).toMatchObject({ schedules: 100, violation: undefined });
  });
});

describe('death', () => {
  it('comes before and after every operation, and a successor follows', () => {
    const { outcomes, result } = outcomesOf(
      [
        (thread, words) => {
          if (thread.life > 0) thread.note('found', ...[0, 1, 2].map((word) => Atomics.load(words, word)));
          else for (const word of [0, 1, 2]) Atomics.store(words, word, 1);
        },
      ],
      { deaths: 1 },
    );
    // No death, or a death before the first, second and third store; after the third the thread has ended.
    expect(outcomes).toEqual(['', '†0,0,0', '†1,0,0', '†1,1,0']);
    expect(result.violation).toBeUndefined();
  });

  it('comes as often as is said, and only to the mortal', () => {
    const lives: ToyProgram = (thread, words) => thread.note('life', thread.life, Atomics.add(words, 0, 1));
    expect(outcomesOf([lives], { deaths: 2 }).outcomes).toEqual(['0,0', '†1,0', '†1,1', '††2,0', '††2,1', '††2,2']);
    expect(outcomesOf([lives, lives], { deaths: 2, mortal: [] }).outcomes).toEqual(['0,0 0,1', '0,1 0,0']);
  });

  it('leaves a copy half done', () => {
    const { outcomes } = outcomesOf(
      [
        (thread, words) => {
          const bytes = new shared.Uint8Array(words.buffer as SharedArrayBuffer);
          if (thread.life > 0) thread.note('found', ...bytes.subarray(0, 10));
          else bytes.set([1, 2, 3, 4, 5, 6], 2);
        },
      ],
      { deaths: 1 },
    );
    expect(outcomes).toEqual(['', '†0,0,0,0,0,0,0,0,0,0', '†0,0,1,2,0,0,0,0,0,0']);
  });

  it('runs no finally', () => {
    const { outcomes } = outcomesOf(
      [
        (thread, words) => {
          if (thread.life > 0) return thread.note('found', Atomics.load(words, 0));
          try {
            Atomics.store(words, 1, 1);
          } finally {
            Atomics.store(words, 0, 1);
          }
        },
      ],
      { deaths: 1 },
    );
    expect(outcomes).toEqual(['', '†0']);
  });

  it('tells the successor what its predecessors noted', () => {
    const { outcomes } = outcomesOf(
      [
        (thread, words) => {
          thread.note('life', thread.life, thread.before.flat().length);
          Atomics.store(words, 0, 1);
        },
      ],
      { deaths: 1 },
    );
    expect(outcomes).toEqual(['0,0', '0,0†1,1', '†1,0']);
  });
});

describe('found is', () => {
  const found = (programs: readonly ToyProgram[], options: ToyOptions = {}): string | undefined => {
    const { violation } = explore(toy(programs, options), source);
    return violation && `${violation.rule}: ${violation.message.split('\n')[0]}`;
  };

  it('a plain access that nothing orders, and none that something does', () => {
    const plain: ToyProgram = (_, words) => (words[0] = 1);
    const reads: ToyProgram = (thread, words) => thread.note('saw', words[0]!);
    expect(found([plain, reads])).toMatch(/^data race: w0: the [ab] is about to (?:read|write) it, and nothing orders/);
    expect(found([plain, (_, words) => void Atomics.load(words, 0)])).toMatch(/^data race/);
    expect(found([reads, reads])).toBeUndefined();
    const publishes: ToyProgram = (_, words) => {
      words[0] = 1;
      Atomics.store(words, 1, 1);
    };
    const looks: ToyProgram = (thread, words) => {
      if (Atomics.load(words, 1) === 1) thread.note('saw', words[0]!);
    };
    expect(found([publishes, looks])).toBeUndefined();
    expect(found([publishes, looks, plain])).toMatch(/^data race/);
    expect(found([plain, reads], { benignRaces: { w0: 'meant' } })).toBeUndefined();
  });

  it('an atomic access of another width', () => {
    const wide: ToyProgram = (_, words) => void Atomics.store(new shared.BigInt64Array(words.buffer as SharedArrayBuffer), 0, 1n);
    expect(found([wide, (_, words) => void Atomics.load(words, 1)])).toMatch(/^data race: .* of another width/);
  });

  it('a wake-up that is lost, and none that is not', () => {
    const sleeps = (looks: boolean): ToyProgram => (_, words) => {
      Atomics.store(words, 0, 1);
      if (!looks || Atomics.load(words, 1) === 0) Atomics.wait(words, 0, 1);
    };
    const rings: ToyProgram = (_, words) => {
      Atomics.store(words, 1, 1);
      if (Atomics.compareExchange(words, 0, 1, 0) === 1) Atomics.notify(words, 0);
    };
    expect(found([sleeps(true), rings])).toBeUndefined();
    expect(found([sleeps(false), rings])).toBe('stuck: the a sleeps and nobody wakes it; the b has ended');
  });

  it('a thread that throws, or goes on forever', () => {
    expect(found([() => { throw new Error('on purpose'); }])).toBe('threw: The a threw Error: on purpose');
    expect(found([(_, words) => { while (Atomics.load(words, 0) === 0); }])).toBe('endless: The a goes on and on without waiting.');
  });

  it('an access out of bounds', () => {
    expect(found([(_, words) => (words[8] = 1)])).toMatch(/^threw: The a threw RangeError: Index 8 of Int32Array/);
  });

  it('what the façade does not model', () => {
    expect(found([(_, words) => void words.lastIndexOf(0)])).toMatch(/does not model Int32Array.lastIndexOf; add it/);
    expect(found([(_, words) => void Atomics.waitAsync(words, 0, 0)])).toMatch(/does not model Atomics.waitAsync/);
  });

  it('a program that knows what it cannot know', () => {
    let runs = 0;
    const forgetful: ToyProgram = (_, words) => {
      Atomics.store(words, 1, runs++);
      Atomics.load(words, 0);
    };
    expect(() => explore(toy([forgetful, (_, words) => void Atomics.store(words, 0, 7)]), source)).toThrow(/neither from shared memory nor from its Thread/);
  });
});

describe('a thread that waits for a change', () => {
  const waits: ToyProgram = (thread, words) => {
    while (Atomics.load(words, 0) === 0) thread.idle();
    thread.note('saw', Atomics.load(words, 0));
  };

  it('goes on when there is one, and looks no more often than something changes', () => {
    const { outcomes, result } = outcomesOf([waits, (_, words) => void Atomics.store(words, 0, 5)]);
    expect(outcomes).toEqual(['5 ']);
    expect(result).toMatchObject({ isExhausted: true, violation: undefined });
  });

  it('waits forever when there is none', () => {
    const { violation } = explore(toy([waits, (_, words) => void Atomics.store(words, 1, 5)]), source);
    expect(violation?.message).toBe('the a waits for a change; the b has ended');
  });

  it('is not held up by a change that came in the middle of its look', () => {
    const looksTwice: ToyProgram = (thread, words) => {
      for (;;) {
        const first = Atomics.load(words, 0);
        Atomics.load(words, 0);
        if (first === 1) return;
        thread.idle();
      }
    };
    expect(explore(toy([looksTwice, (_, words) => void Atomics.store(words, 0, 1)]), source).violation).toBeUndefined();
  });
});

describe('a schedule', () => {
  it('can be written down, read and told again', () => {
    const result = explore(toy([increment, increment], { check: ({ lives }) => expect(lives('a')).not.toEqual(lives('b')) }), source);
    const text = formatSchedule(result.violation!.choices);
    expect(text).toBe('0 1 0*2 1*2');
    expect(parseSchedule(text)).toEqual(result.violation!.choices);
    expect(narrate(new World(toy([increment, increment]), source), parseSchedule(text))).toEqual([
      'a  load w0: 0',
      'b  load w0: 0',
      'a  store w0 = 1',
      'a  notes: was 0',
      'b  store w0 = 1',
      'b  notes: was 0',
    ]);
    expect(formatSchedule(parseSchedule('0*2 !0 1 !1*1 ~0 ^0 0>1 1>0*2'))).toBe('0*2 !0 1 !1 ~0 ^0 0>1 1>0*2');
    expect(() => parseSchedule('0 x')).toThrow(RangeError);
    expect(() => narrate(new World(toy([increment]), source), [1])).toThrow(/another scenario/);
  });
});

describe('a weakly ordered processor', () => {
  /** The writer flags and then writes; whoever reads the new content and then finds no flag was deceived. */
  const isDeceived = (flags: 'store' | 'exchange', asks: 'load' | 'add', isReordered: boolean): boolean => {
    const writer: ToyProgram = (_, words) => {
      Atomics[flags](words, 0, 1);
      words[1] = 1;
    };
    const reader: ToyProgram = (thread, words) => {
      const content = words[1]!;
      thread.note('saw', content, asks === 'load' ? Atomics.load(words, 0) : Atomics.add(words, 0, 0));
    };
    const { outcomes } = outcomesOf([writer, reader], { isReordered, benignRaces: { w1: 'meant' } });
    expect(outcomes).toEqual(expect.arrayContaining([' 0,0', ' 0,1', ' 1,1']));
    return outcomes.includes(' 1,0');
  };

  it('deceives who flags by a store or asks by a load, and nobody who does both by a read-modify-write', () => {
    expect(isDeceived('store', 'load', true)).toBe(true);
    expect(isDeceived('store', 'add', true)).toBe(true);
    expect(isDeceived('exchange', 'load', true)).toBe(true);
    expect(isDeceived('exchange', 'add', true)).toBe(false);
  });

  it('deceives nobody where it is not asked for', () => {
    expect(isDeceived('store', 'load', false)).toBe(false);
  });
});

type Action = readonly [name: 'load' | 'store' | 'add' | 'swap' | 'read' | 'write' | 'note' | 'checkpoint', word: number, value: number];

/** A thread that does as told; what it writes depends on what it read. */
function actor(actions: readonly Action[]): ToyProgram {
  return (thread, words) => {
    let seen = thread.life * 8;
    for (const [place, [name, word, value]] of actions.entries()) {
      if (name === 'load') seen += Atomics.load(words, word);
      else if (name === 'store') Atomics.store(words, word, (seen + value) & 3);
      else if (name === 'add') seen = Atomics.add(words, word, value);
      else if (name === 'swap') seen = Atomics.compareExchange(words, word, seen & 3, value);
      else if (name === 'read') seen += words[word]!;
      else if (name === 'write') words[word] = value;
      else if (name === 'note') thread.note('saw', seen);
      else thread.checkpoint(seen, place);
    }
    thread.note('end', seen, ...[0, 1, 2].map((word) => Atomics.load(words, word)));
  };
}

describe('what is left out', () => {
  const action: fc.Arbitrary<Action> = fc.tuple(
    fc.constantFrom('load', 'store', 'add', 'swap', 'read', 'write', 'note', 'checkpoint'),
    fc.integer({ min: 0, max: 2 }),
    fc.integer({ min: 1, max: 3 }),
  );
  const actors = fc.array(fc.array(action, { maxLength: 4 }), { minLength: 2, maxLength: 2 });

  it('changes no outcome, and hides no race', () => {
    fc.assert(
      fc.property(actors, fc.integer({ min: 0, max: 1 }), fc.boolean(), (scripts, deaths, isBenign) => {
        const programs = scripts.map(actor);
        const options = { deaths, ...(isBenign ? BENIGN : {}) };
        const all = outcomesOf(programs, options, { isReduced: false });
        const reduced = outcomesOf(programs, options);
        expect(reduced.result.violation?.rule).toBe(all.result.violation?.rule);
        if (all.result.violation === undefined) expect(reduced.outcomes).toEqual(all.outcomes);
      }),
      { numRuns: 400 },
    );
  });
});

describe('the sources', () => {
  it('are patched where the text stands exactly once, or not at all', async () => {
    await expect(loadRings([{ file: 'record.ts', from: 'no such text', to: '' }])).rejects.toThrow('must fit once, but this stands there 0 times');
    await expect(loadRings([{ file: 'record.ts', from: 'export', to: '' }])).rejects.toThrow(/stands there \d\d? times/);
  });

  it('are loaded anew each time, so that a patch stays where it is', async () => {
    const patched = await loadRings([{ file: 'record.ts', from: 'RECORD_HEADER_BYTES = 8', to: 'RECORD_HEADER_BYTES = 16' }]);
    expect([patched.rings.recordBytes(8), source.rings.recordBytes(8)]).toEqual([24, 16]);
  });
});
