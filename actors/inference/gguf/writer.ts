/**
 * Writes GGUF model files, tensor by tensor, so that peak memory is one chunk of one tensor.
 *
 * No npm package writes whole GGUF files. The file is written beside its final name, synced and
 * renamed: a reader sees the old file, the new file or none, never half of one. That matters more
 * than usual here, because llama.cpp maps model files into memory, and a mapped file that is
 * overwritten in place changes under the running model.
 *
 * Layout, little-endian throughout:
 *
 *     u32 "GGUF" | u32 version | u64 tensor count | u64 metadata count
 *     metadata:     key (u64 bytes, UTF-8) | u32 type | value
 *     tensor infos: name | u32 dimension count | u64 dimensions, fastest first | u32 type | u64 offset
 *     zeros to a multiple of 32, then the tensors, each followed by zeros to a multiple of 32
 */
import assert from 'node:assert';
import { createHash, type Hash } from 'node:crypto';
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { endianness } from 'node:os';
import { dirname } from 'node:path';
import { threadId } from 'node:worker_threads';
import { SpillwayError } from '../../../kernel/index.ts';
import { encodeTensorValues } from './quantize.ts';
import {
  GGUF_ALIGNMENT_BYTES, GGUF_MAGIC, GGUF_VERSION, TENSOR_LAYOUT, VALUE_TYPE, tensorSizeBytes,
  type GgufValue, type WritableTensorType,
} from './types.ts';
import { syncFolder } from '../synced-folder.ts';

/** One tensor of a file to be written. */
export interface GgufTensor {
  readonly name: string;
  /** Dimensions, fastest first: a matrix of `out` rows with `in` values each is `[in, out]`. */
  readonly dims: readonly number[];
  readonly type: WritableTensorType;
  /**
   * Produces the values in order when the writer reaches the tensor, whole or in chunks. Chunks
   * may reuse one array; for Q8_0 each has a multiple of 32 values. Together they must fill `dims`.
   */
  readonly values: () => Float32Array | Iterable<Float32Array>;
}

/** What a file holds; metadata is written in the order of its keys' insertion. */
export interface GgufContent {
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly tensors: readonly GgufTensor[];
}

/**
 * Writes `content` to `path`, replacing a former file in one step, and returns the size and the
 * hash of what was written. Creates the folder if need be.
 *
 * @throws SpillwayError `model_write_failed` when the file system refuses; nothing is left behind.
 */
export function writeGguf(path: string, content: GgufContent): { sizeBytes: number; sha256: string } {
  assert(endianness() === 'LE', 'GGUF files are written from memory, which must be little-endian');
  // Two threads of one process may write the same model at once, so the process id is not enough.
  const besidePath = `${path}.tmp-${process.pid}-${threadId}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(besidePath, 'w');
    try {
      return publish(writeContent(file, content), besidePath, path);
    } catch (cause) {
      rmSync(besidePath, { force: true });
      throw cause;
    }
  } catch (cause) {
    if (!isFileSystemError(cause)) throw cause;
    throw new SpillwayError(
      'model_write_failed',
      `could not write the model ${path}: ${cause.message}; check the free space and the permissions of its folder`,
      { cause, details: { path } },
    );
  }
}

function writeContent(file: number, content: GgufContent): HashingSink {
  try {
    const sink = new HashingSink(file);
    sink.write(encodeHeader(content));
    for (const tensor of content.tensors) writeTensor(sink, tensor);
    fsyncSync(file);
    return sink;
  } finally {
    closeSync(file);
  }
}

function publish(sink: HashingSink, besidePath: string, path: string): { sizeBytes: number; sha256: string } {
  renameSync(besidePath, path);
  syncFolder(dirname(path));
  return { sizeBytes: sink.sizeBytes, sha256: sink.digest() };
}

/** Everything before the tensor data, padded to the alignment. */
function encodeHeader(content: GgufContent): Uint8Array {
  const header = new HeaderBuffer();
  const metadata = Object.entries(content.metadata);
  header.u32(GGUF_MAGIC);
  header.u32(GGUF_VERSION);
  header.u64(content.tensors.length);
  header.u64(metadata.length);
  for (const [key, value] of metadata) {
    header.string(key);
    encodeValue(header, value);
  }
  let offset = 0;
  for (const tensor of content.tensors) {
    const layout = TENSOR_LAYOUT[tensor.type];
    assert((tensor.dims[0] ?? 0) % layout.elements === 0, `${tensor.name}: ${tensor.type} needs rows in multiples of ${layout.elements}`);
    header.string(tensor.name);
    header.u32(tensor.dims.length);
    for (const size of tensor.dims) header.u64(size);
    header.u32(layout.id);
    header.u64(offset);
    offset += padded(tensorSizeBytes(tensor.type, elementCount(tensor)));
  }
  return header.finish();
}

function encodeValue(header: HeaderBuffer, value: GgufValue): void {
  switch (value.type) {
    case 'u32': header.u32(VALUE_TYPE.u32); header.u32(value.value); return;
    case 'i32': header.u32(VALUE_TYPE.i32); header.i32(value.value); return;
    case 'f32': header.u32(VALUE_TYPE.f32); header.f32(value.value); return;
    case 'bool': header.u32(VALUE_TYPE.bool); header.u8(value.value ? 1 : 0); return;
    case 'str': header.u32(VALUE_TYPE.str); header.string(value.value); return;
    case 'strArray':
      header.arrayStart(VALUE_TYPE.str, value.value.length);
      for (const item of value.value) header.string(item);
      return;
    case 'i32Array':
      header.arrayStart(VALUE_TYPE.i32, value.value.length);
      for (let i = 0; i < value.value.length; i++) header.i32(value.value[i]!);
      return;
    case 'f32Array':
      header.arrayStart(VALUE_TYPE.f32, value.value.length);
      for (let i = 0; i < value.value.length; i++) header.f32(value.value[i]!);
  }
}

function writeTensor(sink: HashingSink, tensor: GgufTensor): void {
  const start = sink.sizeBytes;
  const values = tensor.values();
  for (const chunk of values instanceof Float32Array ? [values] : values) {
    sink.write(encodeTensorValues(tensor.type, chunk));
  }
  const written = sink.sizeBytes - start;
  const expected = tensorSizeBytes(tensor.type, elementCount(tensor));
  assert(written === expected, `${tensor.name}: values fill ${written} bytes, dims ask for ${expected}`);
  sink.write(new Uint8Array(padded(written) - written));
}

function elementCount(tensor: GgufTensor): number {
  return tensor.dims.reduce((product, size) => product * size, 1);
}

function padded(sizeBytes: number): number {
  return Math.ceil(sizeBytes / GGUF_ALIGNMENT_BYTES) * GGUF_ALIGNMENT_BYTES;
}

function isFileSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** Appends to a file and hashes what it appends, so that the model's identity costs no second reading. */
class HashingSink {
  sizeBytes = 0;
  readonly #file: number;
  readonly #hash: Hash = createHash('sha256');

  constructor(file: number) {
    this.#file = file;
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) done += writeSync(this.#file, bytes, done);
    this.#hash.update(bytes);
    this.sizeBytes += bytes.length;
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}

/** A growing little-endian buffer: headers are a few megabytes at most, nearly all of it the vocabulary. */
class HeaderBuffer {
  #bytes = Buffer.alloc(64 * 1024);
  #length = 0;

  u8(value: number): void { const at = this.#claim(1); this.#bytes.writeUInt8(value, at); }
  u32(value: number): void { const at = this.#claim(4); this.#bytes.writeUInt32LE(value, at); }
  i32(value: number): void { const at = this.#claim(4); this.#bytes.writeInt32LE(value, at); }
  f32(value: number): void { const at = this.#claim(4); this.#bytes.writeFloatLE(value, at); }
  u64(value: number): void { const at = this.#claim(8); this.#bytes.writeBigUInt64LE(BigInt(value), at); }

  string(value: string): void {
    const sizeBytes = Buffer.byteLength(value);
    this.u64(sizeBytes);
    const at = this.#claim(sizeBytes);
    this.#bytes.write(value, at);
  }

  arrayStart(elementType: number, length: number): void {
    this.u32(VALUE_TYPE.array);
    this.u32(elementType);
    this.u64(length);
  }

  finish(): Uint8Array {
    this.#claim(padded(this.#length) - this.#length);
    return this.#bytes.subarray(0, this.#length);
  }

  /** Reserves `sizeBytes` zeroed bytes and returns where they begin. */
  #claim(sizeBytes: number): number {
    const at = this.#length;
    this.#length += sizeBytes;
    if (this.#length > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(this.#length, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    return at;
  }
}
