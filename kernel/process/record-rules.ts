/**
 * What an actor's process may put into the lanes of others. Threads trust each other, since they share their
 * memory; a process is trusted with its own name only: it speaks for nobody else, to the thread whose lane it
 * is, and to the caretakers of others as an actor's thread does. What is inside a message its receiver checks.
 */
import { KERNEL_SLOT, GUARDIAN_THREAD, slotOf, threadOf } from '../address.ts';
import { ENVELOPE_BYTES, FIRST_MESSAGE_KIND, FORWARDED_KIND, REPLY_KIND, SETTLED_KIND } from '../envelope.ts';
import { SpillwayError } from '../errors.ts';
import { kernelProtocol, type KernelSpec } from '../kernel-protocol.ts';

const TO_GUARDIAN: readonly (keyof KernelSpec)[] = [
  'resolve',
  'connect',
  'register',
  'followGroup',
  'joinGroup',
  'leaveGroup',
  'followDeadLetters',
  'deadLetter',
  'started',
  'shutsDown',
  'crashed',
  'log',
];
const TO_ALL: readonly (keyof KernelSpec)[] = ['watch', 'unwatch', 'terminated', 'link', 'fence'];
const kinds = (names: readonly (keyof KernelSpec)[]): ReadonlySet<number> => new Set(names.map((name) => kernelProtocol.message(name).kind));
const GUARDIAN_KINDS = kinds([...TO_GUARDIAN, ...TO_ALL]);
const THREAD_KINDS = kinds(TO_ALL);

/**
 * Looks at the beginning of a record.
 * @param self thread of the process @param peer whose lane it is
 * @returns the address that it goes to
 * @throws SpillwayError `process_protocol_violation`
 */
export function checkRecord(self: number, peer: number, kind: number, bytes: Buffer, offset: number, length: number): number {
  if (length < ENVELOPE_BYTES) throw violation(`an envelope of ${ENVELOPE_BYTES} bytes`, `${length} bytes`);
  const to = bytes.readUInt32LE(offset);
  const from = bytes.readUInt32LE(offset + 4);
  if (threadOf(from) !== self || threadOf(to) !== peer) throw violation(`a record from thread ${self} to thread ${peer}`, `one from ${threadOf(from)} to ${threadOf(to)}`);
  if (kind < FIRST_MESSAGE_KIND) {
    if (kind < REPLY_KIND || kind > FORWARDED_KIND || kind === SETTLED_KIND) throw violation('a kind of record that threads send', String(kind));
  } else if (slotOf(to) === KERNEL_SLOT && !(peer === GUARDIAN_THREAD ? GUARDIAN_KINDS : THREAD_KINDS).has(kind)) {
    throw violation('what an actor tells a caretaker', kernelProtocol.messageOfKind(kind)?.name ?? `kind ${kind}`);
  }
  return to;
}

function violation(expected: string, got: string): SpillwayError {
  return new SpillwayError('process_protocol_violation', `Expected ${expected}; got ${got}.`);
}
