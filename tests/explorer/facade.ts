/**
 * `SharedArrayBuffer`, the typed arrays and `Atomics`, as the ring code sees them under the explorer.
 *
 * The sources of `rings/` run as they are shipped; only these global names mean something else to them
 * (see ring-source.ts). A buffer made here has no memory of its own, so there is no way around the
 * façade: every view on it is made here, and every access through a view becomes an operation for
 * whoever runs the code. What is not modelled throws, so nothing is left out in silence.
 */
import * as op from './operation.ts';

/** Who carries out the operations of the code that runs at the moment. */
export interface Port {
  /** What the last operation answered. */
  readonly low: number;
  readonly high: number;
  perform(kind: number, cell: number, mask: number, a: number, b: number, c: number, d: number): void;
  /** Reserves memory and returns its first byte, a multiple of 8. */
  allocate(bytes: number): number;
}

let port: Port | undefined;

/** Runs code whose operations go to `inside`. Calls may nest. */
export function through<T>(inside: Port, run: () => T): T {
  const outside = port;
  port = inside;
  try {
    return run();
  } finally {
    port = outside;
  }
}

/** For whoever carries operations out: where the code runs now. @throws Error outside of `through` */
function currentPort(): Port {
  if (port === undefined) throw new Error('Memory of the explorer is touched by code that the explorer does not run.');
  return port;
}

function perform(kind: number, cell: number, mask: number, a = 0, b = 0, c = 0, d = 0): Port {
  const inside = currentPort();
  inside.perform(kind, cell, mask, a, b, c, d);
  return inside;
}

class SharedBuffer {
  readonly byteLength: number;
  readonly firstByte: number;

  constructor(byteLength: number) {
    this.byteLength = byteLength;
    this.firstByte = currentPort().allocate(byteLength);
  }
}

/** What stands behind a view on a shared buffer. */
interface SharedView {
  readonly buffer: SharedBuffer;
  readonly element: Element;
  readonly byteOffset: number;
  readonly length: number;
}

type RealArray = Int32Array | BigInt64Array;
type RealConstructor = new (...parameters: unknown[]) => RealArray;

/** One type of array: its real constructor, and 8 bytes in which its values become bits and back. */
interface Element {
  readonly name: string;
  readonly constructor: RealConstructor;
  readonly bytes: number;
  readonly bits: Int32Array;
  readonly values: RealArray;
}

const VIEW = Symbol('shared view');

function notModelled(what: string): never {
  throw new Error(`The explorer does not model ${what}; add it to tests/explorer/facade.ts.`);
}

function outOfBounds(view: SharedView, index: unknown): never {
  throw new RangeError(`Index ${String(index)} of ${view.element.name} is outside of its ${view.length} elements.`);
}

function readElement({ element, buffer, byteOffset }: SharedView, index: number): number | bigint {
  const byte = buffer.firstByte + byteOffset + index * element.bytes;
  const { bits } = element;
  if (element.bytes === 4) bits[0] = perform(op.READ, byte >> 2, -1).low;
  else if (element.bytes === 8) {
    bits[0] = perform(op.READ, byte >> 2, -1).low;
    bits[1] = perform(op.READ, (byte >> 2) + 1, -1).low;
  } else {
    const shift = (byte & 3) * 8;
    bits[0] = perform(op.READ, byte >> 2, ((1 << (element.bytes * 8)) - 1) << shift).low >>> shift;
  }
  return element.values[0]!;
}

function writeElement({ element, buffer, byteOffset }: SharedView, index: number, value: number | bigint): void {
  const byte = buffer.firstByte + byteOffset + index * element.bytes;
  const { bits } = element;
  bits[0] = 0;
  element.values[0] = value;
  if (element.bytes === 4) perform(op.WRITE, byte >> 2, -1, bits[0]);
  else if (element.bytes === 8) {
    const high = bits[1]!;
    perform(op.WRITE, byte >> 2, -1, bits[0]);
    perform(op.WRITE, (byte >> 2) + 1, -1, high);
  } else {
    const shift = (byte & 3) * 8;
    perform(op.WRITE, byte >> 2, ((1 << (element.bytes * 8)) - 1) << shift, bits[0] << shift);
  }
}

/** Copies bytes in, a cell at a time, as a processor would, so that a copy can be seen and ended half done. */
function writeBytes(view: SharedView, from: number, bytes: Uint8Array): void {
  let byte = view.buffer.firstByte + view.byteOffset + from;
  for (let done = 0; done < bytes.length; ) {
    let [mask, bits] = [0, 0];
    const cell = byte >> 2;
    for (; done < bytes.length && byte >> 2 === cell; done++, byte++) {
      mask |= 0xff << ((byte & 3) * 8);
      bits |= bytes[done]! << ((byte & 3) * 8);
    }
    perform(op.WRITE, cell, mask, bits);
  }
}

function readBytes(view: SharedView, from: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let byte = view.buffer.firstByte + view.byteOffset + from;
  for (let done = 0; done < count; ) {
    const cell = byte >> 2;
    const first = done;
    let mask = 0;
    for (; done < count && byte >> 2 === cell; done++, byte++) mask |= 0xff << ((byte & 3) * 8);
    const { low } = perform(op.READ, cell, mask);
    for (let place = first; place < done; place++) bytes[place] = low >>> (((byte - done + place) & 3) * 8);
  }
  return bytes;
}

/** Where `start` and `end` of the array methods lie, counted from the end when negative. */
function range(view: SharedView, start = 0, end = view.length): [start: number, end: number] {
  const place = (index: number): number => Math.max(0, Math.min(view.length, index < 0 ? view.length + index : index));
  const first = place(start);
  return [first, Math.max(first, place(end))];
}

/** A copy that belongs to the thread alone. */
function copied(view: SharedView, start?: number, end?: number): RealArray {
  const [first, last] = range(view, start, end);
  const { bytes, constructor } = view.element;
  return new constructor(readBytes(view, first * bytes, (last - first) * bytes).buffer);
}

function setAll(view: SharedView, source: ArrayLike<number | bigint>, at: number): void {
  const shared = viewOf(source);
  const values = shared === undefined ? new view.element.constructor(source) : copied(shared);
  if (at < 0 || at + values.length > view.length) outOfBounds(view, at + values.length);
  writeBytes(view, at * view.element.bytes, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

const METHODS: Readonly<Record<PropertyKey, (view: SharedView) => unknown>> = {
  length: (view) => view.length,
  byteLength: (view) => view.length * view.element.bytes,
  byteOffset: (view) => view.byteOffset,
  buffer: (view) => view.buffer,
  BYTES_PER_ELEMENT: (view) => view.element.bytes,
  [VIEW]: (view) => view,
  [Symbol.toStringTag]: (view) => view.element.name,
  [Symbol.iterator]: (view) => () => copied(view)[Symbol.iterator](),
  slice: (view) => (start?: number, end?: number) => copied(view, start, end),
  subarray: (view) => (start?: number, end?: number) => {
    const [first, last] = range(view, start, end);
    return makeView(view.element, view.buffer, view.byteOffset + first * view.element.bytes, last - first);
  },
  set: (view) => (source: ArrayLike<number | bigint>, at = 0) => setAll(view, source, at),
  fill: (view) => (value: number | bigint, start?: number, end?: number) => {
    const [first, last] = range(view, start, end);
    setAll(view, Array.from({ length: last - first }, () => value), first);
  },
  copyWithin: (view) => (to: number, start: number, end?: number) => {
    const values = copied(view, start, end) as Int32Array;
    const [first] = range(view, to);
    setAll(view, values.subarray(0, view.length - first), first);
  },
};

function makeView(element: Element, buffer: SharedBuffer, byteOffset: number, length: number): object {
  const view: SharedView = { buffer, element, byteOffset, length };
  return new Proxy(element.constructor.prototype as object, {
    get(_, key) {
      const index = typeof key === 'string' ? Number(key) : NaN;
      if (index >= 0 && index < length && Number.isInteger(index)) return readElement(view, index);
      const method = METHODS[key];
      if (method !== undefined) return method(view);
      return Number.isNaN(index) ? notModelled(`${element.name}.${String(key)}`) : outOfBounds(view, key);
    },
    set(_, key, value: number | bigint) {
      const index = typeof key === 'string' ? Number(key) : NaN;
      if (!(index >= 0 && index < length && Number.isInteger(index))) outOfBounds(view, key);
      writeElement(view, index, value);
      return true;
    },
    getPrototypeOf: (prototype) => prototype,
  });
}

/** Which memory a buffer or a view of the façade stands for; undefined for everything else. */
export function describeShared(value: object): string | undefined {
  if (value instanceof SharedBuffer) return `buffer ${value.firstByte}+${value.byteLength}`;
  const view = viewOf(value);
  return view && `${view.element.name} ${view.buffer.firstByte + view.byteOffset}+${view.length}`;
}

function viewOf(value: unknown): SharedView | undefined {
  return Array.isArray(value) || ArrayBuffer.isView(value) ? undefined : (value as { [VIEW]?: SharedView })[VIEW];
}

/** The real constructor, except that it makes a shared view when it is given a shared buffer. */
function facadeOf(constructor: unknown): unknown {
  const real = constructor as RealConstructor & { readonly BYTES_PER_ELEMENT: number };
  const bits = new Int32Array(2);
  const element: Element = { name: real.name, constructor: real, bytes: real.BYTES_PER_ELEMENT, bits, values: new real(bits.buffer) };
  const facade: unknown = new Proxy(real, {
    construct(target, parameters: unknown[], newTarget) {
      const [buffer, byteOffset = 0, length] = parameters as [unknown, number | undefined, number | undefined];
      if (!(buffer instanceof SharedBuffer)) return Reflect.construct(target, parameters, newTarget === facade ? target : newTarget);
      const most = Math.floor((buffer.byteLength - byteOffset) / element.bytes);
      if (byteOffset % element.bytes !== 0 || (length ?? 0) > most || most < 0) throw new RangeError(`A ${real.name} does not fit there.`);
      return makeView(element, buffer, byteOffset, length ?? most);
    },
  });
  return facade;
}

const ARRAY_TYPES = {
  Int8Array,
  Uint8Array,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

const UNMODELLED_DATA_VIEW = Object.create(
  {},
  Object.fromEntries(
    Object.getOwnPropertyNames(DataView.prototype)
      .filter((key) => key !== 'constructor')
      .map((key) => [key, { get: (): never => notModelled(`DataView.${key}`) }]),
  ),
) as object;

/** Made for its getters alone: codecs use it, the rings do not. */
const SharedDataView = new Proxy(DataView, {
  construct(target, parameters: ConstructorParameters<typeof DataView>) {
    if (!((parameters[0] as unknown) instanceof SharedBuffer)) return Reflect.construct(target, parameters);
    return Object.create(UNMODELLED_DATA_VIEW) as object;
  },
});

interface AtomicPlace {
  readonly cell: number;
  readonly isWide: boolean;
  readonly isSigned: boolean;
}

function placeOf(array: unknown, index: number): AtomicPlace {
  const view = viewOf(array) ?? notModelled('Atomics on memory that is not shared');
  const { name, bytes } = view.element;
  if (!/^(?:Int32|Uint32|BigInt64|BigUint64)Array$/.test(name)) notModelled(`Atomics on a ${name}`);
  if (!Number.isInteger(index) || index < 0 || index >= view.length) outOfBounds(view, index);
  return { cell: (view.buffer.firstByte + view.byteOffset + index * bytes) >> 2, isWide: bytes === 8, isSigned: !name.includes('Uint') };
}

function answer({ isWide, isSigned }: AtomicPlace, { low, high }: Port): number | bigint {
  if (!isWide) return isSigned ? low : low >>> 0;
  const bits = (BigInt(high) << 32n) | BigInt(low >>> 0);
  return isSigned ? bits : BigInt.asUintN(64, bits);
}

const lowHalf = (value: number | bigint): number => Number(BigInt.asIntN(32, BigInt(value)));
const highHalf = (value: number | bigint): number => Number(BigInt.asIntN(32, BigInt(value) >> 32n));

function modify(kind: number, array: unknown, index: number, first: number | bigint, second: number | bigint = 0): number | bigint {
  const place = placeOf(array, index);
  if (!place.isWide) return answer(place, perform(kind, place.cell, -1, Number(first) | 0, Number(second) | 0));
  return answer(place, perform(kind | op.WIDE, place.cell, -1, lowHalf(first), highHalf(first), lowHalf(second), highHalf(second)));
}

type Modification = (array: unknown, index: number, value: number | bigint) => number | bigint;

const by =
  (kind: number): Modification =>
  (array, index, value) =>
    modify(kind, array, index, value);

const SharedAtomics = {
  load: (array: unknown, index: number) => modify(op.LOAD, array, index, 0),
  store(array: unknown, index: number, value: number | bigint) {
    modify(op.STORE, array, index, value);
    return value;
  },
  add: by(op.ADD),
  sub: ((array, index, value) => modify(op.ADD, array, index, -value)) satisfies Modification,
  and: by(op.AND),
  or: by(op.OR),
  xor: by(op.XOR),
  exchange: by(op.EXCHANGE),
  compareExchange: (array: unknown, index: number, expected: number | bigint, value: number | bigint) =>
    modify(op.COMPARE_EXCHANGE, array, index, expected, value),
  /** Never times out: see WAIT. */
  wait(array: unknown, index: number, value: number): string {
    const place = placeOf(array, index);
    if (place.isWide) notModelled('Atomics.wait on 64 bits');
    return op.WAIT_ANSWERS[perform(op.WAIT, place.cell, -1, value | 0).low]!;
  },
  notify(array: unknown, index: number, count = Infinity): number {
    return perform(op.NOTIFY, placeOf(array, index).cell, -1, Math.min(count, 2 ** 31 - 1)).low;
  },
  waitAsync: () => notModelled('Atomics.waitAsync'),
  /** Says nothing to anybody. */
  pause: (): void => {},
  isLockFree: (bytes: number): boolean => Atomics.isLockFree(bytes),
};

/** What the ring code gets for the global names. */
export const FACADE: Readonly<Record<string, unknown>> = {
  ...Object.fromEntries(Object.entries(ARRAY_TYPES).map(([name, constructor]) => [name, facadeOf(constructor)])),
  SharedArrayBuffer: SharedBuffer,
  DataView: SharedDataView,
  Atomics: SharedAtomics,
};
