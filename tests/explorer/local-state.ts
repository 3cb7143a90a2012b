/**
 * What a thread knows at a moment, as text, so that two histories that lead to the same can be joined.
 *
 * Objects are written down with all their fields, the private ones too: the sources are loaded with a
 * method in each class that lists them (see ring-source.ts). Shared memory is not part of it, as what
 * stands there is known to the explorer.
 */
import { describeShared } from './facade.ts';

/**
 * Under this name each class of the rings lists its private fields, those of its base class first.
 * @public Imported by the code that ring-source.ts writes.
 */
export const PRIVATE_FIELDS = Symbol('private fields');

/** Functions are compared by identity: one made in each run is never the same, and joins nothing. */
const functions = new WeakMap<object, number>();
let functionCount = 0;

export function describe(value: unknown, seen = new Map<object, number>()): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `function ${functionNumber(value)}`;
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value);
  const shared = describeShared(value);
  if (shared !== undefined) return shared;
  const known = seen.get(value);
  if (known !== undefined) return `object ${known}`;
  seen.set(value, seen.size);
  const inside = (part: unknown): string => describe(part, seen);
  if (Array.isArray(value) || value instanceof Set) return `[${[...(value as Iterable<unknown>)].map(inside).join()}]`;
  if (value instanceof Map) return `map [${[...value].map(inside).join()}]`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} [${[...(value as Uint8Array)].join()}]`;
  if (value instanceof Promise || value instanceof WeakMap || value instanceof WeakSet || value instanceof ArrayBuffer) {
    throw new Error(`A ${value.constructor.name} cannot be part of a thread's state; add it to tests/explorer/local-state.ts.`);
  }
  const fields = Object.entries(value).map(([name, field]) => `${name}:${inside(field)}`);
  const list = (value as { [PRIVATE_FIELDS]?: () => unknown })[PRIVATE_FIELDS];
  return `${value.constructor.name} {${fields.join()};${list === undefined ? '' : inside(list.call(value))}}`;
}

function functionNumber(value: object): number {
  let number = functions.get(value);
  if (number === undefined) functions.set(value, (number = ++functionCount));
  return number;
}
