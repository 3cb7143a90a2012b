/**
 * All that one thread can do, as a tree that grows where it is walked.
 *
 * A program's next operation depends on nothing but what its operations before have answered. So a
 * step of the tree is an operation, and its children are the steps that follow, one for each answer
 * seen. Where a step is missing, the real program runs again from its start, is given the known
 * answers, and goes on from there alone until it has to wait: that lays many steps at once. Everywhere
 * else the explorer walks the tree and runs no program at all, which is why it is fast, and why it can
 * step back, which a running thread cannot.
 */
import { through, type Port } from './facade.ts';
import { CellMemory } from './cell-memory.ts';
import { describe } from './local-state.ts';
import { NoteList, type Note } from './note-list.ts';
import * as op from './operation.ts';
import type { Process, Thread } from './scenario.ts';

export class Step {
  readonly id: number;
  readonly program: Program;
  readonly kind: number;
  readonly cell: number;
  readonly mask: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
  /** The step before, and what it answered so that this one followed. */
  readonly parent: Step | undefined;
  readonly low: number;
  readonly high: number;
  /** All that this thread and its predecessors noted before this step. */
  readonly notes: NoteList;
  /** The plain accesses since this thread's last atomic operation that others can see, the latest first. */
  readonly open: OpenAccess | undefined;
  /** One of 32 bits for each cell that this step touches, and for each that is open, to tell at a glance that none is both. */
  readonly touchedBits: number;
  readonly openBits: number;
  /** CHECKPOINT: the step at which the same was known before, and from which this history goes on. */
  same: Step | undefined = undefined;
  /** IDLE: cell, mask and content of all that was read since the last time; undefined if some of it changed meanwhile. */
  look: Int32Array | undefined = undefined;
  /** NOTE: the note. CHECKPOINT: what the thread knew. THREW: the error. */
  detail: unknown;
  #child: Step | undefined = undefined;
  #sibling: Step | undefined = undefined;

  constructor(id: number, program: Program, parent: Step | undefined, low: number, high: number, notes: NoteList, open: OpenAccess | undefined, operation: Operation, detail: unknown) {
    this.open = open;
    this.id = id;
    this.program = program;
    this.parent = parent;
    this.low = low;
    this.high = high;
    this.notes = notes;
    this.kind = operation.kind;
    this.cell = operation.cell;
    this.mask = operation.mask;
    this.a = operation.a;
    this.b = operation.b;
    this.c = operation.c;
    this.d = operation.d;
    this.touchedBits = op.touches(this.kind) ? bitOf(this.cell) | (op.isWide(this.kind) ? bitOf(this.cell + 1) : 0) : 0;
    this.openBits = open === undefined ? 0 : open.bits;
    this.detail = detail;
    if (parent === undefined) return;
    this.#sibling = parent.#child;
    parent.#child = this;
  }

  /** The step that follows when this one answers so, if it is known. */
  after(low: number, high: number): Step | undefined {
    let step = this.#child;
    while (step !== undefined && (step.low !== low || step.high !== high)) step = step.#sibling;
    return step;
  }

  isSame(operation: Operation): boolean {
    const { kind, cell, mask, a, b, c, d } = operation;
    return kind === this.kind && cell === this.cell && mask === this.mask && a === this.a && b === this.b && c === this.c && d === this.d;
  }
}

function bitOf(cell: number): number {
  return 1 << (cell & 31);
}

interface Operation {
  readonly kind: number;
  readonly cell: number;
  readonly mask: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/**
 * A plain access that its thread has made and that nothing orders yet: as far as the others can tell, it
 * may just as well happen now. It stays open until the thread's next atomic operation that others can see.
 */
export interface OpenAccess {
  readonly cell: number;
  readonly mask: number;
  readonly isWrite: boolean;
  /** One of 32 bits for the cell, and those of the accesses before. */
  readonly bits: number;
  readonly before: OpenAccess | undefined;
}

export interface ProgramOptions {
  /** Is told of each step that is laid. */
  readonly onStep: (step: Step) => void;
  /** Whether other threads can see this atomic operation, so that it orders the plain ones before it. */
  readonly isSeen: (step: Step) => boolean;
  /** Whether histories that know the same at a checkpoint go on as one. */
  readonly joinsHistories: boolean;
}

/** A thread that does so much without waiting or ending is taken to go on forever. */
const STEPS_MAX = 4_000;

export class Program {
  readonly process: Process;
  readonly processIndex: number;
  readonly life: number;
  readonly #notes: NoteList;
  readonly #options: ProgramOptions;
  #root: Step | undefined;
  readonly #checkpoints = new Map<string, Step>();
  readonly #successors = new Map<NoteList, Program>();

  constructor(process: Process, processIndex: number, options: ProgramOptions, life = 0, notes = new NoteList()) {
    this.process = process;
    this.processIndex = processIndex;
    this.life = life;
    this.#notes = notes;
    this.#options = options;
  }

  /** The first step. `memory` is what the program finds where its steps are not known. */
  begin(memory: CellMemory): Step {
    this.#root ??= this.#grow(undefined, 0, 0, memory);
    return this.#root;
  }

  /** The step after `step` answered (low, high). */
  follow(step: Step, low: number, high: number, memory: CellMemory): Step {
    const next = step.after(low, high) ?? this.#grow(step, low, high, memory);
    return next.same ?? next;
  }

  /** Joins a checkpoint to the first one at which the same was known. Returns whether there was one. */
  join(step: Step): boolean {
    if (!this.#options.joinsHistories) return false;
    const first = this.#checkpoints.get(step.detail as string);
    if (first === undefined) this.#checkpoints.set(step.detail as string, step);
    else step.same = first;
    return first !== undefined;
  }

  /** The program of the thread that takes the place of one that dies at `step`. */
  successorAt(step: Step): Program {
    const notes = step.notes.withDeath();
    let successor = this.#successors.get(notes);
    if (successor === undefined) {
      successor = new Program(this.process, this.processIndex, this.#options, this.life + 1, notes);
      this.#successors.set(notes, successor);
    }
    return successor;
  }

  #grow(from: Step | undefined, low: number, high: number, memory: CellMemory): Step {
    return new Growth(this, this.#notes, this.#options).run(from, low, high, memory);
  }
}

/** Thrown through a program to leave it; what it does on its way out has no effect. */
const LEAVE = { message: 'This thread is not run any further.' };
let steps = 0;

let scratch = new CellMemory(0);

/** One run of a program that adds steps to its tree. */
class Growth implements Port {
  low = 0;
  high = 0;
  readonly #program: Program;
  readonly #options: ProgramOptions;
  #notes: NoteList;
  #known: Step[] = [];
  #knownCount = 0;
  #count = 0;
  #last: Step | undefined;
  #first: Step | undefined;
  #left = false;
  #broken: Error | undefined;
  readonly #look = new Map<number, { mask: number; value: number }>();
  #sawChange = false;
  #open: OpenAccess | undefined;
  #memory = scratch;
  /** Made when it is needed. */
  #own: CellMemory | undefined;
  #ownCells = 0;

  constructor(program: Program, notes: NoteList, options: ProgramOptions) {
    this.#program = program;
    this.#notes = notes;
    this.#options = options;
  }

  run(from: Step | undefined, low: number, high: number, memory: CellMemory): Step {
    for (let step = from; step !== undefined; step = step.parent) this.#known.push(step);
    this.#known.reverse();
    this.#knownCount = this.#known.length;
    this.#lastAnswer = { low, high };
    this.#memory = scratchOf(memory);
    const thread: Thread = {
      life: this.#program.life,
      before: this.#notes.lives().slice(0, -1),
      note: (what, ...values) => this.#note({ what, values }),
      idle: () => this.#do({ ...BARE, kind: op.IDLE }),
      checkpoint: (...state) => this.#checkpoint(state),
      start: () => this.#do({ ...BARE, kind: op.START }),
    };
    try {
      through(this, () => this.#program.process.run(thread));
      if (!this.#left) this.#end({ ...BARE, kind: op.END });
    } catch (error) {
      if (!this.#left) this.#end({ ...BARE, kind: op.THREW }, error);
    }
    if (this.#broken !== undefined) throw this.#broken;
    return this.#first!;
  }

  /** A thread has no way to show a buffer to another, so what it makes itself is its own. */
  allocate(bytes: number): number {
    const first = this.#ownCells;
    this.#ownCells += Math.ceil(bytes / 8) * 2;
    if (this.#ownCells > OWN_CELLS_MAX) throw new Error(`A thread may have ${OWN_CELLS_MAX * 4} bytes of its own.`);
    return (FIRST_OWN_CELL + first) * 4;
  }

  perform(kind: number, cell: number, mask: number, a: number, b: number, c: number, d: number): void {
    if (cell < FIRST_OWN_CELL) this.#do({ kind, cell, mask, a, b, c, d });
    else if (this.#left) throw LEAVE;
    else if (op.isAccess(kind)) {
      this.#own ??= new CellMemory(OWN_CELLS_MAX);
      this.#own.execute(kind, cell - FIRST_OWN_CELL, mask, a, b, c, d);
      ({ low: this.low, high: this.high } = this.#own);
    } else [this.low, this.high] = [kind === op.WAIT ? op.TIMED_OUT : 0, 0];
  }

  #lastAnswer = { low: 0, high: 0 };

  #note(note: Note): void {
    const notes = this.#notes.with(note);
    this.#do({ ...BARE, kind: op.NOTE, a: notes.id }, note);
    this.#notes = notes;
  }

  #checkpoint(state: readonly unknown[]): void {
    if (this.#left) throw LEAVE;
    // What was known at a checkpoint that is passed again need not be written down again.
    const isNew = this.#count >= this.#knownCount;
    const known = isNew
      ? `${this.#notes.id} ${this.#own?.cells.subarray(0, this.#ownCells).join()} ${describe([this.#open, ...state])}` : undefined;
    this.#do({ ...BARE, kind: op.CHECKPOINT }, known);
    if (isNew && this.#program.join(this.#last!)) this.#leave();
  }

  #do(operation: Operation, detail?: unknown): void {
    if (this.#left) throw LEAVE;
    let step: Step;
    if (this.#count < this.#knownCount) {
      step = this.#known[this.#count++]!;
      this.#repeat(step, operation);
    } else {
      if (++this.#count > STEPS_MAX) this.#leaveAfter({ ...BARE, kind: op.ENDLESS });
      step = this.#lay(operation, detail);
      this.#explore(operation);
    }
    this.#remember(operation);
    if (op.orders(operation.kind) && this.#options.isSeen(step)) this.#open = undefined;
  }

  /** A step that is known is not carried out: it answers what it answered. */
  #repeat(step: Step, operation: Operation): void {
    if (!step.isSame(operation)) {
      this.#broken = this.#notRepeated(step, operation);
      this.#leave();
    }
    ({ low: this.low, high: this.high } = this.#known[this.#count] ?? this.#lastAnswer);
  }

  /** A new step is carried out as if no other thread ran, which is one of the things that may happen. */
  #explore({ kind, cell, mask, a, b, c, d }: Operation): void {
    if (kind === op.IDLE) this.#leave();
    if (kind === op.WAIT) {
      if (this.#memory.cells[cell] === a) this.#leave();
      this.#setAnswer(op.NOT_EQUAL, 0);
    } else if (op.isAccess(kind)) {
      this.#memory.execute(kind, cell, mask, a, b, c, d);
      this.#setAnswer(this.#memory.low, this.#memory.high);
    } else this.#setAnswer(0, 0);
  }

  #end(operation: Operation, error?: unknown): void {
    if (this.#count < this.#knownCount) this.#broken = this.#notRepeated(this.#known[this.#count]!, operation);
    else this.#lay(operation, error);
  }

  #notRepeated(step: Step, operation: Operation): Error {
    const [now, before] = [operation, step].map(({ kind, cell }) => `${op.operationName(kind)} of cell ${cell}`);
    return new Error(
      `Thread '${this.#program.process.name}' did ${now} where it did ${before} the last time: it knows something that comes neither from shared memory nor from its Thread.`,
    );
  }

  #setAnswer(low: number, high: number): void {
    this.low = low;
    this.high = high;
    this.#lastAnswer = { low, high };
  }

  #lay(operation: Operation, detail?: unknown): Step {
    const parent = this.#last ?? this.#known.at(-1);
    const step = new Step(++steps, this.#program, parent, this.#lastAnswer.low, this.#lastAnswer.high, this.#notes, this.#open, operation, detail);
    if (step.kind === op.IDLE && !this.#sawChange) step.look = Int32Array.from([...this.#look].flatMap(([cell, { mask, value }]) => [cell, mask, value]));
    this.#last = step;
    this.#first ??= step;
    this.#options.onStep(step);
    return step;
  }

  #leaveAfter(operation: Operation): never {
    this.#lay(operation);
    this.#leave();
  }

  #leave(): never {
    this.#left = true;
    throw LEAVE;
  }

  /** Keeps what the thread has read since it idled, as it is after its own writes. */
  #remember({ kind, cell, mask, a, b, c, d }: Operation): void {
    if (kind === op.IDLE || kind === op.CHECKPOINT) {
      this.#look.clear();
      this.#sawChange = false;
    }
    if (op.isPlain(kind)) this.#open = { cell, mask, isWrite: kind === op.WRITE, bits: bitOf(cell) | (this.#open?.bits ?? 0), before: this.#open };
    if (!op.isAccess(kind)) return;
    const { low, high } = this;
    if (op.reads(kind)) this.#compare(cell, mask, low);
    if (op.reads(kind) && op.isWide(kind)) this.#compare(cell + 1, -1, high);
    if (!op.writes(kind)) return;
    if (kind === op.WRITE) {
      if (this.#look.has(cell)) this.#see(cell, mask & this.#look.get(cell)!.mask, a);
      return;
    }
    after.cells.set(op.reads(kind) ? [low, high] : [a, b]);
    if (op.reads(kind)) after.execute(kind, 0, mask, a, b, c, d);
    if (this.#look.has(cell)) this.#see(cell, -1, after.cells[0]!);
    if (op.isWide(kind) && this.#look.has(cell + 1)) this.#see(cell + 1, -1, after.cells[1]!);
  }

  /** What is read twice in one look and differs would not be read so by a look that is made now. */
  #compare(cell: number, mask: number, value: number): void {
    const seen = this.#look.get(cell);
    if (seen !== undefined && ((seen.value ^ value) & seen.mask & mask) !== 0) this.#sawChange = true;
    this.#see(cell, mask, value);
  }

  #see(cell: number, mask: number, value: number): void {
    const seen = this.#look.get(cell) ?? { mask: 0, value: 0 };
    this.#look.set(cell, { mask: seen.mask | mask, value: (seen.value & ~mask) | (value & mask) });
  }
}

/** Memory that a thread makes for itself is numbered from here, and takes part in no schedule. */
const FIRST_OWN_CELL = 2 ** 24;
const OWN_CELLS_MAX = 256;
const BARE: Operation = { kind: 0, cell: 0, mask: 0, a: 0, b: 0, c: 0, d: 0 };
/** Two cells to see what a modification makes of them. */
const after = new CellMemory(2);

function scratchOf(memory: CellMemory): CellMemory {
  if (scratch.cells.length !== memory.cells.length) scratch = new CellMemory(memory.cells.length);
  scratch.copyFrom(memory);
  return scratch;
}
