import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SpillwayError } from '../../kernel/index.ts';
import { INFERENCE_ERRORS, type InferenceErrorCode } from '../../actors/inference/error-codes.ts';
import { checkGgufHeader, modelIdentity } from '../../actors/inference/gguf/header.ts';
import { f32, i32Array, str, strArray, u32 } from '../../actors/inference/gguf/types.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';
import { TINY_SHAPE, tinyBert } from './tiny-bert.ts';

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'spillway-gguf-header-')); });
afterAll(() => { rmSync(folder, { recursive: true, force: true }); });

type Content = ReturnType<typeof tinyBert>;

/** A model spoilt in its content, before it is written. */
function spoilt(spoil: (content: Content) => void): (path: string) => void {
  return (path) => {
    const content = tinyBert({ blockCount: 1, contextLength: 64 });
    spoil(content);
    writeGguf(path, content);
  };
}

/** A sound file whose bytes are changed afterwards. */
function patched(patch: (bytes: Buffer) => Buffer | void): (path: string) => void {
  return (path) => {
    writeGguf(path, tinyBert({ blockCount: 1, contextLength: 64 }));
    const bytes = readFileSync(path);
    writeFileSync(path, patch(bytes) ?? bytes);
  };
}

function setKey(key: string, value: Content['metadata'][string]): (path: string) => void {
  return spoilt(({ metadata }) => { metadata[key] = value; });
}

function setTensor(name: string, change: Partial<Content['tensors'][number]>): (path: string) => void {
  return spoilt(({ tensors }) => {
    const at = tensors.findIndex((tensor) => tensor.name === name);
    tensors[at] = { ...tensors[at]!, ...change };
  });
}

function zeros(count: number): () => Float32Array {
  return () => new Float32Array(count);
}

const TENSOR_COUNT_AT = 8;
const METADATA_COUNT_AT = 16;
const d = TINY_SHAPE.embeddingLength;

const MALFORMED: readonly [title: string, code: InferenceErrorCode, message: RegExp, write: (path: string) => void][] = [
  ['a missing file', 'model_missing', /no such file/, () => {}],
  ['a folder', 'model_unreadable', /a folder/, (path) => { mkdirSync(path); }],
  ['an empty file', 'model_not_gguf', /0 bytes/, (path) => { writeFileSync(path, ''); }],
  ['a text file', 'model_not_gguf', /letters GGUF/, (path) => { writeFileSync(path, '{"architectures": []}'); }],
  ['a version of the future', 'model_not_gguf', /version 4/, patched((bytes) => { bytes.writeUInt32LE(4, 4); })],
  ['a big-endian file', 'model_not_gguf', /version 50331648/, patched((bytes) => { bytes.writeUInt32BE(3, 4); })],
  ['a file that ends after its magic', 'model_truncated', /ends after 4 bytes/, patched((bytes) => bytes.subarray(0, 4))],
  ['a file that ends within its vocabulary', 'model_truncated', /tokenizer\.ggml\.tokens/, patched((bytes) => bytes.subarray(0, bytes.indexOf('▁w150')))],
  ['a file that ends within its weights', 'model_truncated', /its tensors need/, patched((bytes) => bytes.subarray(0, bytes.length - 64))],
  ['an absurd tensor count', 'model_too_complex', /tensor count/, patched((bytes) => { bytes.writeBigUInt64LE(2n ** 60n, TENSOR_COUNT_AT); })],
  ['more tensors than the file could list', 'model_truncated', /60000 entries/, patched((bytes) => { bytes.writeBigUInt64LE(60_000n, TENSOR_COUNT_AT); })],
  ['an absurd metadata count', 'model_too_complex', /metadata count/, patched((bytes) => { bytes.writeBigUInt64LE(2n ** 63n, METADATA_COUNT_AT); })],
  ['an absurd length of a key', 'model_malformed', /metadata key 0 has/, patched((bytes) => { bytes.writeBigUInt64LE(2n ** 40n, 24); })],
  ['a key that begins with a NUL', 'model_malformed', /metadata key 3 is empty or contains a NUL/, patched((bytes) => { bytes.writeUInt8(0, bytes.indexOf('bert.block_count')); })],
  ['an unknown type of a value', 'model_malformed', /unknown type 77/, patched((bytes) => { bytes.writeUInt32LE(77, bytes.indexOf('bert.block_count') + 16); })],
  ['an array longer than the file', 'model_truncated', /elements of tokenizer\.ggml\.token_type/, patched((bytes) => {
    bytes.writeBigUInt64LE(2n ** 33n, bytes.indexOf('tokenizer.ggml.token_type', bytes.indexOf('tokenizer.ggml.tokens') + 30) + 'tokenizer.ggml.token_type'.length + 8);
  })],
  ['an array of arrays', 'model_malformed', /unknown type 9/, patched((bytes) => { bytes.writeUInt32LE(9, bytes.indexOf('tokenizer.ggml.tokens') + 'tokenizer.ggml.tokens'.length + 4); })],
  ['a metadata key twice', 'model_malformed', /bert\.block_count appears twice/, patched((bytes) => {
    // The key of the pooling type is one letter longer, so its length and its end change as well.
    const at = bytes.indexOf('bert.pooling_type');
    bytes.writeBigUInt64LE(16n, at - 8);
    bytes.write('bert.block_count', at);
    return Buffer.concat([bytes.subarray(0, at + 16), bytes.subarray(at + 17)]);
  })],
  ['a tensor name twice', 'model_malformed', /attn_q\.weight appears twice/, patched((bytes) => { bytes.write('blk.0.attn_q.weight', bytes.indexOf('blk.0.attn_k.weight')); })],
  ['a tensor of five dimensions', 'model_malformed', /has 5 dimensions/, patched((bytes) => { bytes.writeUInt32LE(5, bytes.lastIndexOf('token_embd.weight') + 17); })],
  ['a tensor of no values', 'model_malformed', /has 0 as dimension 1/, patched((bytes) => { bytes.writeBigUInt64LE(0n, bytes.lastIndexOf('token_embd.weight') + 17 + 4 + 8); })],
  ['a tensor of more values than memory', 'model_malformed', /fewer than 2\^53/, patched((bytes) => { bytes.writeBigUInt64LE(2n ** 50n, bytes.lastIndexOf('token_embd.weight') + 17 + 4 + 8); })],
  ['an unknown tensor type', 'model_unsupported', /unknown type 200/, patched((bytes) => { bytes.writeUInt32LE(200, bytes.lastIndexOf('token_embd.weight') + 17 + 4 + 16); })],
  ['rows that no block fits', 'model_malformed', /multiple of 32/, patched((bytes) => { bytes.writeBigUInt64LE(33n, bytes.lastIndexOf('token_embd.weight') + 17 + 4); })],
  ['a tensor outside its place', 'model_malformed', /right after its predecessor/, patched((bytes) => { bytes.writeBigUInt64LE(4_096n, bytes.lastIndexOf('token_embd.weight') + 17 + 4 + 16 + 4); })],
  ['an alignment of zero', 'model_malformed', /general\.alignment/, setKey('general.alignment', u32(0))],
  ['no architecture', 'model_malformed', /general\.architecture/, spoilt(({ metadata }) => { delete metadata['general.architecture']; })],
  ['an architecture that draws pictures', 'model_unsupported', /"clip"/, setKey('general.architecture', str('clip'))],
  ['no layers', 'model_malformed', /block_count; expected 1 to 512/, setKey('bert.block_count', u32(0))],
  ['a hundred thousand layers', 'model_malformed', /has 100000 as bert\.block_count/, setKey('bert.block_count', u32(100_000))],
  ['a layer count of the wrong type', 'model_malformed', /expected a u32/, setKey('bert.block_count', f32(2))],
  ['no heads', 'model_malformed', /head_count; expected 1/, setKey('bert.attention.head_count', u32(0))],
  ['heads that do not divide the vector', 'model_malformed', /expected a divisor/, setKey('bert.attention.head_count', u32(5))],
  ['an unknown pooling type', 'model_malformed', /pooling_type; expected 0 to 4/, setKey('bert.pooling_type', u32(9))],
  ['no pooling type', 'model_unsupported', /how to pool/, spoilt(({ metadata }) => { delete metadata['bert.pooling_type']; })],
  ['a model that ranks', 'model_unsupported', /ranks pairs/, setKey('bert.pooling_type', u32(4))],
  ['an epsilon that is no number', 'model_malformed', /layer_norm_epsilon/, setKey('bert.attention.layer_norm_epsilon', f32(NaN))],
  ['a token twice', 'model_malformed', /"▁w3" twice/, spoilt(({ metadata }) => {
    const tokens = metadata['tokenizer.ggml.tokens']!.value as string[];
    metadata['tokenizer.ggml.tokens'] = strArray(tokens.map((token) => (token === '▁w4' ? '▁w3' : token)));
  })],
  ['two tokens that differ after a NUL', 'model_malformed', /"▁w3" twice/, patched((bytes) => { bytes.writeUInt8(0, bytes.indexOf('▁w39') + '▁w39'.length + 1); })],
  ['a word marked as a byte', 'model_malformed', /marked as a byte/, setKey('tokenizer.ggml.token_type', i32Array(Array.from({ length: TINY_SHAPE.vocabularySize }, (_, i) => (i < 5 ? 3 : i === 9 ? 6 : 1))))],
  ['no vocabulary', 'model_malformed', /no tokenizer\.ggml\.tokens/, spoilt(({ metadata }) => { delete metadata['tokenizer.ggml.tokens']; })],
  ['fewer token types than tokens', 'model_malformed', /does not match its vocabulary/, setKey('tokenizer.ggml.token_type', i32Array([3, 3, 3, 3]))],
  ['a [CLS] that is an ordinary token', 'model_malformed', /bos token 2 .*expected 3/, setKey('tokenizer.ggml.token_type', i32Array(Array.from({ length: TINY_SHAPE.vocabularySize }, (_, i) => (i === 2 ? 1 : 3))))],
  ['a special token outside the vocabulary', 'model_malformed', /padding_token_id/, setKey('tokenizer.ggml.padding_token_id', u32(70_000))],
  ['a norm in F16', 'model_malformed', /token_embd_norm\.weight as F16; expected F32/, setTensor('token_embd_norm.weight', { type: 'F16' })],
  ['token types in F16', 'model_malformed', /token_types\.weight as F16/, setTensor('token_types.weight', { type: 'F16' })],
  ['a missing tensor', 'model_malformed', /lacks the tensor blk\.0\.ffn_up\.weight/, spoilt(({ tensors }) => { tensors.splice(tensors.findIndex(({ name }) => name === 'blk.0.ffn_up.weight'), 1); })],
  ['a tensor of the wrong shape', 'model_malformed', /\[128, 64\]; expected \[64, 64\]/, setTensor('blk.0.attn_k.weight', { dims: [128, 64], values: zeros(128 * 64) })],
  ['Q8_0 rows of one block, which are multiplied wrongly', 'model_unsupported', /rows of 32 values/, (path) => { writeGguf(path, tinyBert({ feedForwardLength: 32 })); }],
  ['positions for another context length', 'model_malformed', /position_embd\.weight/, setTensor('position_embd.weight', { dims: [d, 32], values: zeros(d * 32) })],
];

describe('the header check', () => {
  it('accepts a sound model and says what it is', () => {
    const path = join(folder, 'sound.gguf');
    const { sizeBytes } = writeGguf(path, tinyBert());
    expect(checkGgufHeader(path)).toEqual({
      architecture: 'bert', isEncoder: true, name: 'tiny bert', embeddingLength: 64, contextLength: 512, blockCount: 2, poolingType: 1,
      fileType: 7, tensorCount: 25, vocabularySize: 205, sizeBytes,
    });
  });

  it.each(MALFORMED)('refuses %s', (title, code, message, write) => {
    const path = join(folder, `${title.replaceAll(/\W+/g, '-')}.gguf`);
    write(path);
    let caught: unknown;
    try {
      checkGgufHeader(path);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(SpillwayError);
    expect((caught as SpillwayError).code).toBe(code);
    expect((caught as SpillwayError).message).toMatch(message);
    expect((caught as SpillwayError).message).toContain(path);
  });

  it.skipIf(process.platform === 'win32')('refuses a FIFO without waiting for a writer', () => {
    const path = join(folder, 'fifo.gguf');
    execFileSync('sh', ['-c', 'mkfifo "$0"', path]);
    expect(() => checkGgufHeader(path)).toThrow(expect.objectContaining({ code: 'model_unreadable' }));
  });

  it('answers changed and shortened files with a verdict, never with another exception', () => {
    const sound = join(folder, 'fuzz-seed.gguf');
    writeGguf(sound, tinyBert({ blockCount: 1, contextLength: 64 }));
    const bytes = readFileSync(sound);
    const headerBytes = bytes.indexOf('blk.0.layer_output_norm.bias') + 64;
    const path = join(folder, 'fuzz.gguf');
    const flips = fc.array(fc.record({ at: fc.nat(headerBytes - 1), to: fc.integer({ min: 0, max: 255 }) }), { minLength: 0, maxLength: 6 });
    const verdicts = { accepted: 0, refused: 0 };
    fc.assert(
      fc.property(flips, fc.option(fc.nat(bytes.length), { nil: bytes.length, freq: 3 }), (changes, length) => {
        const copy = Buffer.from(bytes.subarray(0, length));
        for (const { at, to } of changes) if (at < copy.length) copy[at] = to;
        writeFileSync(path, copy);
        try {
          checkGgufHeader(path);
          verdicts.accepted++;
        } catch (error) {
          if (!(error instanceof SpillwayError) || !(error.code in INFERENCE_ERRORS)) throw error;
          verdicts.refused++;
        }
      }),
      { seed: 20_250_101, numRuns: 600 },
    );
    expect(verdicts.refused).toBeGreaterThan(200);
    expect(verdicts.accepted).toBeGreaterThan(0);
  });
});

describe('the identity of a model', () => {
  it('is the hash of its bytes, whatever its path', async () => {
    const first = join(folder, 'identity-1.gguf');
    const second = join(folder, 'identity-2.gguf');
    const { sha256, sizeBytes } = writeGguf(first, tinyBert());
    writeFileSync(second, readFileSync(first));
    expect(await modelIdentity(first)).toEqual({ name: 'tiny bert', sha256, sizeBytes });
    expect(await modelIdentity(second)).toEqual(await modelIdentity(first));
  });

  it('differs for other weights under the same name', async () => {
    const first = join(folder, 'weights-1.gguf');
    const second = join(folder, 'weights-2.gguf');
    writeGguf(first, tinyBert({ seed: 1 }));
    writeGguf(second, tinyBert({ seed: 2 }));
    expect((await modelIdentity(second)).sha256).not.toBe((await modelIdentity(first)).sha256);
  });

  it('is refused for a model that is not whole', async () => {
    const path = join(folder, 'identity-short.gguf');
    const { sizeBytes } = writeGguf(path, tinyBert());
    truncateSync(path, sizeBytes - 100);
    await expect(modelIdentity(path)).rejects.toMatchObject({ code: 'model_truncated' });
  });
});
