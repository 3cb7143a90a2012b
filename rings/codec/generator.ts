/**
 * What the emitters of the schema's forms (`forms/*.ts`) write to, and how they reach each other.
 *
 * The three functions of a codec, and its copier, are emitted as straight code over a few locals:
 *
 *   byteLength(value)                        size: bytes so far
 *   encode(value, memory, offset, length)    at: where the variable part goes on; end
 *   decode(memory, offset, length, views)    at, end
 *   copy(value)
 *
 * Everything is inlined, so `at` stays in a register and each function reads as the layout does.
 * Text of a schema gets into the source only as JSON string literals and as local names that are
 * plain identifiers; nothing of a schema is ever executed.
 */
import type { Layout } from './layout.ts';

/** Emits the code for one form. `value` and `position` are expressions without side effects. */
export interface FormEmitter<L extends Layout> {
  /** Adds the bytes that `value` takes in the variable part to `size`. Absent when there are none. */
  size?(out: Generator, layout: L, value: string): void;
  /** Checks `value`, stores its fixed part at `position`, its variable part at `at`, and moves `at`. */
  write(out: Generator, layout: L, value: string, position: Position): void;
  /** Reads and checks a value, moves `at`, and returns the expression that holds the value. */
  read(out: Generator, layout: L, position: Position): string;
  /** Checks `value` as `write` does, and returns the expression that holds what `read` would give. */
  copy(out: Generator, layout: L, value: string): string;
}

/** An expression for a byte position: a local, or a local plus a constant (`offset + 12`). */
export type Position = string;

export function plus(position: Position, bytes: number): Position {
  const [local, offset = '0'] = position.split(' + ');
  const sum = Number(offset) + bytes;
  return sum === 0 ? `${local}` : `${local} + ${sum}`;
}

export type Emitters = { readonly [F in Layout['form']]: FormEmitter<Extract<Layout, { form: F }>> };

export class Generator {
  readonly #emitters: Emitters;
  readonly #lines: string[] = [];
  readonly #constants: string[] = [];
  #indent = 1;
  #names = 0;

  constructor(emitters: Emitters) {
    this.#emitters = emitters;
  }

  size(layout: Layout, value: string): void {
    this.#emitter(layout).size?.(this, layout, value);
  }

  write(layout: Layout, value: string, position: Position): void {
    this.#emitter(layout).write(this, layout, value, position);
  }

  read(layout: Layout, position: Position): string {
    return this.#emitter(layout).read(this, layout, position);
  }

  copy(layout: Layout, value: string): string {
    return this.#emitter(layout).copy(this, layout, value);
  }

  line(code: string): void {
    this.#lines.push('  '.repeat(this.#indent) + code);
  }

  /** `head { body }`, or the next branch of an `if` when `head` begins with `else`. */
  block(head: string, body: () => void): void {
    this.line(`${head} {`);
    this.#indent++;
    body();
    this.#indent--;
    this.line('}');
  }

  /** A new local name that begins with `hint` where that is a plain identifier. */
  name(hint: string): string {
    return `${/^[A-Za-z][A-Za-z0-9]{0,30}$/.test(hint) ? hint : 'field'}_${++this.#names}`;
  }

  /** Declares a local and returns its name. */
  local(hint: string, code: string): string {
    const name = this.name(hint);
    this.line(`const ${name} = ${code};`);
    return name;
  }

  /** Declares a constant outside of the functions and returns its name. */
  constant(hint: string, code: string): string {
    const name = this.name(hint);
    this.#constants.push(`const ${name} = ${code};`);
    return name;
  }

  /** Reserves bytes in the variable part of a record being written; returns where they begin. */
  claim(bytes: number, layout: Layout): Position {
    const start = this.local('start', 'at');
    this.line(`at += ${bytes};`);
    this.line(`if (at > end) overflow(${literal(layout.path)});`);
    return start;
  }

  /** Steps over bytes in the variable part of a record being read; returns where they begin. */
  advance(bytes: number, layout: Layout): Position {
    const start = this.local('start', 'at');
    this.line(`at += ${bytes};`);
    this.line(`if (at > end) damaged('truncated', ${literal(layout.path)});`);
    return start;
  }

  /** The lines emitted since the last call. */
  takeBody(): string {
    return this.#lines.splice(0).join('\n');
  }

  get constants(): string {
    return this.#constants.join('\n');
  }

  /** Methods are bivariant, so the emitter of a form passes for one of any form here. */
  #emitter(layout: Layout): FormEmitter<Layout> {
    return this.#emitters[layout.form];
  }
}

/** Text as it may stand in source: a string literal, with the line ends that JSON leaves escaped. */
export function literal(text: string): string {
  return JSON.stringify(text).replace(/[\u2028\u2029]/g, (end) => `\\u${end.charCodeAt(0).toString(16)}`);
}

/** Reading a property, never an inherited one such as `constructor`. */
export function property(value: string, name: string): string {
  const access = /^[A-Za-z_$][A-Za-z0-9_$]*$/.test(name) ? `${value}.${name}` : `${value}[${literal(name)}]`;
  return name in Object.prototype ? `(Object.hasOwn(${value}, ${literal(name)}) ? ${access} : undefined)` : access;
}
