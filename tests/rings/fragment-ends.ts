/** A small ring with a Fragmenter at one end and a Reassembler at the other, and fragments made by hand, for the tests of both. */
import { expect } from 'vitest';
import { ABORT, BACK_PRESSURED, Fragmenter, Reassembler, SpscConsumer, SpscProducer, createSpscRing } from 'atomics-ring-buffer';
import type { MessageHandler, PollAction, ReassemblerOptions } from 'atomics-ring-buffer';
import { type Received } from './ring.cases.ts';

export const FRAGMENT_KIND = 1000;
export const HEADER_BYTES = 32;
export const NOTHING_DROPPED = { tooLong: 0, outOfOrder: 0, abandoned: 0, senderDied: 0, evicted: 0, damaged: 0, ignored: 0 };

export interface Ends {
  readonly buffer: SharedArrayBuffer;
  readonly producer: SpscProducer;
  readonly consumer: SpscConsumer;
  readonly fragmenter: Fragmenter;
  readonly reassembler: Reassembler;
  readonly messages: Received[];
  /** Answers the handler gives to the next messages. */
  readonly answers: (PollAction | Error)[];
  readonly poll: (limit?: number) => number;
}

export function makeEnds(capacityBytes = 256, options: Partial<ReassemblerOptions> & { readonly fragmentBytes?: number } = {}): Ends {
  const buffer = createSpscRing({ capacityBytes, initialPosition: 2 ** 32 - 128 });
  const [producer, consumer] = [new SpscProducer(buffer), new SpscConsumer(buffer)];
  const messages: Received[] = [];
  const answers: (PollAction | Error)[] = [];
  const handler: MessageHandler = (kind, memory, offset, length) => {
    expect(offset % 8).toBe(0);
    const answer = answers.shift();
    if (answer !== ABORT) messages.push([kind, [...memory.u8.subarray(offset, offset + length)]]);
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const { fragmentBytes, ...limits } = options;
  const fragmenter = new Fragmenter(producer, { fragmentKind: FRAGMENT_KIND, ...(fragmentBytes === undefined ? {} : { fragmentBytes }) });
  const reassembler = new Reassembler(consumer.memory, handler, { fragmentKind: FRAGMENT_KIND, ...limits });
  return { buffer, producer, consumer, fragmenter, reassembler, messages, answers, poll: (limit = Infinity) => consumer.poll(reassembler.onRecord, limit) };
}

/** Sends a message to its end, polling whenever the ring is full. */
export function sendAll({ fragmenter, poll }: Ends, kind: number, bytes: Uint8Array): void {
  while (fragmenter.offer(kind, bytes) === BACK_PRESSURED) expect(poll(1)).toBe(1);
}

/** Publishes a record of the fragment kind with these header words and `lengthBytes` bytes `byte` behind them. */
export function writeWords(producer: SpscProducer, words: readonly number[], lengthBytes: number, byte = 0): void {
  const payload = new Uint8Array(HEADER_BYTES + lengthBytes).fill(byte);
  new Int32Array(payload.buffer, 0, 8).set(words);
  expect(producer.offer(FRAGMENT_KIND, payload)).toBe(0);
}

/** Header words: sender, incarnation, message, kind, total, offset, length, flags. */
export function fragment(sender: number, message: number, total: number, offset: number, length: number, kind = 1): number[] {
  return [sender, 1, message, kind, total, offset, length, (offset === 0 ? 1 : 0) | (offset + length === total ? 2 : 0)];
}
