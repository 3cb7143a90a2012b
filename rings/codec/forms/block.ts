/** A typed array: its count in the fixed part, its memory at the next multiple of 8. */
import type { FormEmitter, Generator } from '../generator.ts';
import { literal } from '../generator.ts';
import { NUMBER_BYTES } from '../layout.ts';
import type { BlockLayout } from '../layout.ts';
import type { NumberType } from '../schema.ts';

const ARRAYS: Readonly<Record<NumberType, string>> = {
  float32: 'Float32Array',
  float64: 'Float64Array',
  int8: 'Int8Array',
  uint8: 'Uint8Array',
  int16: 'Int16Array',
  uint16: 'Uint16Array',
  int32: 'Int32Array',
  uint32: 'Uint32Array',
};

// `-x & 7` is how far x is from the next multiple of 8. Offsets and sizes are counted from a
// multiple of 8, so what aligns the one aligns the other.
export const blockForm: FormEmitter<BlockLayout> = {
  size(out, layout, value) {
    checkBlock(out, layout, value);
    out.line(`size += (-size & 7) + ${value}.length * ${NUMBER_BYTES[layout.type]};`);
  },
  write(out, layout, value, position) {
    checkBlock(out, layout, value);
    const start = out.local('start', 'at + (-at & 7)');
    const count = out.local('count', `${value}.length`);
    out.line(`if (${start} + ${count} * ${NUMBER_BYTES[layout.type]} > end) overflow(${literal(layout.path)});`);
    out.line(`while (at < ${start}) u8[at++] = 0;`);
    out.line(`${viewOf(layout, start, count)}.set(${value});`);
    out.line(`view.setUint32(${position}, ${count}, true);`);
    out.line(`at += ${count} * ${NUMBER_BYTES[layout.type]};`);
  },
  read(out, layout, position) {
    const bytes = NUMBER_BYTES[layout.type];
    const start = out.local('start', 'at + (-at & 7)');
    const count = out.local('count', `view.getUint32(${position}, true)`);
    out.line(`if (${start} + ${count} * ${bytes} > end) damaged('truncated', ${literal(layout.path)});`);
    const block = out.local('block', viewOf(layout, start, count));
    out.line(`at = ${start} + ${count} * ${bytes};`);
    return `views ? ${block} : ${block}.slice()`;
  },
  copy(out, layout, value) {
    checkBlock(out, layout, value);
    // The `slice` of a Buffer would be a view, and that of another subclass one of its own kind.
    return out.local('block', `new ${ARRAYS[layout.type]}(${value})`);
  },
};

function checkBlock(out: Generator, { type, path }: BlockLayout, value: string): void {
  out.line(`if (!(${value} instanceof ${ARRAYS[type]})) misfit(${literal(path)}, 'a ${ARRAYS[type]}', ${value});`);
}

function viewOf({ type }: BlockLayout, start: string, count: string): string {
  return `new ${ARRAYS[type]}(memory.buffer, u8.byteOffset + ${start}, ${count})`;
}
