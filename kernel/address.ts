/**
 * Where a message goes: a thread and a slot on it, packed into one unsigned 32-bit number.
 *
 * Thread ids and slots outlive restarts: an actor that is started again keeps its address, so nobody
 * who holds a reference has to look it up anew.
 */
export type Address = number;

const SLOT_BITS = 16;

/** The thread that called `createSystem`. */
export const APPLICATION_THREAD = 0;
/** The thread that hosts the supervision tree, so that restarts do not wait for the application. */
export const GUARDIAN_THREAD = 1;
/** Every thread's own caretaker: stop, links, deaths. */
export const KERNEL_SLOT = 0;
/** The actor that a thread was made for. */
export const ACTOR_SLOT = 1;

export function addressOf(thread: number, slot: number): Address {
  return ((thread << SLOT_BITS) | slot) >>> 0;
}

export function threadOf(address: Address): number {
  return address >>> SLOT_BITS;
}

export function slotOf(address: Address): number {
  return address & ((1 << SLOT_BITS) - 1);
}

export function formatAddress(address: Address): string {
  return `${threadOf(address)}/${slotOf(address)}`;
}
