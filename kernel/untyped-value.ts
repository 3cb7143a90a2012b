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
 *
 * msgpackr is taken without its native part: every thread loads it, and the part is most of that time.
 *
 * A value for an actor of the same thread is copied without bytes where it is made of everyday
 * parts. Whatever else it holds sends the whole of it through the bytes, so the two cannot disagree.
 */
import { Buffer } from 'node:buffer';
import { Packr } from 'msgpackr/pack';
import { SpillwayError } from './errors.ts';

export const NESTING_DEPTH_MAX = 64;
/** msgpackr counts the keys of an object in 16 bits, and refuses more. */
const KEYS_MAX = 0xffff;

const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const FORBIDDEN_KEY_BYTES_MAX = Math.max(...[...FORBIDDEN_KEYS].map((key) => key.length));

const TYPED_ARRAY_EXTENSION = 0x74;
/** undefined, bigint, typed array, timestamp: data that msgpackr copies out of the bytes. */
const EXTENSIONS: ReadonlySet<number> = new Set([0x00, 0x42, TYPED_ARRAY_EXTENSION, 0xff]);

/** By msgpackr's code of their type, which is the first byte of the extension. */
const TYPED_ARRAYS = [
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array, Float64Array,
  BigInt64Array, BigUint64Array,
] as const;
const ARRAY_BUFFER_CODE = 16;
const DATA_VIEW_CODE = 17;

type TypedArrayCopy = new (original: object) => object;

/** What the copy of an array of this constructor is made with. */
const TYPED_ARRAY_COPIES: ReadonlyMap<unknown, TypedArrayCopy> = new Map<unknown, TypedArrayCopy>([
  ...TYPED_ARRAYS.map((constructor) => [constructor, constructor as TypedArrayCopy] as const),
  [Buffer, Uint8Array],
]);

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

  /**
   * The same as `decode(encode(value))` by way of a plain Uint8Array, with the same limits.
   * @throws {SpillwayError} `value_refused` for what `encode` or `decode` refuses.
   */
  copy(value: unknown): unknown {
    try {
      return copyOf(value, 0);
    } catch {
      // Not of everyday parts only, or to be refused, or a getter threw: the bytes decide and say why.
      return untypedValue.decode(new Uint8Array(untypedValue.encode(value)));
    }
  },
};

/** Thrown to `copy` and no further, so it needs no stack of its own. */
const NOT_EVERYDAY = new TypeError('This value is copied by way of its bytes.');

/** Goes by the same marks as msgpackr: the type, then the constructor. `depth` counts what is around. */
function copyOf(value: unknown, depth: number): unknown {
  switch (typeof value) {
    case 'string': return everydayText(value);
    case 'number': return value + 0; // -0 becomes 0.
    case 'boolean': case 'bigint': case 'undefined': return value;
    case 'object': return value === null ? null : copyOfObject(value, depth);
    default: throw NOT_EVERYDAY;
  }
}

/** Lone surrogates do not come back as they went, nor does a leading U+FEFF. */
function everydayText(text: string): string {
  if (!text.isWellFormed() || text.charCodeAt(0) === 0xfeff) throw NOT_EVERYDAY;
  return text;
}

function copyOfObject(value: object, depth: number): object {
  const { constructor } = value;
  if (constructor === Object) return copyOfRecord(value as Readonly<Record<string, unknown>>, depth);
  if (constructor === Array && Array.isArray(value)) return copyOfArray(value, depth);
  // Unlike `value.getTime()` this refuses an object that only says it were a Date.
  if (constructor === Date) return new Date(Date.prototype.getTime.call(value));
  const TypedArray = TYPED_ARRAY_COPIES.get(constructor);
  if (TypedArray === undefined || !ArrayBuffer.isView(value)) throw NOT_EVERYDAY;
  return new TypedArray(value);
}

function copyOfRecord(record: Readonly<Record<string, unknown>>, depth: number): object {
  const keys = Object.keys(record);
  // msgpackr asks the object itself for its own keys.
  const isOdd = record['hasOwnProperty'] !== Object.prototype.hasOwnProperty;
  if (depth >= NESTING_DEPTH_MAX || keys.length > KEYS_MAX || isOdd) throw NOT_EVERYDAY;
  const copy: Record<string, unknown> = {};
  for (const key of keys) {
    if (FORBIDDEN_KEYS.has(key)) throw NOT_EVERYDAY;
    copy[everydayText(key)] = copyOf(record[key], depth + 1);
  }
  return copy;
}

function copyOfArray(array: readonly unknown[], depth: number): object {
  if (depth >= NESTING_DEPTH_MAX) throw NOT_EVERYDAY;
  const { length } = array;
  const copy: unknown[] = [];
  // By index, as msgpackr does, so that a hole becomes undefined.
  for (let i = 0; i < length; i++) copy.push(copyOf(array[i], depth + 1));
  return copy;
}

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
  if (type === TYPED_ARRAY_EXTENSION) checkTypedArray(view, at + head + 1, payload);
  return scalar(head + 1 + payload);
}

/** A subclass, or a type that msgpackr does not know, is packed with a code that nothing reads. */
function checkTypedArray(view: DataView, at: number, payload: number): void {
  const code = payload > 0 && at < view.byteLength ? view.getUint8(at) : -1;
  const isKnown = (code >= 0 && code < TYPED_ARRAYS.length) || code === ARRAY_BUFFER_CODE || code === DATA_VIEW_CODE;
  if (!isKnown) throw refused('it holds a typed array of a type that cannot be read back');
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
