/**
 * Values without a schema, in MessagePack: the codec that the kernel gives to the ring's codec for
 * the empty form `{}`.
 *
 * Plain data goes through: null, undefined, booleans, numbers, bigints, strings, Dates, Uint8Arrays
 * and other typed arrays, arrays, and objects with string keys. Nothing else does: MessagePack
 * extensions that build regular expressions, errors, sets, references or records are refused, as
 * are deep nesting and the keys by which a careless merge of two objects reaches a prototype. Two
 * things do not come back as they went: -0 becomes 0, and a lone surrogate becomes U+FFFD.
 *
 * The bytes are checked by one walk over their structure before msgpackr sees them, which needs no
 * recursion and no memory. The sender takes the same walk over its own bytes: what cannot be read
 * fails where it is written, before it is published.
 */
import { Packr } from 'msgpackr';
import { SpillwayError } from './errors.ts';

export const NESTING_DEPTH_MAX = 64;

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const FORBIDDEN_KEY_BYTES_MAX = Math.max(...[...FORBIDDEN_KEYS].map((key) => key.length));

/** undefined, bigint, typed array, timestamp: data that msgpackr copies out of the bytes. */
const EXTENSIONS: ReadonlySet<number> = new Set([0x00, 0x42, 0x74, 0xff]);

const packr = new Packr({
  useRecords: false,
  mapsAsObjects: true,
  moreTypes: true,
  copyBuffers: true,
  useBigIntExtension: true,
  // By default a function would become undefined without a word.
  writeFunction: () => {
    throw new TypeError('a function is not data');
  },
});

/** Fits the option `untyped` of `compileCodec`. */
export const untypedValue = {
  /** @throws {SpillwayError} `value_refused` for values other than plain data. */
  encode(value: unknown): Uint8Array {
    let bytes: Uint8Array;
    try {
      bytes = packr.pack(value);
    } catch (cause) {
      const message = `An untyped value must be plain data without cycles; packing it failed: ${reason(cause)}.`;
      throw new SpillwayError('value_refused', message, { cause });
    }
    check(bytes);
    return bytes;
  },

  /** @throws {SpillwayError} `value_refused` when the bytes are damaged or hold more than plain data. */
  decode(bytes: Uint8Array): unknown {
    check(bytes);
    try {
      return packr.unpack(bytes);
    } catch (cause) {
      const message = `The bytes of an untyped value could not be unpacked: ${reason(cause)}.`;
      throw new SpillwayError('value_refused', message, { cause });
    }
  },
};

/** One token of MessagePack, by its specification: what it is, and how far it reaches. */
interface Token {
  readonly kind: 'scalar' | 'text' | 'array' | 'map';
  /** Bytes of the token and, unless it is a container, of its payload. */
  readonly bytes: number;
  /** Where a text's bytes begin, from the token. */
  readonly head: number;
  /** Items of an array, entries of a map. */
  readonly count: number;
}

/** Walks the structure of `bytes` with the numbers of values still to come on a stack. */
function check(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Values left in each open container; those of a map count keys too, and are even before a key.
  const left = [1];
  const isMap = [false];
  let at = 0;
  while (left.length > 0) {
    const top = left.length - 1;
    const remaining = left[top] ?? 0;
    if (remaining === 0) {
      left.pop();
      isMap.pop();
      continue;
    }
    left[top] = remaining - 1;
    const token = tokenAt(view, at);
    if (isMap[top] === true && remaining % 2 === 0) checkKey(bytes, at, token);
    at += token.bytes;
    if (token.kind === 'scalar' || token.kind === 'text') continue;
    const values = token.kind === 'map' ? token.count * 2 : token.count;
    if (values > bytes.length - at) {
      throw refused(`it claims ${token.count} entries and ${bytes.length - at} bytes are left`);
    }
    if (left.length > NESTING_DEPTH_MAX) throw refused(`it nests deeper than ${NESTING_DEPTH_MAX} levels`);
    left.push(values);
    isMap.push(token.kind === 'map');
  }
  if (at !== bytes.length) throw refused(`${bytes.length - at} bytes follow it`);
}

function checkKey(bytes: Uint8Array, at: number, token: Token): void {
  if (token.kind !== 'text') throw refused('a key is not a string');
  if (token.bytes - token.head > FORBIDDEN_KEY_BYTES_MAX) return;
  const key = String.fromCharCode(...bytes.subarray(at + token.head, at + token.bytes));
  if (FORBIDDEN_KEYS.has(key)) throw refused(`it has the key ${JSON.stringify(key)}`);
}

function tokenAt(view: DataView, at: number): Token {
  if (at >= view.byteLength) throw refused('it ends too early');
  const byte = view.getUint8(at);
  const token = byte >= 0xc0 && byte < 0xe0 ? longToken(view, at, byte) : shortToken(byte);
  if (token.bytes > view.byteLength - at) throw refused('it ends too early');
  return token;
}

/** Tokens whose first byte says everything. */
function shortToken(byte: number): Token {
  if (byte < 0x80 || byte >= 0xe0) return scalar(1);
  if (byte < 0x90) return container('map', 1, byte & 0x0f);
  if (byte < 0xa0) return container('array', 1, byte & 0x0f);
  return text(1, byte & 0x1f);
}

/** Tokens that go on: most with a length of 1, 2 or 4 bytes, given here as a power of 2. */
function longToken(view: DataView, at: number, byte: number): Token {
  switch (byte) {
    case 0xc0: case 0xc2: case 0xc3:
      return scalar(1);
    case 0xcc: case 0xd0:
      return scalar(2);
    case 0xcd: case 0xd1:
      return scalar(3);
    case 0xca: case 0xce: case 0xd2:
      return scalar(5);
    case 0xcb: case 0xcf: case 0xd3:
      return scalar(9);
    case 0xc4: case 0xc5: case 0xc6:
      return scalar(headOf(byte - 0xc4) + lengthAt(view, at, byte - 0xc4));
    case 0xc7: case 0xc8: case 0xc9:
      return extension(view, at, headOf(byte - 0xc7), lengthAt(view, at, byte - 0xc7));
    case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8:
      return extension(view, at, 1, 1 << (byte - 0xd4));
    case 0xd9: case 0xda: case 0xdb:
      return text(headOf(byte - 0xd9), lengthAt(view, at, byte - 0xd9));
    case 0xdc: case 0xdd:
      return container('array', headOf(byte - 0xdb), lengthAt(view, at, byte - 0xdb));
    case 0xde: case 0xdf:
      return container('map', headOf(byte - 0xdd), lengthAt(view, at, byte - 0xdd));
    default:
      throw refused(`0x${byte.toString(16)} begins no value`);
  }
}

/** The first byte and a length of 2^power bytes. */
function headOf(power: number): number {
  return 1 + (1 << power);
}

function lengthAt(view: DataView, at: number, power: number): number {
  if (at + headOf(power) > view.byteLength) throw refused('it ends too early');
  if (power === 0) return view.getUint8(at + 1);
  return power === 1 ? view.getUint16(at + 1) : view.getUint32(at + 1);
}

function extension(view: DataView, at: number, head: number, payload: number): Token {
  if (at + head >= view.byteLength) throw refused('it ends too early');
  const type = view.getUint8(at + head);
  if (!EXTENSIONS.has(type)) throw refused(`it holds an extension of type ${type}, which is not plain data`);
  return scalar(head + 1 + payload);
}

function scalar(bytes: number): Token {
  return { kind: 'scalar', bytes, head: 0, count: 0 };
}

function text(head: number, payload: number): Token {
  return { kind: 'text', bytes: head + payload, head, count: 0 };
}

function container(kind: 'array' | 'map', head: number, count: number): Token {
  return { kind, bytes: head, head, count };
}

function refused(why: string): SpillwayError {
  const message = `An untyped value was refused: ${why}. Send plain data, or give the message a schema.`;
  return new SpillwayError('value_refused', message);
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
