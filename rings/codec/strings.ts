/**
 * Text in a record: one byte per UTF-16 code unit when all units are below 256, else two.
 *
 *   header (uint32, in the fixed part)   units × 2 + (1 if wide)
 *   narrow                               units bytes, one per code unit (latin1)
 *   wide                                 2 × units bytes, code units little-endian
 *
 * Code units rather than UTF-8, because that is what a JavaScript string holds: there is nothing to
 * transcode, lone surrogates survive, and the size is known without walking the text.
 *
 * Three ways to move the units, by what each costs. A few units go one by one, since calling native
 * code costs more than the copy. Long texts go through the bulk operations of `Buffer` where there
 * is one. Elsewhere (browsers) they go in slices through `String.fromCharCode`: `TextDecoder` is no
 * way out, as it refuses shared memory, replaces lone surrogates, and reads "latin1" as windows-1252.
 */
import { CodecError } from './codec-error.ts';
import type { Memory } from './memory.ts';

/** The native text operations of Node's `Buffer.prototype`, which work on any Uint8Array. */
interface BulkText {
  latin1Write(this: Uint8Array, text: string, offset: number, length: number): number;
  ucs2Write(this: Uint8Array, text: string, offset: number, length: number): number;
  latin1Slice(this: Uint8Array, start: number, end: number): string;
  ucs2Slice(this: Uint8Array, start: number, end: number): string;
}

const bulk = (globalThis as { Buffer?: { prototype: BulkText } }).Buffer?.prototype;

/** Up to this many units a loop beats the regular expression below, a native write, a native read. */
const SHORT_SCAN_UNITS = 6;
const SHORT_WRITE_UNITS = 12;
const SHORT_READ_UNITS = 16;
const SLICE_UNITS = 4096;

// On a string that V8 stores in one byte per unit this answers without looking at the units.
const WIDE_UNIT = /[\u0100-\uffff]/;

function isWide(text: string): boolean {
  if (text.length > SHORT_SCAN_UNITS) return WIDE_UNIT.test(text);
  let union = 0;
  for (let i = 0; i < text.length; i++) union |= text.charCodeAt(i);
  return union > 0xff;
}

/** How many bytes follow a header. */
export function textBytes(header: number): number {
  return header & 1 ? header - 1 : header >>> 1;
}

/** How many bytes a text takes besides its header. */
export function textByteLength(text: unknown, path: string): number {
  if (typeof text !== 'string') throw notText(text, path);
  return isWide(text) ? text.length * 2 : text.length;
}

/**
 * Writes the units of `text` at `at` and returns their header.
 * @throws {CodecError} `overflow` before anything is written at or past `end`.
 */
export function writeText(memory: Memory, text: unknown, at: number, end: number, path: string): number {
  if (typeof text !== 'string') throw notText(text, path);
  const units = text.length;
  if (units > end - at) throw noRoom(path);
  if (units > SHORT_WRITE_UNITS) {
    if (WIDE_UNIT.test(text)) return writeWide(memory, text, at, end, path);
    if (bulk !== undefined) {
      bulk.latin1Write.call(memory.u8, text, at, units);
      return units * 2;
    }
  }
  // Optimistic: most texts are narrow, and a wide one is seen at the end and written again.
  const { u8 } = memory;
  let union = 0;
  for (let i = 0; i < units; i++) {
    const unit = text.charCodeAt(i);
    u8[at + i] = unit;
    union |= unit;
  }
  return union > 0xff ? writeWide(memory, text, at, end, path) : units * 2;
}

function writeWide(memory: Memory, text: string, at: number, end: number, path: string): number {
  const units = text.length;
  if (units * 2 > end - at) throw noRoom(path);
  if (bulk !== undefined) bulk.ucs2Write.call(memory.u8, text, at, units * 2);
  else for (let i = 0; i < units; i++) memory.view.setUint16(at + 2 * i, text.charCodeAt(i), true);
  return units * 2 + 1;
}

/** Reads the text of a header. The caller has checked that `textBytes(header)` bytes are there. */
export function readText(memory: Memory, at: number, header: number): string {
  const bytes = textBytes(header);
  if (bytes === 0) return '';
  if (header & 1) {
    return bulk === undefined ? readWideInSlices(memory, at, bytes) : bulk.ucs2Slice.call(memory.u8, at, at + bytes);
  }
  if (bytes <= SHORT_READ_UNITS) return readShort(memory.u8, at, bytes);
  return bulk === undefined ? readNarrowInSlices(memory.u8, at, bytes) : bulk.latin1Slice.call(memory.u8, at, at + bytes);
}

function readNarrowInSlices(u8: Uint8Array, at: number, bytes: number): string {
  let text = '';
  for (let start = at; start < at + bytes; start += SLICE_UNITS) {
    text += String.fromCharCode(...u8.subarray(start, Math.min(start + SLICE_UNITS, at + bytes)));
  }
  return text;
}

function readWideInSlices({ view }: Memory, at: number, bytes: number): string {
  let text = '';
  for (let start = at; start < at + bytes; start += 2 * SLICE_UNITS) {
    const units = new Uint16Array(Math.min(SLICE_UNITS, (at + bytes - start) / 2));
    for (let i = 0; i < units.length; i++) units[i] = view.getUint16(start + 2 * i, true);
    text += String.fromCharCode(...units);
  }
  return text;
}

/**
 * Reads 1 to SHORT_READ_UNITS narrow units with one `String.fromCharCode` of that many arguments:
 * `case 3: return String.fromCharCode(u8[at], u8[at + 1], u8[at + 2]);` and so on. The compiler
 * turns each into one allocation, where a loop of `+=` makes a string per unit.
 */
const readShort = compileReadShort();

function compileReadShort(): (u8: Uint8Array, at: number, units: number) => string {
  const cases: string[] = [];
  for (let units = 1; units <= SHORT_READ_UNITS; units++) {
    const list = Array.from({ length: units }, (_, i) => `u8[at + ${i}]`).join(', ');
    cases.push(`case ${units}: return String.fromCharCode(${list});`);
  }
  const body = `switch (units) {\n${cases.join('\n')}\ndefault: return '';\n}`;
  // oxlint-disable-next-line typescript/no-implied-eval -- The source is made of the constants above alone.
  return new Function('u8', 'at', 'units', body) as (u8: Uint8Array, at: number, units: number) => string;
}

function notText(found: unknown, path: string): CodecError {
  return new CodecError('bad_value', path, `expected a string, found ${found === null ? 'null' : typeof found}.`);
}

function noRoom(path: string): CodecError {
  return new CodecError('overflow', path, 'the text is longer than when it was measured.');
}
