/**
 * Malformed model files, one for each class of fault that is known to have crashed, hung or deceived a GGUF parser:
 * the advisories of llama.cpp (CVE-2024-21802, -21825, -21836, -23496, -23605, CVE-2025-49847, -53630, CVE-2026-27940),
 * its assertions, and what node-llama-cpp's own parser trusts. All begin as one sound file of 600 kB.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { InferenceErrorCode } from '../../actors/inference/error-codes.ts';
import { f32Array, i32Array, str, strArray, u32 } from '../../actors/inference/gguf/types.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { TINY_SHAPE, tinyBert } from './tiny-bert.ts';

type Content = ReturnType<typeof tinyBert>;

/** Who refuses it, and how. */
export type Refusal =
  | { readonly by: 'header'; readonly code: InferenceErrorCode; readonly reason: RegExp }
  /** It can only be found out by loading it. */
  | { readonly by: 'quarantine'; readonly code: string; readonly reason: RegExp };

export interface MalformedModel {
  /** The class of its fault. */
  readonly what: string;
  readonly refusal: Refusal;
  write(path: string): void;
}

const header = (code: InferenceErrorCode, reason: RegExp): Refusal => ({ by: 'header', code, reason });
const quarantine = (code: string, reason: RegExp): Refusal => ({ by: 'quarantine', code, reason });

/** Spoils what the file holds, before it is written. */
function spoilt(spoil: (content: Content) => void): MalformedModel['write'] {
  return (path) => {
    const content = tinyBert();
    spoil(content);
    writeGguf(path, content);
  };
}

/** Changes the bytes of a sound file. */
function patched(patch: (bytes: Buffer) => Buffer | void): MalformedModel['write'] {
  return (path) => {
    writeGguf(path, tinyBert());
    patchFile(path, patch);
  };
}

function patchFile(path: string, patch: (bytes: Buffer) => Buffer | void): void {
  const bytes = readFileSync(path);
  writeFileSync(path, patch(bytes) ?? bytes);
}

function withKey(key: string, value: Content['metadata'][string]): MalformedModel['write'] {
  return spoilt(({ metadata }) => void (metadata[key] = value));
}

function withTensor(name: string, change: Partial<Content['tensors'][number]>): MalformedModel['write'] {
  return spoilt(({ tensors }) => {
    const at = tensors.findIndex((tensor) => tensor.name === name);
    tensors[at] = { ...tensors[at]!, ...change };
  });
}

const TENSOR_COUNT_AT = 8;
const METADATA_COUNT_AT = 16;
const FIRST_KEY_LENGTH_AT = 24;
/** Where the value of a key begins: after its name, at its type. */
const valueAt = (bytes: Buffer, key: string): number => bytes.indexOf(key) + Buffer.byteLength(key);
/** Where the entry of a tensor goes on behind its name: count of dimensions, dimensions, type, offset. */
const entryAt = (bytes: Buffer, name: string): number => bytes.lastIndexOf(name) + Buffer.byteLength(name);
const firstDimensionAt = (bytes: Buffer, name: string): number => entryAt(bytes, name) + 4;
const typeAt = (bytes: Buffer, name: string): number => firstDimensionAt(bytes, name) + 16;
const offsetAt = (bytes: Buffer, name: string): number => typeAt(bytes, name) + 4;

const MATRIX = 'blk.0.attn_q.weight';
const { embeddingLength: d, vocabularySize } = TINY_SHAPE;

export const MALFORMED_MODELS: readonly MalformedModel[] = [
  { what: 'an absurd tensor count', refusal: header('model_too_complex', /tensor count is 115292/), write: patched((bytes) => void bytes.writeBigUInt64LE(2n ** 60n, TENSOR_COUNT_AT)) },
  { what: 'an absurd count of keys', refusal: header('model_too_complex', /metadata count/), write: patched((bytes) => void bytes.writeBigUInt64LE(2n ** 63n, METADATA_COUNT_AT)) },
  { what: 'a string that ends beyond the file', refusal: header('model_truncated', /general\.architecture/), write: patched((bytes) => void bytes.writeBigUInt64LE(60_000_000n, valueAt(bytes, 'general.architecture') + 4)) },
  { what: 'a key whose length overflows', refusal: header('model_malformed', /metadata key 0 has/), write: patched((bytes) => void bytes.writeBigUInt64LE(2n ** 64n - 1n, FIRST_KEY_LENGTH_AT)) },
  { what: 'an array whose size in bytes overflows', refusal: header('model_truncated', /elements of tokenizer\.ggml\.tokens/), write: patched((bytes) => void bytes.writeBigUInt64LE(2n ** 61n, valueAt(bytes, 'tokenizer.ggml.tokens') + 8)) },
  { what: 'arrays in arrays', refusal: header('model_malformed', /unknown type 9/), write: patched((bytes) => void bytes.writeUInt32LE(9, valueAt(bytes, 'tokenizer.ggml.tokens') + 4)) },
  { what: 'a tensor beyond the file', refusal: header('model_malformed', /begins at offset/), write: patched((bytes) => void bytes.writeBigUInt64LE(2n ** 40n, offsetAt(bytes, MATRIX))) },
  { what: 'tensors that overlap', refusal: header('model_malformed', /right after its predecessor/), write: patched((bytes) => void bytes.writeBigUInt64LE(0n, offsetAt(bytes, MATRIX))) },
  { what: 'dimensions whose product overflows', refusal: header('model_malformed', /fewer than 2\^53/), write: patched((bytes) => {
    // Times 2^32 each, which makes 0 in 64 bits.
    bytes.writeBigUInt64LE(2n ** 32n, firstDimensionAt(bytes, MATRIX));
    bytes.writeBigUInt64LE(2n ** 32n, firstDimensionAt(bytes, MATRIX) + 8);
  }) },
  { what: 'more dimensions than there is room for', refusal: header('model_malformed', /expected 1 to 4/), write: patched((bytes) => void bytes.writeUInt32LE(0xffff_ffff, entryAt(bytes, MATRIX))) },
  { what: 'an unknown type of tensor', refusal: header('model_unsupported', /unknown type 99/), write: patched((bytes) => void bytes.writeUInt32LE(99, typeAt(bytes, MATRIX))) },
  { what: 'a file that is cut short', refusal: header('model_truncated', /its tensors need/), write: patched((bytes) => bytes.subarray(0, bytes.length - 4_096)) },
  { what: 'two tensors of one name', refusal: header('model_malformed', /appears twice/), write: patched((bytes) => void bytes.write('blk.0.attn_q.weight', bytes.lastIndexOf('blk.0.attn_k.weight'))) },
  { what: 'an alignment of nothing', refusal: header('model_malformed', /general\.alignment is 0/), write: withKey('general.alignment', u32(0)) },
  { what: 'a token twice', refusal: header('model_malformed', /twice in its vocabulary/), write: spoilt(({ metadata }) => {
    const tokens = metadata['tokenizer.ggml.tokens']!.value as readonly string[];
    metadata['tokenizer.ggml.tokens'] = strArray(tokens.map((token, index) => (index === 70 ? tokens[71]! : token)));
  }) },
  { what: 'a special token outside the vocabulary', refusal: header('model_malformed', /seperator_token_id/), write: withKey('tokenizer.ggml.seperator_token_id', u32(0x7fff_ffff)) },
  { what: 'no heads to divide by', refusal: header('model_malformed', /head_count; expected 1/), write: withKey('bert.attention.head_count', u32(0)) },
  { what: 'more layers than there is room for', refusal: header('model_malformed', /100000 as bert\.block_count/), write: withKey('bert.block_count', u32(100_000)) },
  { what: 'an unknown pooling', refusal: header('model_malformed', /9 as bert\.pooling_type/), write: withKey('bert.pooling_type', u32(9)) },
  { what: 'a norm in half precision', refusal: header('model_malformed', /as F16; expected F32/), write: withTensor('blk.0.attn_output_norm.weight', { type: 'F16' }) },
  { what: 'a bias in half precision that says it is a matrix', refusal: header('model_malformed', /attn_q\.bias as F16/), write: spoilt(({ tensors }) => {
    tensors.push({ name: 'blk.0.attn_q.bias', dims: [d, 1], type: 'F16', values: () => new Float32Array(d) });
  }) },
  { what: 'a matrix of another shape', refusal: header('model_malformed', /expected \[64, 64\]/), write: withTensor(MATRIX, { dims: [d, d * 2], values: () => new Float32Array(d * d * 2) }) },
  { what: 'a missing tensor', refusal: header('model_malformed', /lacks the tensor blk\.1\.ffn_down/), write: spoilt(({ tensors }) => void tensors.splice(tensors.findIndex(({ name }) => name === 'blk.1.ffn_down.weight'), 1)) },
  { what: 'experts that are used and do not exist', refusal: header('model_malformed', /expert_used_count; expected 0 to 0/), write: withKey('bert.expert_used_count', u32(2)) },
  { what: 'keys and values of different lengths', refusal: header('model_malformed', /8 values in a key and 16 in a value/), write: withKey('bert.attention.key_length', u32(8)) },
  { what: 'an unknown scaling of positions', refusal: header('model_malformed', /rope\.scaling\.type/), write: withKey('bert.rope.scaling.type', str('spiral')) },
  { what: 'parts that nobody has checked', refusal: header('model_unsupported', /one of 2 parts/), write: withKey('split.count', u32(2)) },
  { what: 'a chat template that is a bomb', refusal: header('model_too_complex', /chat template of 1200000 characters/), write: withKey('tokenizer.chat_template', str('{% for a in b %}'.repeat(75_000))) },
  { what: 'more elements than memory', refusal: header('model_too_complex', /more than 4194304 elements/), write: withKey('tokenizer.ggml.suppress_tokens', i32Array(new Int32Array(4 * 1024 * 1024))) },
  { what: 'weights that are no numbers', refusal: quarantine('backend_load_failed', /llama\.cpp refused it/), write: withTensor('blk.0.attn_q.weight', { type: 'F32', values: () => new Float32Array(d * d).fill(NaN) }) },
  { what: 'tables of characters that lead astray', refusal: quarantine('process_signalled', /SIGABRT/), write: writeStrayingTables },
];

/** A vocabulary with a table for normalization whose entries point out of it: llama.cpp throws through native code at the first letter. */
function writeStrayingTables(path: string): void {
  const { metadata, tensors } = tinyBert();
  const key = 'tokenizer.ggml.precompiled_charsmap';
  const special = ['<pad>', '</s>', '<unk>'];
  for (const name of ['unknown', 'seperator', 'padding', 'cls', 'bos', 'mask']) delete metadata[`tokenizer.ggml.${name}_token_id`];
  metadata['tokenizer.ggml.model'] = str('t5');
  metadata['tokenizer.ggml.tokens'] = strArray([...special, ...Array.from({ length: vocabularySize - special.length }, (_, index) => `▁x${index}`)]);
  metadata['tokenizer.ggml.token_type'] = i32Array(Array.from({ length: vocabularySize }, (_, index) => (index >= special.length ? 1 : index === 2 ? 2 : 3)));
  metadata['tokenizer.ggml.scores'] = f32Array(new Float32Array(vocabularySize).fill(-1));
  // Its size in bytes, and 64 empty entries: enough for a line feed, which is asked for at loading, and not for a letter.
  metadata[key] = i32Array([256, ...new Int32Array(66)]);
  writeGguf(path, { metadata, tensors });
  patchFile(path, (bytes) => {
    const at = valueAt(bytes, key);
    bytes.writeUInt32LE(0, at + 4);
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(at + 8) * 4n, at + 8);
  });
}
