/**
 * Lists (`elements`) and maps (`values`): a count in the fixed part, then item after item, each with
 * its fixed part before its variable part. In a map each item follows its key.
 */
import type { FormEmitter, Generator, Position } from '../generator.ts';
import { literal } from '../generator.ts';
import { isVariable } from '../layout.ts';
import type { ListLayout, MapLayout } from '../layout.ts';

const KEY_HEADER_BYTES = 4;

/** A longer copy grows item by item, so that the length alone of an array without items costs nothing. */
const PREALLOCATED_ITEMS_MAX = 65_536;

export const listForm: FormEmitter<ListLayout> = {
  size(out, { item, path }, value) {
    checkList(out, path, value);
    if (!isVariable(item)) {
      out.line(`size += ${value}.length * ${item.fixedBytes};`);
      return;
    }
    // In the order of writing, because the padding before a block depends on where it comes.
    const local = out.name('item');
    out.block(`for (const ${local} of ${value})`, () => {
      out.line(`size += ${item.fixedBytes};`);
      out.size(item, local);
    });
  },
  write(out, { item, path }, value, position) {
    checkList(out, path, value);
    const count = out.local('count', `${value}.length`);
    out.line(`view.setUint32(${position}, ${count}, true);`);
    const i = out.name('i');
    out.block(`for (let ${i} = 0; ${i} < ${count}; ${i}++)`, () => {
      const start = out.claim(item.fixedBytes, item);
      out.write(item, out.local('item', `${value}[${i}]`), start);
    });
  },
  read(out, { item, path }, position) {
    const count = readCount(out, path, position, item.fixedBytes);
    const list = out.local('list', `new Array(${count})`);
    const i = out.name('i');
    out.block(`for (let ${i} = 0; ${i} < ${count}; ${i}++)`, () => {
      const start = out.advance(item.fixedBytes, item);
      out.line(`${list}[${i}] = ${out.read(item, start)};`);
    });
    return list;
  },
  copy(out, { item, path }, value) {
    checkList(out, path, value);
    const count = out.local('count', `${value}.length`);
    const list = out.local('list', `new Array(${count} > ${PREALLOCATED_ITEMS_MAX} ? 0 : ${count})`);
    const i = out.name('i');
    out.block(`for (let ${i} = 0; ${i} < ${count}; ${i}++)`, () => {
      out.line(`${list}[${i}] = ${out.copy(item, out.local('item', `${value}[${i}]`))};`);
    });
    return list;
  },
};

export const mapForm: FormEmitter<MapLayout> = {
  size(out, { item, path }, value) {
    checkMap(out, path, value);
    const key = out.name('key');
    out.block(`for (const ${key} of Object.keys(${value}))`, () => {
      out.line(`size += ${KEY_HEADER_BYTES + item.fixedBytes} + textByteLength(${key}, ${literal(path)});`);
      if (isVariable(item)) out.size(item, out.local('item', `${value}[${key}]`));
    });
  },
  write(out, { item, path }, value, position) {
    checkMap(out, path, value);
    const keys = out.local('keys', `Object.keys(${value})`);
    out.line(`view.setUint32(${position}, ${keys}.length, true);`);
    const key = out.name('key');
    out.block(`for (const ${key} of ${keys})`, () => {
      const start = out.claim(KEY_HEADER_BYTES, item);
      const header = out.local('header', `writeText(memory, ${key}, at, end, ${literal(path)})`);
      out.line(`view.setUint32(${start}, ${header}, true);`);
      out.line(`at += textBytes(${header});`);
      const itemStart = out.claim(item.fixedBytes, item);
      out.write(item, out.local('item', `${value}[${key}]`), itemStart);
    });
  },
  read(out, { item, path }, position) {
    const count = readCount(out, path, position, KEY_HEADER_BYTES + item.fixedBytes);
    const map = out.local('map', '{}');
    const i = out.name('i');
    out.block(`for (let ${i} = 0; ${i} < ${count}; ${i}++)`, () => {
      const start = out.advance(KEY_HEADER_BYTES, item);
      const header = out.local('header', `view.getUint32(${start}, true)`);
      out.line(`if (textBytes(${header}) > end - at) damaged('truncated', ${literal(path)});`);
      const key = out.local('key', `readText(memory, at, ${header})`);
      out.line(`at += textBytes(${header});`);
      const itemStart = out.advance(item.fixedBytes, item);
      out.line(`setOwn(${map}, ${key}, ${out.read(item, itemStart)});`);
    });
    return map;
  },
  copy(out, { item, path }, value) {
    checkMap(out, path, value);
    const map = out.local('map', '{}');
    const key = out.name('key');
    out.block(`for (const ${key} of Object.keys(${value}))`, () => {
      out.line(`setOwn(${map}, ${key}, ${out.copy(item, out.local('item', `${value}[${key}]`))});`);
    });
    return map;
  },
};

function checkList(out: Generator, path: string, value: string): void {
  out.line(`if (!Array.isArray(${value})) misfit(${literal(path)}, 'an array', ${value});`);
}

function checkMap(out: Generator, path: string, value: string): void {
  out.line(`if (!isRecord(${value})) misfit(${literal(path)}, 'an object', ${value});`);
}

/** Reads a count and holds it against the bytes that are left, before anything is allocated. */
function readCount(out: Generator, path: string, position: Position, itemBytes: number): string {
  const count = out.local('count', `view.getUint32(${position}, true)`);
  out.line(`if (${count} * ${itemBytes} > end - at) damaged('bad_length', ${literal(path)});`);
  return count;
}
