/**
 * Where a message goes: a thread and a slot on it, packed into one unsigned 32-bit number.
 *
 * Thread ids and slots outlive restarts: an actor that is started again keeps its address, so nobody
 * who holds a reference has to look it up anew. Once it is removed for good, its thread's place may go
 * to another actor, in another slot.
 */
export type Address = number;

const SLOT_BITS = 16;

/** The thread that called `createSystem`. */
export const APPLICATION_THREAD = 0;
/** The thread that hosts the supervision tree, so that restarts do not wait for the application. */
export const GUARDIAN_THREAD = 1;
/** Every thread's own caretaker: stop, links, deaths. */
export const KERNEL_SLOT = 0;
/** The actor that a thread was made for: the first one in the thread's place. */
export const ACTOR_SLOT = 1;
const MAX_SLOT = (1 << SLOT_BITS) - 1;
/** How many threads an address can tell apart. */
export const MAX_THREADS = 1 << (32 - SLOT_BITS);

export function addressOf(thread: number, slot: number): Address {
  return ((thread << SLOT_BITS) | slot) >>> 0;
}

/**
 * The slot for the next actor in a thread's place, after `slot` has left it for good. It differs, so that
 * a reference to the former actor never reaches the next one.
 */
export function nextActorSlot(slot: number): number {
  return slot === MAX_SLOT ? ACTOR_SLOT : slot + 1;
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
