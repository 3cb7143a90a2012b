export { BlockOwner } from './block-owner.ts';
export { createBlockPool } from './block-pool-layout.ts';
export type { BlockClass, BlockPoolOptions } from './block-pool-layout.ts';
export type { BlockClassUsage, BlockPoolCounters } from './block-pool-memory.ts';
export { BlockPool } from './block-pool.ts';
export { CODEC_ERRORS, CodecError } from './codec/codec-error.ts';
export type { CodecErrorCode } from './codec/codec-error.ts';
export { compileCodec } from './codec/codec.ts';
export type { Codec, CodecOptions, DecodeOptions } from './codec/codec.ts';
export type { Memory } from './codec/memory.ts';
export { compileCopier } from './codec/copier.ts';
export type { Copier } from './codec/copier.ts';
export { defineSchema } from './codec/schema.ts';
export type { JtdSchema, JtdType, NumberType, TypedArrays } from './codec/schema.ts';
export type { UntypedCodec } from './codec/untyped-part.ts';
export type { AttachOptions } from './attachment.ts';
export { BroadcastObserver, createBroadcastRing } from './broadcast-memory.ts';
export type { BroadcastRingOptions } from './broadcast-memory.ts';
export { BroadcastProducer, BroadcastReader } from './broadcast-ring.ts';
export type { ReaderOptions } from './broadcast-ring.ts';
export { Doorbell } from './doorbell.ts';
export { Fragmenter } from './fragments/fragmenter.ts';
export type { FragmenterCounters, FragmenterOptions } from './fragments/fragmenter.ts';
export type { MessageMemory } from './fragments/message-buffers.ts';
export { Reassembler } from './fragments/reassembler.ts';
export type { MessageHandler, ReassemblerCounters, ReassemblerOptions } from './fragments/reassembler.ts';
export { MpscObserver, createMpscRing } from './mpsc-memory.ts';
export type { MpscRingOptions } from './mpsc-memory.ts';
export { MpscConsumer, MpscProducer } from './mpsc-ring.ts';
export { RECORD_HEADER_BYTES, maxPayloadBytes, recordBytes } from './record.ts';
export {
  ABORT,
  ADMIN_ACTION,
  BACK_PRESSURED,
  BREAK,
  CLOSED,
  COMMIT,
  CONTINUE,
  NOT_CONNECTED,
  NOT_OWNED,
  RING_ERRORS,
  RingError,
  TOO_LONG,
  resultName,
} from './ring.ts';
export type {
  PollAction,
  RecordHandler,
  ReleasingConsumer,
  RingConsumer,
  RingErrorCode,
  RingProducer,
  RingRefusal,
  RingSide,
} from './ring.ts';
export type { RingCounters, RingOptions } from './ring-memory.ts';
export { SharedMemory } from './shared-memory.ts';
export { SharedCounters, SharedTallies, SharedWords } from './shared-words.ts';
export { SpscObserver, createSpscRing } from './spsc-memory.ts';
export type { SpscRingOptions } from './spsc-memory.ts';
export { SpscConsumer, SpscProducer } from './spsc-ring.ts';
export { BusySpinWait } from './wait/busy-spin-wait.ts';
export { EventLoopWait } from './wait/event-loop-wait.ts';
export { ParkingWait } from './wait/parking-wait.ts';
export { PhasedWait } from './wait/phased-wait.ts';
export type { PhasedWaitOptions } from './wait/phased-wait.ts';
export type { WaitClockOptions, WaitStrategy } from './wait/wait-strategy.ts';
export { YieldingWait } from './wait/yielding-wait.ts';
