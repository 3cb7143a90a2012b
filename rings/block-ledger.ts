/**
 * Counts of what happened to blocks that stay exact although V8 may end a thread on either side of the
 * compare-exchange that is to be counted.
 *
 * A ledger is three words: the count, what it is about to be, and the handle of the block concerned.
 * Only one thread writes a ledger, or whoever settles it once that thread is dead, so its stores are
 * plain. Since a block is made an owner's, or taken from it, by that owner alone (and then by whoever
 * reclaims from it), its word tells whether the last intent was carried out.
 */

const NEXT = 1;
const HANDLE = 2;

/** Before the compare-exchange. The handle goes first, so that a next count never stands beside an older handle. */
export function intend(words: Int32Array, ledger: number, handle: number): void {
  words[ledger + HANDLE] = handle;
  words[ledger + NEXT] = (words[ledger]! + 1) | 0;
}

/** After a compare-exchange that succeeded. Without effect when it is counted already. */
export function complete(words: Int32Array, ledger: number): void {
  words[ledger] = words[ledger + NEXT]!;
}

/**
 * After one that failed, before the owner does anything else: whoever settles the ledger sees only whose
 * the block is by then, and might take this intent for carried out.
 */
export function cancel(words: Int32Array, ledger: number): void {
  words[ledger + NEXT] = words[ledger]!;
}

/** The handle of the last intent. Not to be trusted, as any other number in shared memory. */
export function intendedHandle(words: Int32Array, ledger: number): number {
  return words[ledger + HANDLE]!;
}
