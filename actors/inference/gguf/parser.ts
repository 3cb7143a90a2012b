/**
 * Reads the header of a GGUF file with every length held against the file's size first.
 *
 * Model files come from strangers. llama.cpp and the JavaScript parser of node-llama-cpp trust the
 * counts in a header: an absurd tensor count keeps the latter busy for more than a minute, and
 * other contradictions abort the process. So this parser reads nothing it has not first found
 * room for, keeps at most `HEADER_LIMIT_BYTES` in memory, and never touches tensor data. It
 * knows the format only; what an architecture needs is in `architecture.ts`, `vocabulary.ts` and `tensor-check.ts`.
 */
import { closeSync, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs';
import { SpillwayError } from '../../../kernel/index.ts';
import type { InferenceErrorCode } from '../error-codes.ts';
import { GGUF_ALIGNMENT_BYTES, GGUF_MAGIC, TENSOR_LAYOUT, VALUE_TYPE, type TensorType } from './types.ts';

/** Large enough for the largest published vocabularies (about 260,000 tokens, 10 MB) several times over. */
const HEADER_LIMIT_BYTES = 64 * 1024 * 1024;
const METADATA_COUNT_MAX = 4_096;
/** Elements of all arrays together. The largest vocabularies have some 260,000 tokens and twice as many merges, with a type and a score each. */
const ELEMENTS_MAX = 4 * 1024 * 1024;
const TENSOR_COUNT_MAX = 65_536;
/** GGUF's own limit for keys, and GGML_MAX_NAME less its terminator for tensors. */
const KEY_BYTES_MAX = 65_535;
/** Of a name, in a message. */
const NAME_SHOWN = 80;
const TENSOR_NAME_BYTES_MAX = 63;
const TENSOR_DIMENSIONS_MAX = 4;
/** No entry of an array or a list takes less than this, which bounds every count by the bytes left. */
const METADATA_ENTRY_BYTES_MIN = 13;
const TENSOR_ENTRY_BYTES_MIN = 24;

const SCALAR_BYTES: Readonly<Record<number, number>> = {
  [VALUE_TYPE.u8]: 1, [VALUE_TYPE.i8]: 1, [VALUE_TYPE.u16]: 2, [VALUE_TYPE.i16]: 2, [VALUE_TYPE.u32]: 4, [VALUE_TYPE.i32]: 4,
  [VALUE_TYPE.f32]: 4, [VALUE_TYPE.bool]: 1, [VALUE_TYPE.u64]: 8, [VALUE_TYPE.i64]: 8, [VALUE_TYPE.f64]: 8,
};

const TENSOR_TYPE_BY_ID = new Map(Object.entries(TENSOR_LAYOUT).map(([name, layout]) => [layout.id as number, name as TensorType]));

/** A metadata value as it stood in the file; `type` and `elementType` are the numbers of `VALUE_TYPE`. */
type HeaderValue =
  | { readonly type: number; readonly value: number | bigint | boolean | string }
  | { readonly type: typeof VALUE_TYPE.array; readonly elementType: number; readonly value: readonly (number | bigint | boolean | string)[] };

/** What the header says about one tensor. */
interface HeaderTensor {
  readonly name: string;
  /** Fastest first, as in the file. */
  readonly dims: readonly number[];
  readonly type: TensorType;
  readonly sizeBytes: number;
}

/** A parsed header, consistent with itself and with the file's size. */
export interface GgufHeader {
  readonly path: string;
  readonly sizeBytes: number;
  readonly metadata: ReadonlyMap<string, HeaderValue>;
  readonly tensors: ReadonlyMap<string, HeaderTensor>;
}

/** Builds the error of a failed check; the message names the file, what was found and what was expected. */
export function modelError(code: InferenceErrorCode, path: string, found: string, cause?: unknown): SpillwayError<InferenceErrorCode> {
  return new SpillwayError(code, `model ${path}: ${found}`, { details: { path }, ...(cause === undefined ? {} : { cause }) });
}

/**
 * Parses the header of the file at `path`.
 *
 * @throws SpillwayError `model_missing`, `model_unreadable`, `model_not_gguf`, `model_truncated`,
 *   `model_malformed`, `model_unsupported` (versions and tensor types), `model_too_complex`.
 */
export function parseGgufHeader(path: string): GgufHeader {
  const file = openModel(path);
  try {
    return parse(new HeaderReader(path, file, fstatSync(file).size));
  } finally {
    closeSync(file);
  }
}

function openModel(path: string): number {
  let found: Stats;
  try {
    found = statSync(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw modelError('model_missing', path, 'there is no such file; check the path, or name another model', cause);
    }
    throw modelError('model_unreadable', path, `cannot be examined (${(cause as Error).message})`, cause);
  }
  // Opening a FIFO or a device may block for ever, so the kind is checked before the file is opened.
  if (!found.isFile()) throw modelError('model_unreadable', path, `is ${found.isDirectory() ? 'a folder' : 'not a regular file'}; expected a GGUF file`);
  try {
    return openSync(path, 'r');
  } catch (cause) {
    throw modelError('model_unreadable', path, `cannot be opened (${(cause as Error).message}); check its permissions`, cause);
  }
}

function parse(reader: HeaderReader): GgufHeader {
  const { path } = reader;
  if (reader.sizeBytes < 4) throw modelError('model_not_gguf', path, `holds ${reader.sizeBytes} bytes; expected a GGUF file`);
  const magic = reader.u32('the magic number');
  if (magic !== GGUF_MAGIC) {
    throw modelError('model_not_gguf', path, `begins with 0x${magic.toString(16).padStart(8, '0')}; expected the letters GGUF`);
  }
  const version = reader.u32('the version');
  if (version !== 2 && version !== 3) {
    throw modelError('model_not_gguf', path, `has GGUF version ${version}; versions 2 and 3 (little-endian) can be read`);
  }
  const tensorCount = reader.count('tensor count', TENSOR_COUNT_MAX, TENSOR_ENTRY_BYTES_MIN);
  const metadataCount = reader.count('metadata count', METADATA_COUNT_MAX, METADATA_ENTRY_BYTES_MIN);

  const metadata = new Map<string, HeaderValue>();
  for (let i = 0; i < metadataCount; i++) {
    const key = reader.name(`metadata key ${i}`, KEY_BYTES_MAX);
    if (metadata.has(key)) throw modelError('model_malformed', path, `metadata key ${key.slice(0, NAME_SHOWN)} appears twice`);
    metadata.set(key, reader.value(key.slice(0, NAME_SHOWN)));
  }
  const tensors = parseTensors(reader, tensorCount, alignmentOf(path, metadata));
  return { path, sizeBytes: reader.sizeBytes, metadata, tensors };
}

function alignmentOf(path: string, metadata: ReadonlyMap<string, HeaderValue>): number {
  const found = metadata.get('general.alignment');
  if (found === undefined) return GGUF_ALIGNMENT_BYTES;
  const alignment = found.value;
  if (found.type !== VALUE_TYPE.u32 || typeof alignment !== 'number' || alignment === 0 || (alignment & (alignment - 1)) !== 0 || alignment > 65_536) {
    throw modelError('model_malformed', path, `general.alignment is ${String(alignment)}; expected a power of two as u32, at most 65536`);
  }
  return alignment;
}

function parseTensors(reader: HeaderReader, count: number, alignment: number): Map<string, HeaderTensor> {
  const { path } = reader;
  const tensors = new Map<string, HeaderTensor>();
  let offset = 0;
  let endOffset = 0;
  for (let i = 0; i < count; i++) {
    const name = reader.name(`name of tensor ${i}`, TENSOR_NAME_BYTES_MAX);
    if (tensors.has(name)) throw modelError('model_malformed', path, `tensor ${name} appears twice`);
    const dims = tensorDims(reader, name);
    const typeId = reader.u32(`type of ${name}`);
    const type = TENSOR_TYPE_BY_ID.get(typeId);
    if (type === undefined) throw modelError('model_unsupported', path, `tensor ${name} has the unknown type ${typeId}`);
    const { elements, bytes } = TENSOR_LAYOUT[type];
    if (dims[0]! % elements !== 0) {
      throw modelError('model_malformed', path, `tensor ${name} has rows of ${dims[0]!} values; ${type} needs a multiple of ${elements}`);
    }
    const sizeBytes = (dims.reduce((product, size) => product * size, 1) / elements) * bytes;
    const statedOffset = reader.u64(`offset of ${name}`);
    // llama.cpp takes tensors only in the order of their data and without gaps.
    if (statedOffset !== offset) {
      throw modelError('model_malformed', path, `tensor ${name} begins at offset ${statedOffset}; expected ${offset}, right after its predecessor`);
    }
    endOffset = offset + sizeBytes;
    offset = Math.ceil(endOffset / alignment) * alignment;
    tensors.set(name, { name, dims, type, sizeBytes });
  }
  const dataStart = Math.ceil(reader.position / alignment) * alignment;
  if (dataStart + endOffset > reader.sizeBytes) {
    throw modelError('model_truncated', path, `holds ${reader.sizeBytes} bytes; its tensors need ${dataStart + endOffset}; download or copy it again`);
  }
  return tensors;
}

function tensorDims(reader: HeaderReader, name: string): number[] {
  const count = reader.u32(`number of dimensions of ${name}`);
  if (count < 1 || count > TENSOR_DIMENSIONS_MAX) {
    throw modelError('model_malformed', reader.path, `tensor ${name} has ${count} dimensions; expected 1 to ${TENSOR_DIMENSIONS_MAX}`);
  }
  const dims: number[] = [];
  let product = 1;
  for (let i = 0; i < count; i++) {
    const size = reader.u64(`dimension ${i} of ${name}`);
    product *= size;
    if (size === 0 || product > Number.MAX_SAFE_INTEGER) {
      throw modelError('model_malformed', reader.path, `tensor ${name} has ${size} as dimension ${i}; expected a tensor of at least 1 and fewer than 2^53 values`);
    }
    dims.push(size);
  }
  return dims;
}

/** A cursor over the beginning of a file that reads on as needed, up to `HEADER_LIMIT_BYTES`. */
class HeaderReader {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #file: number;
  #bytes = Buffer.alloc(0);
  #position = 0;
  #elements = 0;

  constructor(path: string, file: number, sizeBytes: number) {
    this.path = path;
    this.#file = file;
    this.sizeBytes = sizeBytes;
  }

  get position(): number {
    return this.#position;
  }

  u32(what: string): number {
    const at = this.#take(4, what);
    return this.#bytes.readUInt32LE(at);
  }

  /** A u64 as a number. Beyond 2^53 it loses digits, which no caller minds: all compare it with small limits. */
  u64(what: string): number {
    const at = this.#take(8, what);
    return Number(this.#bytes.readBigUInt64LE(at));
  }

  /** A u64 that counts entries of at least `entryBytesMin` bytes each that must still follow in the file. */
  count(what: string, max: number, entryBytesMin: number): number {
    const count = this.u64(what);
    if (count > max) throw modelError('model_too_complex', this.path, `its ${what} is ${count}; at most ${max} are taken`);
    this.#room(count * entryBytesMin, `${count} entries (${what})`);
    return count;
  }

  string(what: string, bytesMax: number): string {
    const length = this.u64(`length of ${what}`);
    if (length > bytesMax) throw modelError('model_malformed', this.path, `${what} has ${length} bytes; at most ${bytesMax} are allowed`);
    const at = this.#take(length, what);
    return this.#bytes.toString('utf8', at, at + length);
  }

  /** A string that native code will end at its first NUL, and abort if nothing is left. */
  name(what: string, bytesMax: number): string {
    const name = this.string(what, bytesMax);
    if (name === '' || name.includes('\0')) throw modelError('model_malformed', this.path, `${what} is empty or contains a NUL`);
    return name;
  }

  value(key: string): HeaderValue {
    const type = this.u32(`type of ${key}`);
    if (type !== VALUE_TYPE.array) return { type, value: this.#scalar(type, key) };
    const elementType = this.u32(`element type of ${key}`);
    const length = this.u64(`length of ${key}`);
    const elementBytesMin = elementType === VALUE_TYPE.str ? 8 : this.#scalarBytes(elementType, key);
    this.#room(length * elementBytesMin, `the ${length} elements of ${key}`);
    this.#elements += length;
    if (this.#elements > ELEMENTS_MAX) throw modelError('model_too_complex', this.path, `its arrays have more than ${ELEMENTS_MAX} elements, with the ${length} of ${key}`);
    const value: (number | bigint | boolean | string)[] = [];
    for (let i = 0; i < length; i++) value.push(this.#scalar(elementType, key));
    return { type: VALUE_TYPE.array, elementType, value };
  }

  #scalar(type: number, key: string): number | bigint | boolean | string {
    if (type === VALUE_TYPE.str) return this.string(key, HEADER_LIMIT_BYTES);
    const at = this.#take(this.#scalarBytes(type, key), key);
    switch (type) {
      case VALUE_TYPE.u8: return this.#bytes.readUInt8(at);
      case VALUE_TYPE.i8: return this.#bytes.readInt8(at);
      case VALUE_TYPE.u16: return this.#bytes.readUInt16LE(at);
      case VALUE_TYPE.i16: return this.#bytes.readInt16LE(at);
      case VALUE_TYPE.u32: return this.#bytes.readUInt32LE(at);
      case VALUE_TYPE.i32: return this.#bytes.readInt32LE(at);
      case VALUE_TYPE.f32: return this.#bytes.readFloatLE(at);
      case VALUE_TYPE.bool: return this.#bool(at, key);
      case VALUE_TYPE.u64: return this.#bytes.readBigUInt64LE(at);
      case VALUE_TYPE.i64: return this.#bytes.readBigInt64LE(at);
      default: return this.#bytes.readDoubleLE(at);
    }
  }

  /** A bool of any other value is neither to C++, which may then do anything. */
  #bool(at: number, key: string): boolean {
    const value = this.#bytes.readUInt8(at);
    if (value > 1) throw modelError('model_malformed', this.path, `${key} holds the bool ${value}; expected 0 or 1`);
    return value === 1;
  }

  #scalarBytes(type: number, key: string): number {
    const bytes = SCALAR_BYTES[type];
    if (bytes === undefined) throw modelError('model_malformed', this.path, `${key} has the unknown type ${type}`);
    return bytes;
  }

  /** Claims the next `length` bytes, reading on if they are not in memory yet, and returns where they begin. */
  #take(length: number, what: string): number {
    const start = this.#position;
    const end = start + length;
    if (end > this.#bytes.length) {
      this.#room(length, what);
      this.#readTo(end, what);
    }
    this.#position = end;
    return start;
  }

  /** Refuses what the rest of the file, or of the header's limit, cannot hold. */
  #room(length: number, what: string): void {
    const end = this.#position + length;
    if (end > this.sizeBytes) {
      throw modelError('model_truncated', this.path, `ends after ${this.sizeBytes} bytes, within ${what}, which reaches to ${end}`);
    }
    if (end > HEADER_LIMIT_BYTES) {
      throw modelError('model_too_complex', this.path, `its header exceeds ${HEADER_LIMIT_BYTES} bytes at ${what}`);
    }
  }

  #readTo(end: number, what: string): void {
    const target = Math.min(this.sizeBytes, HEADER_LIMIT_BYTES, Math.max(end, this.#bytes.length * 2, 64 * 1024));
    const grown = Buffer.alloc(target);
    this.#bytes.copy(grown);
    for (let filled = this.#bytes.length; filled < target; ) {
      const count = readSync(this.#file, grown, filled, target - filled, filled);
      if (count === 0) throw modelError('model_truncated', this.path, `became shorter while ${what} was read`);
      filled += count;
    }
    this.#bytes = grown;
  }
}
