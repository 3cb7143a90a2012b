/**
 * Bugs that somebody might make, each as a change of the shipped text, and the scenario that finds it.
 *
 * They say what the explorer is worth: one that finds no fault in these would find none in the rings.
 */
import type { Patch } from './ring-source.ts';

export interface SeededBug {
  /** What is wrong, in a sentence without its full stop. */
  readonly name: string;
  readonly patches: readonly Patch[];
  /** Name of the scenario that must find it. */
  readonly scenario: string;
}

export const SEEDED_BUGS: readonly SeededBug[] = [
  {
    name: 'the publishing store is dropped',
    patches: [{ file: 'ledger.ts', from: '  Atomics.store(words, ledger.position, position);\n', to: '' }],
    scenario: 'spsc, room for 2 of 4 records',
  },
  {
    name: 'the publishing store is a plain one',
    patches: [{ file: 'ledger.ts', from: 'Atomics.store(words, ledger.position, position);', to: 'words[ledger.position] = position;' }],
    scenario: 'spsc, room for 2 of 4 records',
  },
  {
    name: 'a record is published before its payload is written',
    patches: [
      {
        file: 'spsc-producer.ts',
        from: '    this.#claimRecords = 1;\n',
        to: '    this.#claimRecords = 1;\n    Atomics.store(this.words, layout.TAIL_WORD, (this.#claimEnd + bytes) | 0);\n',
      },
    ],
    scenario: 'spsc, room for 2 of 4 records',
  },
  {
    name: 'the own copy of the head is never loaded anew',
    patches: [
      {
        file: 'spsc-producer.ts',
        from: "    // Sees the consumer's releasing store of HEAD: the bytes before it are ours to overwrite.\n    this.#headCache = Atomics.load(this.words, layout.HEAD_WORD);\n",
        to: '',
      },
    ],
    scenario: 'spsc, room for 4 of 6 records, polled in pairs',
  },
  {
    name: 'the room check is off by one record',
    patches: [
      {
        file: 'spsc-producer.ts',
        from: 'if (this.capacityBytes - ((this.#tail - this.#headCache) >>> 0) >= bytes) return true;',
        to: 'if (this.capacityBytes - ((this.#tail - this.#headCache) >>> 0) >= bytes - 16) return true;',
      },
    ],
    scenario: 'spsc, room for 4 of 6 records, polled in pairs',
  },
  {
    name: 'positions are compared as if they never changed their sign',
    patches: [
      {
        file: 'spsc-producer.ts',
        from: 'if (this.capacityBytes - ((this.#tail - this.#headCache) >>> 0) >= bytes) return true;',
        to: 'if (this.capacityBytes - (this.#tail - this.#headCache) >= bytes) return true;',
      },
    ],
    scenario: 'spsc, over the turn of bit 31',
  },
  {
    name: 'the padding before the wrap is not written',
    patches: [{ file: 'spsc-producer.ts', from: '    this.#writeHeader(place, padding - RECORD_HEADER_BYTES, PADDING_KIND);\n', to: '' }],
    scenario: 'spsc, over the wrap with padding',
  },
  {
    name: 'a record is released before its handler is called',
    patches: [
      {
        file: 'spsc-consumer.ts',
        from: '        handled++;\n        const offset =',
        to: '        handled++;\n        this.#release(head, handled - released);\n        released = handled;\n        const offset =',
      },
    ],
    scenario: 'spsc, room for 2 of 4 records',
  },
  {
    name: 'the count to come is written before the position to come',
    patches: [
      {
        file: 'ledger.ts',
        from: '  words[ledger.nextPosition] = position;\n  words[ledger.nextCount] = count;\n',
        to: '  words[ledger.nextCount] = count;\n  words[ledger.nextPosition] = position;\n',
      },
    ],
    scenario: 'spsc, producer dies',
  },
  {
    name: 'the successor does not repair the count',
    patches: [{ file: 'spsc-consumer.ts', from: 'repair(this.words, RELEASED)', to: 'this.words[layout.CONSUMED_WORD]!' }],
    scenario: 'spsc, consumer dies',
  },
  {
    name: 'the successor does not ring anew',
    patches: [{ file: 'spsc-producer.ts', from: '    this.#doorbell.ringAnew();\n', to: '' }],
    scenario: 'spsc, producer dies, consumer parks',
  },
  {
    name: 'what was in dead hands is not marked as redelivered',
    patches: [{ file: 'spsc-consumer.ts', from: '    this.#countRedeliveries();\n', to: '' }],
    scenario: 'spsc, consumer dies',
  },
  {
    name: 'the sleeper does not look again before it sleeps',
    patches: [{ file: 'wait/parking-wait.ts', from: 'if (!hasWork()) this.#doorbell.park(timeoutMs);', to: 'this.#doorbell.park(timeoutMs);' }],
    scenario: 'spsc, consumer parks',
  },
  {
    name: 'the bell is rung before the record is published',
    patches: [
      {
        file: 'spsc-producer.ts',
        from: '    advance(this.words, PUBLISHED, end, this.#offered);\n    this.#doorbell.ring();\n',
        to: '    this.#doorbell.ring();\n    advance(this.words, PUBLISHED, end, this.#offered);\n',
      },
    ],
    scenario: 'spsc, consumer parks',
  },
  {
    name: 'a ring does not change the word, so a sleeper that it came before sleeps on',
    patches: [{ file: 'doorbell.ts', from: '(word + 1) | 0) !== word) return false;', to: 'word) !== word) return false;' }],
    scenario: 'spsc, consumer parks',
  },
  {
    name: 'the claim is a load and a store instead of one exchange',
    patches: [
      {
        file: 'mpsc-producer.ts',
        from: 'if (Atomics.compareExchange(this.cells, layout.TAIL_CELL, tail, next) !== tail) continue;',
        to: 'Atomics.store(this.cells, layout.TAIL_CELL, next);',
      },
    ],
    scenario: 'mpsc, 2 producers over the wrap with padding',
  },
  {
    name: 'the room is released before it is cleared',
    patches: [
      {
        file: 'mpsc-consumer.ts',
        from: '    // Plain stores: no producer writes here before HEAD has moved.\n',
        to: '    Atomics.store(this.cells, layout.HEAD_CELL, next);\n',
      },
    ],
    scenario: 'mpsc, 2 producers over the wrap with padding',
  },
  {
    name: 'nobody testifies to the claim of the one before',
    patches: [{ file: 'mpsc-producer.ts', from: '      this.#testifyTo(tail);\n', to: '' }],
    scenario: 'mpsc, producers die',
  },
  {
    name: 'the size of a claim is written after the intent',
    patches: [
      {
        file: 'mpsc-producer.ts',
        from: `      this.words[this.slotWord(this.#slot, layout.SLOT_INTENT_BYTES)] = padding + bytes;
      this.cells[this.slotCell(this.#slot, layout.SLOT_INTENT)] = next;
      this.#testifyTo(tail);
      if (Atomics.compareExchange(this.cells, layout.TAIL_CELL, tail, next) !== tail) continue;
`,
        to: `      this.cells[this.slotCell(this.#slot, layout.SLOT_INTENT)] = next;
      this.#testifyTo(tail);
      if (Atomics.compareExchange(this.cells, layout.TAIL_CELL, tail, next) !== tail) continue;
      this.words[this.slotWord(this.#slot, layout.SLOT_INTENT_BYTES)] = padding + bytes;
`,
      },
    ],
    scenario: 'mpsc, producers die',
  },
  {
    name: 'a death that is declared while the slots are looked at is forgotten',
    patches: [
      { file: 'mpsc-settlement.ts', from: '    Atomics.store(this.words, layout.DEATHS_WORD, 0);\n', to: '' },
      {
        file: 'mpsc-settlement.ts',
        from: '    return padded;\n',
        to: '    Atomics.store(this.words, layout.DEATHS_WORD, 0);\n    return padded;\n',
      },
    ],
    scenario: 'mpsc, producers die',
  },
  {
    name: 'the flag of a release comes before what it announces',
    patches: [
      {
        file: 'mpsc-consumer.ts',
        from: `    this.cells[layout.NEXT_HEAD_CELL] = BigInt(head);
    this.words[layout.NEXT_CONSUMED_WORD] = this.#consumed;
    this.words[layout.RELEASING_WORD] = 1;
`,
        to: `    this.words[layout.RELEASING_WORD] = 1;
    this.cells[layout.NEXT_HEAD_CELL] = BigInt(head);
    this.words[layout.NEXT_CONSUMED_WORD] = this.#consumed;
`,
      },
    ],
    scenario: 'mpsc, consumer dies',
  },
  {
    name: 'the writer gives records up after it has overwritten them',
    patches: [
      {
        file: 'broadcast-producer.ts',
        from: `    this.#giveUpTo(oldest);
    this.#claimRecords = 0;
    this.#claimPlace = place;
    this.#batchEnd = place + bytes;
    return 0;
`,
        to: `    this.#claimRecords = 0;
    this.#claimPlace = place;
    this.#batchEnd = place + bytes;
    this.words[(this.recordsOffset + place) >> 2] = bytes - RECORD_HEADER_BYTES;
    this.words[((this.recordsOffset + place) >> 2) + 2] = -1;
    this.#giveUpTo(oldest);
    return 0;
`,
      },
    ],
    scenario: 'broadcast, reader is overtaken',
  },
  {
    name: 'the reader believes what it copied',
    patches: [{ file: 'broadcast-reader.ts', from: 'return this.#isOvertaken() || !isSound ? -1 : length;', to: 'return !isSound ? -1 : length;' }],
    scenario: 'broadcast, reader is overtaken',
  },
  {
    name: 'the reader asks before it copies and not after',
    patches: [
      {
        file: 'broadcast-reader.ts',
        from: 'const length = this.#copy();\n        if (length < 0) continue;',
        to: 'if (this.#isOvertaken()) continue;\n        const length = this.#copy();',
      },
    ],
    scenario: 'broadcast, reader is overtaken',
  },
  {
    name: 'the writer gives records up by a store, which its writes may overtake',
    patches: [{ file: 'broadcast-producer.ts', from: 'Atomics.exchange(this.cells', to: 'Atomics.store(this.cells' }],
    scenario: 'broadcast, reader is overtaken',
  },
  {
    name: 'the reader asks by a load, which its copying may be later than',
    patches: [
      {
        file: 'broadcast-reader.ts',
        from: 'Number(Atomics.add(this.cells, layout.OLDEST_CELL, 0n))',
        to: 'Number(Atomics.load(this.cells, layout.OLDEST_CELL))',
      },
    ],
    scenario: 'broadcast, reader is overtaken',
  },
  {
    name: 'a loss is counted as one record',
    patches: [{ file: 'broadcast-reader.ts', from: 'this.#lost += next - this.#next;', to: 'this.#lost += 1;' }],
    scenario: 'broadcast, reader is overtaken',
  },
];
