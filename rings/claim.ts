/** What every producer checks before it reserves room, so that a wrong call leaves the ring as it was. */
import { RECORD_ALIGNMENT_BYTES } from './record.ts';
import { RingError } from './ring.ts';

/** @throws RingError `bad_kind` */
export function checkKind(kind: number): void {
  // The header keeps 31 bits of a kind: 2^32 - 1, say, would be stored as the kind of a padding record.
  if (kind < 0 || (kind | 0) !== kind) {
    throw new RingError('bad_kind', `Record kinds are integers from 0 to 2^31 - 1; got ${kind}.`);
  }
}

/** For lengths that are not too long already. @throws RingError `bad_length` */
export function checkLength(payloadBytes: number): void {
  if (payloadBytes < 0 || (payloadBytes | 0) !== payloadBytes) {
    throw new RingError('bad_length', `A payload's length is a count of bytes; got ${payloadBytes}.`);
  }
}

/** For sizes that are not too long already. @throws RingError `bad_length` */
export function checkBatch(bytes: number): void {
  if (bytes <= 0 || (bytes | 0) !== bytes || bytes % RECORD_ALIGNMENT_BYTES !== 0) {
    throw new RingError('bad_length', `A batch takes a sum of recordBytes(), a positive multiple of 8; got ${bytes}.`);
  }
}

export function claimPending(): RingError {
  return new RingError('claim_pending', 'Commit or abort the former claim first.');
}

/** @param what was tried without a claim: 'commit', 'abort' or 'append' */
export function noClaim(what: string): RingError {
  return new RingError('no_claim', `There is no claim to ${what}${what === 'append' ? ' to: call tryClaimBatch first' : ''}.`);
}

export function pollPending(): RingError {
  return new RingError('poll_pending', 'A handler must not poll, peek into or release the ring whose record it holds.');
}
