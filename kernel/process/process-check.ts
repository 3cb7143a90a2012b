/** Checks what a process is granted, and fills in the defaults. */
import { SpillwayError } from '../errors.ts';
import { checkSandbox } from '../sandbox/sandbox-spec.ts';
import { DEFAULT_PROCESS, type CompleteProcessSpec, type ProcessSpec } from './process-spec.ts';

const TEXTS = ['cwd', 'entry'] as const;
const AMOUNTS = ['maxRssBytes', 'maxCpuSeconds', 'heartbeatMs', 'silentAfterMs', 'handshakeMs'] as const;
const KEYS: readonly string[] = [...TEXTS, ...AMOUNTS, 'sandbox', 'env'];

/** @throws SpillwayError `process_invalid` for unknown keys and values out of range, `sandbox_invalid` */
export function completeProcess(spec: ProcessSpec = {}): CompleteProcessSpec {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) throw invalid('process must be an object', spec);
  const unknown = Object.keys(spec).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw invalid(`process.${unknown} is not known; known are ${KEYS.join(', ')}`, spec[unknown as keyof ProcessSpec]);
  for (const key of TEXTS) if (spec[key] !== undefined && typeof spec[key] !== 'string') throw invalid(`process.${key} must be a string`, spec[key]);
  for (const key of AMOUNTS) {
    const value: unknown = spec[key];
    if (value !== undefined && !(typeof value === 'number' && value > 0 && value < Infinity)) throw invalid(`process.${key} must be a number above zero`, value);
  }
  for (const [name, value] of Object.entries(spec.env ?? {})) if (typeof value !== 'string') throw invalid(`process.env.${name} must be a string`, value);
  if (spec.sandbox !== undefined) checkSandbox(spec.sandbox);
  const complete = { ...DEFAULT_PROCESS, ...spec };
  if (complete.silentAfterMs <= complete.heartbeatMs) throw invalid(`process.silentAfterMs must be longer than heartbeatMs, ${complete.heartbeatMs}`, complete.silentAfterMs);
  return complete;
}

function invalid(message: string, found: unknown): SpillwayError {
  return new SpillwayError('process_invalid', `${message}; got ${JSON.stringify(found)}.`);
}
