/**
 * A ring for many producing threads and one consuming thread.
 *
 * Claiming, steps of a producer:
 *   1. load TAIL, see that there is room, HEAD being loaded anew if the own copy of it says no;
 *   2. write into the own slot what the claim will be: the tail it makes, and its size (plain stores);
 *   3. if another producer made the tail that was found, write into *its* slot that it did so;
 *   4. move TAIL by compare-and-exchange; whoever fails begins again with 1.
 * Publishing: write the payload, then the headers, the very first one last and by an atomic store. A
 * header word of 0 stands for a record that is claimed and not finished.
 * Consuming: load the header word at the head; 0 ends the poll. Afterwards clear what was consumed to
 * zeros, so that no old byte is taken for a header, and store HEAD, which gives the room back.
 *
 * Death of a producer. In step 4 the tail names the slot that moved it, and before anyone moves it on
 * he leaves word of that in step 3. So a dead producer's claim was made if the tail still names it, or
 * if its slot says so; otherwise it was not and never will be. Whoever got the `exit` event calls
 * `declareDead`; the consumer, who alone knows what it has consumed and cleared, then turns an
 * unfinished claim into padding, in its next poll. Others may claim and publish behind it meanwhile.
 *
 * Death of the consumer. Clearing and releasing are announced by RELEASING and finished by the successor.
 * What was not released is delivered again, and counted as redelivered.
 *
 * Positions are 64 bits wide: with 32, a producer that sleeps through a whole turn between steps 1 and 4
 * could take a tail for the one it had seen.
 *
 * Sources: the record framing and the cleared headers of Agrona's ManyToOneRingBuffer; the word left
 * for the previous winner from the recoverable compare-and-swap of Attiya, Ben-Baruch and Hendler
 * (Nesting-Safe Recoverable Linearizability, PODC 2018), here with one cell that only grows instead of
 * a matrix, as one producer's tails only grow.
 */
export { MpscConsumer } from './mpsc-consumer.ts';
export { MpscProducer } from './mpsc-producer.ts';
