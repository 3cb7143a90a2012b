/**
 * The threads of a scenario and their memory at one moment of one schedule, which can go on by any
 * thread's next step, or by a thread's death, and back again.
 */
import { CellMemory, mixed } from './cell-memory.ts';
import { CellNames } from './cell-names.ts';
import type { Port } from './facade.ts';
import { through } from './facade.ts';
import * as op from './operation.ts';
import { Program, type Step, type ProgramOptions } from './program.ts';
import { mayBeLate, mayOvertakeStore, withLateRead } from './reordering.ts';
import type { RingSource } from './ring-source.ts';
import type { Outcome, Prepared, Scenario } from './scenario.ts';

const PROCESSES_MAX = 15;

/**
 * A choice of the scheduler is the index of a process that does its next step, or that plus one of these.
 * It dies before its step; its store is seen late, or is seen now; its write is seen by an earlier read of
 * another process, whose index stands at LATE_READER.
 */
export const DEATH = 16;
export const LATE_STORE = 32;
export const STORE_SEEN = 48;
export const LATE_READ = 64;
const LATE_READER = 8;

export function processOf(choice: number): number {
  return choice & 15;
}

export function kindOf(choice: number): number {
  return choice & 0xf0;
}

export function lateRead(process: number, reader: number): number {
  return process + LATE_READ + (reader << LATE_READER);
}

export function readerOf(choice: number): number {
  return choice >> LATE_READER;
}

const CELLS_MAX = 2 ** 16;

/** Memory without threads: while a scenario is prepared, and where its check looks at what is left. */
class PlainPort implements Port {
  readonly memory: CellMemory;
  readonly regions: number[] = [];
  readonly #mayAllocate: boolean;
  #bytes = 0;

  constructor(memory: CellMemory, mayAllocate: boolean) {
    this.memory = memory;
    this.#mayAllocate = mayAllocate;
  }

  get low(): number {
    return this.memory.low;
  }

  get high(): number {
    return this.memory.high;
  }

  get cellCount(): number {
    return this.#bytes / 4;
  }

  perform(kind: number, cell: number, mask: number, a: number, b: number, c: number, d: number): void {
    if (op.isAccess(kind)) this.memory.execute(kind, cell, mask, a, b, c, d);
    else if (kind === op.NOTIFY) this.memory.low = 0;
    else throw new Error('Only a thread can wait.');
  }

  allocate(bytes: number): number {
    if (!this.#mayAllocate) throw new Error('A check makes no shared memory.');
    const first = this.#bytes;
    this.#bytes = first + Math.ceil(bytes / 8) * 8;
    if (this.#bytes > CELLS_MAX * 4) throw new Error(`A scenario has ${CELLS_MAX * 4} bytes of shared memory; this is too much: ${this.#bytes}.`);
    this.regions.push(first);
    return first;
  }
}

/** As the options of a program, save that all of them may be left out. */
export interface WorldOptions extends Partial<Omit<ProgramOptions, 'isSeen'>> {
  readonly isSeen?: (step: Step, isBenign: boolean) => boolean;
}

export class World {
  readonly scenario: Scenario;
  readonly prepared: Prepared;
  readonly memory: CellMemory;
  /** The next step of each process. */
  readonly at: Step[];
  /** 0, or the place of the process among those that wait, in the order of their waits. */
  readonly parked: Int32Array;
  /** The store of each process that others have not seen yet; see reordering.ts. */
  readonly pending: (Step | undefined)[];
  readonly processCount: number;
  readonly names: CellNames;
  deaths = 0;
  hashLow = 0;
  hashHigh = 0;
  readonly #isBenign: readonly boolean[];
  readonly #mortal: readonly boolean[];
  /** How many threads may be ended in one schedule. */
  readonly deathsMax: number;
  #undoSteps: Step[] = [];
  #undoPending: (Step | undefined)[] = [];
  /** Process, its `parked` and the deaths, of each entry of #undoSteps. */
  #undoWords: number[] = [];
  #undoLength = 0;

  constructor(scenario: Scenario, source: RingSource, options: WorldOptions = {}) {
    this.scenario = scenario;
    const port = new PlainPort(new CellMemory(CELLS_MAX), true);
    this.prepared = through(port, () => scenario.prepare(source));
    this.memory = new CellMemory(port.cellCount);
    this.memory.cells.set(port.memory.cells.subarray(0, port.cellCount));
    this.names = new CellNames(source.layout, port.regions, this.prepared.nameOf);
    const { processes, benignRaces = {} } = this.prepared;
    this.#isBenign = Array.from(this.memory.cells, (_, cell) => Object.hasOwn(benignRaces, this.names.nameOf(cell).split('+')[0]!));
    if (processes.length > PROCESSES_MAX) throw new Error(`At most ${PROCESSES_MAX} processes; got ${processes.length}.`);
    this.processCount = processes.length;
    this.#mortal = processes.map(({ mortal }) => mortal === true);
    this.parked = new Int32Array(processes.length);
    this.pending = processes.map(() => undefined);
    const { onStep = () => {}, isSeen = () => true, joinsHistories = true } = options;
    const programs: ProgramOptions = { onStep, isSeen: (step) => isSeen(step, this.isBenign(step.cell)), joinsHistories };
    this.at = processes.map((process, index) => new Program(process, index, programs).begin(this.memory));
    this.deathsMax = scenario.deaths ?? 0;
    for (let process = 0; process < this.processCount; process++) this.#reachStart(process);
  }

  canStep(process: number): boolean {
    if (this.pending[process] !== undefined) return true;
    const step = this.at[process]!;
    if (step.kind < op.IDLE) return this.parked[process] === 0;
    if (step.kind === op.IDLE) return this.#looksDifferent(step.look);
    return step.kind < op.END;
  }

  /** The processes that can do a step, a bit each. */
  get ready(): number {
    let ready = 0;
    for (let process = 0; process < this.processCount; process++) if (this.canStep(process)) ready |= 1 << process;
    return ready;
  }

  canDie(process: number): boolean {
    return this.deaths < this.deathsMax && this.#mortal[process]! && this.at[process]!.kind !== op.END;
  }

  isParked(step: Step): boolean {
    return this.parked[step.program.processIndex] !== 0;
  }

  /** Whether accesses of this cell may meet although one of them is plain. */
  isBenign(cell: number): boolean {
    return this.#isBenign[cell]!;
  }

  /** Whether all threads have ended as they should. */
  get isOver(): boolean {
    return this.at.every(({ kind }, process) => kind === op.END && this.pending[process] === undefined);
  }

  /** What a process may do at its next step besides doing it at once and for all to see. */
  otherChoices(process: number): number[] {
    if (this.scenario.isReordered !== true) return [];
    const step = this.at[process]!;
    const choices: number[] = [];
    if (this.pending[process] === undefined) {
      if (mayBeLate(this, step)) choices.push(process + LATE_STORE);
    } else if (mayOvertakeStore(this, step)) choices.push(process + STORE_SEEN);
    for (let other = 0; other < this.processCount; other++) {
      const isLate = other !== process && this.parked[other] === 0 && withLateRead(this, step, this.at[other]!) !== undefined;
      if (isLate) choices.push(lateRead(process, other));
    }
    return choices;
  }

  choose(choice: number): void {
    const process = processOf(choice);
    switch (kindOf(choice)) {
      case DEATH:
        this.kill(process);
        break;
      case LATE_STORE:
        this.#postponeStore(process);
        break;
      case STORE_SEEN:
        this.#showStore(process);
        break;
      case LATE_READ:
        this.#readLate(readerOf(choice), this.at[process]!);
        this.step(process);
        break;
      default:
        this.step(process);
    }
  }

  step(process: number): void {
    const { memory } = this;
    const step = this.at[process]!;
    if (this.pending[process] !== undefined && !mayOvertakeStore(this, step)) {
      this.#showStore(process);
      return;
    }
    this.#save(process);
    let [low, high] = [0, 0];
    if (op.isAccess(step.kind)) {
      memory.execute(step.kind, step.cell, step.mask, step.a, step.b, step.c, step.d);
      ({ low, high } = memory);
    } else if (step.kind === op.WAIT) {
      if (memory.cells[step.cell] === step.a) {
        let last = 0;
        for (let other = 0; other < this.processCount; other++) last = Math.max(last, this.parked[other]!);
        this.parked[process] = last + 1;
        return;
      }
      low = op.NOT_EQUAL;
    } else if (step.kind === op.NOTIFY) low = this.#wake(step.cell, step.a);
    this.at[process] = step.program.follow(step, low, high, memory);
  }

  /** Ends a thread before its next step. Its end is known at once, and a successor stands ready. */
  kill(process: number): void {
    if (this.pending[process] !== undefined) this.#showStore(process);
    const step = this.at[process]!;
    this.#save(process);
    this.deaths++;
    this.parked[process] = 0;
    this.at[process] = step.program.successorAt(step).begin(this.memory);
  }

  #postponeStore(process: number): void {
    const step = this.at[process]!;
    this.#save(process);
    this.pending[process] = step;
    this.at[process] = step.program.follow(step, 0, 0, this.memory);
  }

  #showStore(process: number): void {
    const { kind, cell, mask, a, b, c, d } = this.pending[process]!;
    this.#save(process);
    this.pending[process] = undefined;
    this.memory.execute(kind, cell, mask, a, b, c, d);
  }

  #readLate(reader: number, write: Step): void {
    const step = withLateRead(this, write, this.at[reader]!)!;
    this.#save(reader);
    this.at[reader] = step;
  }

  get mark(): number {
    return this.#undoLength;
  }

  /** Goes back to where `mark` and the mark of the memory were taken. */
  undo(mark: number, memoryMark: number): void {
    while (this.#undoLength > mark) {
      const place = --this.#undoLength * 3;
      const process = this.#undoWords[place]!;
      this.at[process] = this.#undoSteps[this.#undoLength]!;
      this.pending[process] = this.#undoPending[this.#undoLength];
      this.parked[process] = this.#undoWords[place + 1]!;
      this.deaths = this.#undoWords[place + 2]!;
    }
    this.memory.undo(memoryMark);
  }

  /**
   * Sets `hashLow` and `hashHigh` by all that the future and the check depend on: memory, the history of
   * each thread (of one that has ended: its notes), who waits, what is not seen yet, and how many deaths
   * there were.
   */
  hash(extra: number): void {
    let low = this.memory.hashLow ^ mixed(this.deaths * 0x1000 + extra + 1);
    let high = this.memory.hashHigh ^ mixed(this.deaths * 0x3000 + extra + 7);
    for (let process = 0; process < this.processCount; process++) {
      const step = this.at[process]!;
      const pending = this.pending[process];
      const state = (step.kind === op.END ? ~step.notes.id : step.id) ^ (this.parked[process]! << 28) ^ (pending === undefined ? 0 : mixed(pending.id));
      low = mixed(Math.imul(low, 31) + state);
      high = mixed(Math.imul(high, 37) ^ Math.imul(state, 0x9e3779b1));
    }
    this.hashLow = low | 0;
    this.hashHigh = high | 0;
  }

  /** @throws whatever the scenario's check throws */
  check(): void {
    const memory = new CellMemory(this.memory.cells.length);
    memory.copyFrom(this.memory);
    const outcome: Outcome = {
      lives: (name) => this.at[this.prepared.processes.findIndex((process) => process.name === name)]!.notes.lives(),
    };
    through(new PlainPort(memory, false), () => this.prepared.check(outcome));
  }

  /** Runs a thread alone up to its `start`, if it has one. */
  #reachStart(process: number): void {
    const mark = this.mark;
    const memoryMark = this.memory.mark;
    while (this.at[process]!.kind !== op.START && this.canStep(process)) this.step(process);
    if (this.at[process]!.kind !== op.START) this.undo(mark, memoryMark);
  }

  #wake(cell: number, count: number): number {
    let woken = 0;
    for (; woken < count; woken++) {
      let first = -1;
      for (let process = 0; process < this.processCount; process++) {
        const place = this.parked[process]!;
        if (place !== 0 && this.at[process]!.cell === cell && (first < 0 || place < this.parked[first]!)) first = process;
      }
      if (first < 0) break;
      const step = this.at[first]!;
      this.#save(first);
      this.parked[first] = 0;
      this.at[first] = step.program.follow(step, op.WOKEN, 0, this.memory);
    }
    return woken;
  }

  #looksDifferent(look: Int32Array | undefined): boolean {
    if (look === undefined) return true;
    for (let place = 0; place < look.length; place += 3) {
      if ((this.memory.cells[look[place]!]! & look[place + 1]!) !== look[place + 2]) return true;
    }
    return false;
  }

  #save(process: number): void {
    const place = this.#undoLength * 3;
    this.#undoSteps[this.#undoLength] = this.at[process]!;
    this.#undoPending[this.#undoLength++] = this.pending[process];
    this.#undoWords[place] = process;
    this.#undoWords[place + 1] = this.parked[process]!;
    this.#undoWords[place + 2] = this.deaths;
  }
}
