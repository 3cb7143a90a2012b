/**
 * What a thread and its predecessors have put down for the check at the end, as lists that are made
 * once: two histories with the same notes share one list, so lists compare by identity.
 */

export interface Note {
  readonly what: string;
  readonly values: readonly number[];
}

/** Stands between the notes of a dead thread and those of its successor. */
const DEATH: Note = { what: 'death', values: [] };

let lists = 0;

export class NoteList {
  /** Different for every list that has other notes. */
  readonly id = ++lists;
  readonly last: Note | undefined;
  readonly #before: NoteList | undefined;
  readonly #longer = new Map<string, NoteList>();

  constructor(before?: NoteList, last?: Note) {
    this.#before = before;
    this.last = last;
  }

  with(note: Note): NoteList {
    const key = `${note.what} ${note.values.join(' ')}`;
    let longer = this.#longer.get(key);
    if (longer === undefined) this.#longer.set(key, (longer = new NoteList(this, note)));
    return longer;
  }

  withDeath(): NoteList {
    return this.with(DEATH);
  }

  #all(): Note[] {
    if (this.#before === undefined) return [];
    const notes = this.#before.#all();
    notes.push(this.last!);
    return notes;
  }

  /** The notes of each life, in their order; the last life is the one that goes on. */
  lives(): readonly (readonly Note[])[] {
    const lives: Note[][] = [[]];
    for (const note of this.#all()) {
      if (note === DEATH) lives.push([]);
      else lives.at(-1)!.push(note);
    }
    return lives;
  }
}
