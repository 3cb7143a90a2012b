/** Small scenarios over a few words, whose every outcome can be told beforehand: they test the explorer itself. */
import { FACADE } from './facade.ts';
import type { Prepared, Process, Scenario, Thread } from './scenario.ts';

type Globals = Pick<typeof globalThis, 'Atomics' | 'Int32Array' | 'BigInt64Array' | 'Uint8Array' | 'SharedArrayBuffer'>;

/** The façade's globals, for programs that are written in a test and not loaded through ring-source.ts. */
export const shared = FACADE as unknown as Globals;

export type ToyProgram = (thread: Thread, words: Int32Array) => void;

export interface ToyOptions extends Partial<Omit<Prepared, 'processes'>> {
  readonly deaths?: number;
  readonly isReordered?: boolean;
  /** Indices of the programs whose threads may die. Default: all. */
  readonly mortal?: readonly number[];
}

/** Threads named a, b, c … over eight shared words that begin as 0 and are named w0 to w7. */
export function toy(programs: readonly ToyProgram[], { deaths = 0, isReordered = false, mortal, check = () => {}, ...rest }: ToyOptions = {}): Scenario {
  return {
    name: 'toy',
    deaths,
    isReordered,
    prepare() {
      const words = new shared.Int32Array(new shared.SharedArrayBuffer(32));
      const processes = programs.map(
        (program, index): Process => ({
          name: String.fromCharCode(97 + index),
          mortal: mortal?.includes(index) ?? true,
          run: (thread) => program(thread, words),
        }),
      );
      return { processes, check, nameOf: (byte) => `w${byte / 4}`, ...rest };
    },
  };
}

/** As `toy`, and puts every outcome into `outcomes`: the notes of all threads, in the order of the threads. */
export function toyOutcomes(outcomes: Set<string>, programs: readonly ToyProgram[], options: ToyOptions = {}): Scenario {
  return toy(programs, {
    ...options,
    check(outcome) {
      const names = programs.map((_, index) => String.fromCharCode(97 + index));
      outcomes.add(names.map((name) => outcome.lives(name).map((notes) => notes.map(({ values }) => values.join()).join()).join('†')).join(' '));
    },
  });
}
