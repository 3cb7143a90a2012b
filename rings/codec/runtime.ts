/** What the emitted code calls besides the text functions: checks, refusals and own properties. */
import { CodecError } from './codec-error.ts';
import type { CodecErrorCode } from './codec-error.ts';

export function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Like an assignment, except that the key `__proto__` becomes a property too, as in JSON.parse. */
export function setOwn(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') target[key] = value;
  else Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
}

export function misfit(path: string, expected: string, found: unknown): never {
  throw new CodecError('bad_value', path, `expected ${expected}, found ${describe(found)}.`);
}

export function overflow(path: string): never {
  throw new CodecError('overflow', path, 'the value needs more bytes than were claimed for it.');
}

export function damaged(code: CodecErrorCode & ('truncated' | 'bad_length' | 'bad_tag'), path: string): never {
  throw new CodecError(code, path, 'the record is damaged or was written with another schema.');
}

/** The end of a record's range, checked against the memory. */
export function endOf(byteLength: number, offset: number, length: number): number {
  const end = offset + length;
  const aligned = Number.isInteger(length) && offset % 8 === 0;
  if (!aligned || offset < 0 || length < 0 || end > byteLength) {
    const memory = `a memory of ${byteLength} bytes`;
    throw new CodecError('bad_range', '', `${length} bytes at ${offset} are not an 8-byte aligned part of ${memory}.`);
  }
  return end;
}

const FOUND_CHARACTERS_MAX = 40;

function describe(value: unknown): string {
  switch (typeof value) {
    case 'string': return `the string ${JSON.stringify(value.slice(0, FOUND_CHARACTERS_MAX))}`;
    case 'number': case 'boolean': return `the ${typeof value} ${value}`;
    case 'undefined': return 'nothing';
    case 'object': return value === null ? 'null' : Array.isArray(value) ? 'an array' : 'an object';
    default: return `a ${typeof value}`;
  }
}
