import { SpscConsumer, SpscProducer, createSpscRing } from 'atomics-ring-buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameReader, FrameWriter, PROCESS_LIMITS, RECORD } from '../../../kernel/process/frames.ts';
import { LaneReceiver } from '../../../kernel/process/lane-receiver.ts';
import { LaneSender } from '../../../kernel/process/lane-sender.ts';

/** A lane with its image, joined by a socket that keeps what it is given until it is cut into pieces. */
function joined(capacityBytes: number, initialPosition: number, waiting: readonly Uint8Array[] = []) {
  const ring = createSpscRing({ capacityBytes, initialPosition });
  const producer = new SpscProducer(ring);
  for (const payload of waiting) producer.offer(20, payload);
  const image = createSpscRing({ capacityBytes, initialPosition });
  const receiver = new LaneReceiver(new SpscProducer(image));
  const taker = new SpscConsumer(image);
  const sender = new LaneSender(ring, 'data', 3);
  const written: Buffer[] = [];
  const writer = new FrameWriter({ writableLength: 0, write: (bytes) => written.push(Buffer.from(bytes)) > 0 });
  const reader = new FrameReader(PROCESS_LIMITS, (type, _lane, _thread, bytes, offset, length) => {
    if (type === RECORD) receiver.begin(bytes.readUInt32LE(offset), bytes.readUInt32LE(offset + 4), bytes.subarray(offset + 8, offset + length));
    else receiver.part(bytes.subarray(offset, offset + length));
  });
  const taken: { kind: number; first: number | undefined; length: number }[] = [];
  return {
    producer,
    sender,
    receiver,
    taken,
    /** Sends what there is, in pieces of so many bytes. */
    carry(pieceBytes: number): void {
      sender.send(writer, 1_024);
      writer.flush();
      const bytes = Buffer.concat(written.splice(0));
      for (let at = 0; at < bytes.length; at += pieceBytes) reader.push(bytes.subarray(at, at + pieceBytes));
    },
    take(limit: number): void {
      taker.poll((kind, offset, length) => void taken.push({ kind, first: length === 0 ? undefined : taker.memory.u8[offset], length }), limit);
    },
    report(): void {
      const position = receiver.unreported;
      if (position !== undefined) sender.released(position);
    },
    positions: () => [sender.position, taker.consumerPosition],
  };
}

describe('a lane between two processes', () => {
  it('brings every record once and in order, whatever its length, the pieces and the pace, and over the end of positions', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0, 2 ** 32 - 64, 2 ** 32 - 8, 2 ** 31 - 512),
        fc.array(fc.record({ length: fc.nat({ max: 504 }), piece: fc.integer({ min: 1, max: 700 }), takes: fc.nat({ max: 3 }), reports: fc.boolean() }), { maxLength: 60 }),
        (position, steps) => {
          const lane = joined(1_024, position);
          const sent: { kind: number; first: number | undefined; length: number }[] = [];
          steps.forEach(({ length, piece, takes, reports }, index) => {
            const kind = 16 + index;
            if (lane.producer.offer(kind, new Uint8Array(length).fill(index)) === 0) sent.push({ kind, first: length === 0 ? undefined : index, length });
            lane.carry(piece);
            lane.take(takes);
            if (reports) lane.report();
          });
          for (let time = 0; time < sent.length + 1; time++) {
            lane.carry(64);
            lane.take(100);
            lane.report();
          }
          expect(lane.taken).toEqual(sent);
          const [here, there] = lane.positions();
          expect(here).toBe(there);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keeps what was not taken', () => {
    const lane = joined(1_024, 0, [new Uint8Array(100), new Uint8Array(100)]);
    lane.carry(4_096);
    lane.take(1);
    lane.report();
    expect(lane.positions()[0]).toBe(112);
    expect(lane.producer.levelBytes).toBe(112);
  });

  it('sends a long record in parts', () => {
    const lane = joined(2 ** 20, 0);
    lane.producer.offer(16, new Uint8Array(400_000).fill(5));
    for (let time = 0; time < 8; time++) lane.carry(10_000);
    for (let time = 0; time < 400; time++) lane.carry(70_000);
    lane.take(1);
    expect(lane.taken).toEqual([{ kind: 16, first: 5, length: 400_000 }]);
  });

  it.each([
    ['a position that no record ends at', 20],
    ['a position that was not sent', 2 ** 20],
  ])('refuses %s', (_, position) => {
    const lane = joined(1_024, 0, [new Uint8Array(100)]);
    lane.carry(4_096);
    expect(() => lane.sender.released(position)).toThrow(expect.objectContaining({ code: 'process_protocol_violation' }));
  });

  it('refuses a record for which there is no room', () => {
    const { receiver } = joined(1_024, 0);
    expect(() => receiver.begin(16, 600, new Uint8Array(600))).toThrow(expect.objectContaining({ code: 'process_protocol_violation' }));
    receiver.begin(16, 400, new Uint8Array(400));
    expect(() => receiver.part(new Uint8Array(1))).toThrow(expect.objectContaining({ code: 'process_protocol_violation' }));
    expect(() => receiver.begin(2 ** 31, 8, new Uint8Array(8))).toThrow(expect.objectContaining({ code: 'process_protocol_violation' }));
  });
});
