export { CODEC_ERRORS, CodecError } from './codec/codec-error.ts';
export type { CodecErrorCode } from './codec/codec-error.ts';
export { compileCodec } from './codec/codec.ts';
export type { Codec, CodecOptions, DecodeOptions } from './codec/codec.ts';
export type { Memory } from './codec/memory.ts';
export { defineSchema } from './codec/schema.ts';
export type { JtdSchema, JtdType, NumberType, TypedArrays } from './codec/schema.ts';
export type { UntypedCodec } from './codec/untyped-part.ts';
export { Doorbell } from './doorbell.ts';
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
  RING_ERRORS,
  RingError,
  TOO_LONG,
  resultName,
} from './ring.ts';
export type { PollAction, RecordHandler, RingErrorCode, RingRefusal } from './ring.ts';
export { SharedMemory } from './shared-memory.ts';
export { SharedCounters, SharedWords } from './shared-words.ts';
export { SpscObserver, createSpscRing } from './spsc-memory.ts';
export type { SpscRingOptions } from './spsc-memory.ts';
export { SpscConsumer, SpscProducer } from './spsc-ring.ts';
export type { SpscAttachOptions } from './spsc-ring.ts';
export { WaitLadder } from './wait-ladder.ts';
export type { WaitLadderOptions } from './wait-ladder.ts';
