/**
 * A lossy ring: one writing thread that never waits, and any number of readers that come and go.
 *
 * Writing, steps of the producer:
 *   1. move OLDEST past every record that the new one will overwrite, before touching a byte of it;
 *   2. write header and payload, and the record's place into the index (plain stores);
 *   3. store PUBLISHED, which shows the record.
 * Reading, steps of a reader that is at number n:
 *   1. load PUBLISHED; nothing to do if it is n;
 *   2. copy the record that the index names into the reader's own memory (plain loads, of bytes that
 *      may be overwritten meanwhile, so that nothing of them is believed yet);
 *   3. load OLDEST; if it is beyond n, what was copied may be torn: it is thrown away, and the reader
 *      goes on in the middle of what is left, counting exactly the records in between as lost.
 *
 * Why a torn copy is always noticed. The writer's step 1 comes before its writes of step 2, and the
 * reader's load in step 3 after its reads of step 2; so whoever read a byte that was written in 2 sees
 * the OLDEST of 1. Plain accesses may be reordered around atomic loads and stores on weakly ordered
 * processors, hence both sides use a read-modify-write at that point, which is a barrier both ways.
 *
 * Death. A writer that dies before step 3 has published nothing; the records that it had given up are
 * gone. Its successor continues behind the last published record. Readers own nothing in the ring.
 *
 * Source of the idea: the intent and validation of Agrona's BroadcastTransmitter and
 * BroadcastReceiver; here with numbered records and an index of their places, so that a loss is
 * counted exactly and a reader can go on anywhere.
 */
export { BroadcastProducer } from './broadcast-producer.ts';
export { BroadcastReader, type ReaderOptions } from './broadcast-reader.ts';
