/**
 * A ring for exactly one producing and one consuming thread.
 *
 * Roles. One thread calls `tryClaim`, `commit`, `abort` and `offer`; one thread calls `poll`. Either
 * may call `close` and read positions, levels and counters, and so may any third thread; what a
 * third thread reads may be one record old.
 *
 * Layout. See layout.ts for the header and record.ts for a record. Positions count bytes since the
 * ring was made, modulo 2^32; a position's place in memory is `position & (capacity - 1)`.
 *
 * Publishing, steps of the producer:
 *   1. if its own copy of the head says there is no room, load HEAD anew;
 *   2. if the record would straddle the end, write a padding header there (plain store);
 *   3. write record header and payload (plain stores: no consumer reads beyond TAIL);
 *   4. one `Atomics.store` to TAIL publishes padding and record together.
 * Consuming, steps of the consumer:
 *   1. if its own copy of the tail is used up, load TAIL anew;
 *   2. read headers and payloads up to that tail (plain loads: nobody writes there until HEAD moves);
 *   3. one `Atomics.store` to HEAD gives the room back.
 *
 * Death. A producer that dies before step 4 has published nothing: its successor continues at TAIL
 * and overwrites the half-written bytes. A producer that dies after step 4 may not have rung the
 * bell: its successor rings anew when it attaches. A consumer that dies before its step 3 has
 * consumed nothing: its successor gets the same records again, and marks those that a handler may have
 * had in hand, up to DELIVERED, as redelivered. No position ever needs undoing; the counts of records,
 * which move beside the positions, are put right by the successor (see ledger.ts).
 *
 * Source of the algorithm: Lamport's single-producer queue with the cached positions of
 * FastForward/Rigtorp's SPSCQueue and the record framing of Agrona's OneToOneRingBuffer.
 */
export { SpscConsumer } from './spsc-consumer.ts';
export { SpscProducer } from './spsc-producer.ts';
