/** Values of a fixed size: boolean, the number types, timestamp, enum. */
import type { FormEmitter, Generator, Position } from '../generator.ts';
import { literal } from '../generator.ts';
import { indexBytes } from '../layout.ts';
import type { BooleanLayout, EnumLayout, NumberLayout, TimestampLayout } from '../layout.ts';
import type { NumberType } from '../schema.ts';

interface NumberCode {
  /** The accessor of a DataView, after `get` or `set`. */
  readonly accessor: string;
  /** What the value becomes when it is stored: an integer that fits is equal to it. */
  readonly stored?: (value: string) => string;
  /** What comes back of a value that is not stored as it is. */
  readonly copied?: (value: string) => string;
}

const NUMBERS: Readonly<Record<NumberType, NumberCode>> = {
  float32: { accessor: 'Float32', copied: (value) => `Math.fround(${value})` },
  float64: { accessor: 'Float64' },
  int8: { accessor: 'Int8', stored: (value) => `${value} << 24 >> 24` },
  uint8: { accessor: 'Uint8', stored: (value) => `(${value} & 0xff)` },
  int16: { accessor: 'Int16', stored: (value) => `${value} << 16 >> 16` },
  uint16: { accessor: 'Uint16', stored: (value) => `(${value} & 0xffff)` },
  int32: { accessor: 'Int32', stored: (value) => `(${value} | 0)` },
  uint32: { accessor: 'Uint32', stored: (value) => `${value} >>> 0` },
};

export const booleanForm: FormEmitter<BooleanLayout> = {
  write(out, layout, value, position) {
    checkBoolean(out, layout, value);
    out.line(`u8[${position}] = ${value} ? 1 : 0;`);
  },
  read(out, { path }, position) {
    const byte = out.local('byte', `u8[${position}]`);
    out.line(`if (${byte} > 1) damaged('bad_tag', ${literal(path)});`);
    return `${byte} === 1`;
  },
  copy(out, layout, value) {
    checkBoolean(out, layout, value);
    return value;
  },
};

export const numberForm: FormEmitter<NumberLayout> = {
  write(out, layout, value, position) {
    checkNumber(out, layout, value);
    out.line(`view.set${NUMBERS[layout.type].accessor}(${position}, ${value}, true);`);
  },
  read(out, { type }, position) {
    return out.local('number', `view.get${NUMBERS[type].accessor}(${position}, true)`);
  },
  copy(out, layout, value) {
    checkNumber(out, layout, value);
    const { stored, copied = stored } = NUMBERS[layout.type];
    return copied === undefined ? value : copied(value);
  },
};

export const timestampForm: FormEmitter<TimestampLayout> = {
  write(out, layout, value, position) {
    checkDate(out, layout, value);
    out.line(`view.setFloat64(${position}, ${value}.getTime(), true);`);
  },
  read(out, _layout, position) {
    return out.local('date', `new Date(view.getFloat64(${position}, true))`);
  },
  copy(out, layout, value) {
    checkDate(out, layout, value);
    // A DataView makes a number of whatever it stores; a Date would parse a text.
    return out.local('date', `new Date(+${value}.getTime())`);
  },
};

export const enumForm: FormEmitter<EnumLayout> = {
  write(out, { names, path }, value, position) {
    const entries = names.map((name, index) => `[${literal(name)}, ${index}]`);
    const indices = out.constant('indices', `new Map([${entries.join(', ')}])`);
    const index = out.local('index', `${indices}.get(${value})`);
    out.line(`if (${index} === undefined) misfit(${literal(path)}, 'a name of the enum', ${value});`);
    out.line(writeIndex(names.length, position, index));
  },
  read(out, { names, path }, position) {
    const table = out.constant('names', `[${names.map(literal).join(', ')}]`);
    const index = out.local('index', readIndex(names.length, position));
    out.line(`if (${index} >= ${names.length}) damaged('bad_tag', ${literal(path)});`);
    return `${table}[${index}]`;
  },
  copy(out, { names, path }, value) {
    const set = out.constant('names', `new Set([${names.map(literal).join(', ')}])`);
    out.line(`if (!${set}.has(${value})) misfit(${literal(path)}, 'a name of the enum', ${value});`);
    return value;
  },
};

function checkBoolean(out: Generator, { path }: BooleanLayout, value: string): void {
  out.line(`if (typeof ${value} !== 'boolean') misfit(${literal(path)}, 'a boolean', ${value});`);
}

function checkNumber(out: Generator, { path, type }: NumberLayout, value: string): void {
  const { stored } = NUMBERS[type];
  const misfits = stored === undefined ? '' : ` || ${stored(value)} !== ${value}`;
  out.line(`if (typeof ${value} !== 'number'${misfits}) misfit(${literal(path)}, ${literal(type)}, ${value});`);
}

function checkDate(out: Generator, { path }: TimestampLayout, value: string): void {
  out.line(`if (!(${value} instanceof Date)) misfit(${literal(path)}, 'a Date', ${value});`);
}

/** Stores an index below `count`. */
export function writeIndex(count: number, position: Position, index: string | number): string {
  return `view.setUint${indexBytes(count) * 8}(${position}, ${index}, true);`;
}

export function readIndex(count: number, position: Position): string {
  return `view.getUint${indexBytes(count) * 8}(${position}, true)`;
}
