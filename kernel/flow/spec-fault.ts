/**
 * Says what is wrong with a spec of numbers, or nothing.
 *
 * Written out by hand because ajv, which checks messages, must not be loaded by a thread that only runs
 * an actor. A key that is not known is a fault: a misspelt bound would otherwise mean no bound.
 */
export interface NumberField {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
  readonly optional?: boolean;
}

export interface SpecField {
  readonly fields: SpecFields;
  readonly optional?: boolean;
}

export type SpecFields = Readonly<Record<string, NumberField | SpecField>>;

/** @returns one sentence that names the place, what was expected and what came, or undefined if all fits */
export function specFault(place: string, spec: unknown, fields: SpecFields): string | undefined {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) return `${place} must be an object, and is ${show(spec)}.`;
  const known = Object.keys(fields);
  for (const key of Object.keys(spec)) {
    if (!known.includes(key)) return `${place} has the unknown key ${show(key)}; known are ${known.join(', ')}.`;
  }
  for (const [key, field] of Object.entries(fields)) {
    const value: unknown = Object.hasOwn(spec, key) ? (spec as Record<string, unknown>)[key] : undefined;
    if (value === undefined && field.optional === true) continue;
    const fault = 'fields' in field ? specFault(`${place}.${key}`, value, field.fields) : numberFault(`${place}.${key}`, value, field);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function numberFault(place: string, value: unknown, { min, max, integer }: NumberField): string | undefined {
  // NaN fails both comparisons.
  const fits = typeof value === 'number' && value >= min && value <= max && (integer !== true || Number.isInteger(value));
  return fits ? undefined : `${place} must be ${integer === true ? 'an integer' : 'a number'} from ${min} to ${max}, and is ${show(value)}.`;
}

function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (typeof value === 'number') return String(value);
  return value === null ? 'null' : `of type ${Array.isArray(value) ? 'array' : typeof value}`;
}
