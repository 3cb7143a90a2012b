/**
 * Where a message goes: a thread and a slot on it, packed into one unsigned 32-bit number.
 *
 *      31        22 21 20               4 3        0
 *      +-----------+--+------------------+----------+
 *      |  thread   |0 |  life of the place's actor  |     the actor that the thread was made for
 *      +-----------+--+------------------+----------+
 *      |  thread   |1 |      index       |generation|     an actor that was spawned on the thread
 *      +-----------+--+------------------+----------+
 *
 * A thread's own actor keeps its address when it is started again, so nobody who holds a reference has
 * to look it up anew. Once it is removed for good, its thread's place may go to another actor, in
 * another slot. An index rests before it is given again, and then comes with the next generation: an
 * address comes back after more than a hundred thousand spawns on one thread, as a pid of Erlang's does
 * after some time.
 */
export type Address = number;

const SLOT_BITS = 22;
const SLOT_MASK = (1 << SLOT_BITS) - 1;
const SPAWNED_BIT = 1 << (SLOT_BITS - 1);
const GENERATION_BITS = 4;
const INDEX_BITS = SLOT_BITS - 1 - GENERATION_BITS;

/** The thread that called `createSystem`. */
export const APPLICATION_THREAD = 0;
/** The thread that hosts the supervision tree, so that restarts do not wait for the application. */
export const GUARDIAN_THREAD = 1;
/** Every thread's own caretaker: stop, links, deaths. */
export const KERNEL_SLOT = 0;
/** The actor that a thread was made for: the first one in the thread's place. */
export const ACTOR_SLOT = 1;
const MAX_ACTOR_SLOT = SPAWNED_BIT - 1;
/** How many threads an address can tell apart. */
export const MAX_THREADS = 1 << (32 - SLOT_BITS);

/** Places on a thread's board: the caretaker's, the thread's own actor's, then those of spawned actors. */
export const BOARD_PLACES = 1 << INDEX_BITS;
export const ACTOR_PLACE = 1;
export const FIRST_SPAWNED_PLACE = 2;
export const GENERATIONS = 1 << GENERATION_BITS;

export function addressOf(thread: number, slot: number): Address {
  return ((thread << SLOT_BITS) | slot) >>> 0;
}

/**
 * The slot for the next actor in a thread's place, after `slot` has left it for good. It differs, so that
 * a reference to the former actor never reaches the next one.
 */
export function nextActorSlot(slot: number): number {
  return slot === MAX_ACTOR_SLOT ? ACTOR_SLOT : slot + 1;
}

/** The slot of an actor that was spawned on a thread. @param generation modulo GENERATIONS */
export function spawnedSlot(place: number, generation: number): number {
  return SPAWNED_BIT | (place << GENERATION_BITS) | (generation & (GENERATIONS - 1));
}

/** Whether the slot is that of an actor which was spawned on its thread by another. */
export function isSpawned(slot: number): boolean {
  return (slot & SPAWNED_BIT) !== 0;
}

/** Where an actor's entry stands on its thread's board. */
export function placeOf(slot: number): number {
  if (isSpawned(slot)) return (slot & ~SPAWNED_BIT & SLOT_MASK) >> GENERATION_BITS;
  return slot === KERNEL_SLOT ? KERNEL_SLOT : ACTOR_PLACE;
}

/** Of a spawned actor's slot. */
export function generationOf(slot: number): number {
  return slot & (GENERATIONS - 1);
}

export function threadOf(address: Address): number {
  return address >>> SLOT_BITS;
}

export function slotOf(address: Address): number {
  return address & SLOT_MASK;
}

/** `thread/slot`; for a spawned actor `thread/place.generation`. */
export function formatAddress(address: Address): string {
  const slot = slotOf(address);
  const local = isSpawned(slot) ? `${placeOf(slot)}.${generationOf(slot)}` : String(slot);
  return `${threadOf(address)}/${local}`;
}
