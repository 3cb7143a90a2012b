import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SpillwayError } from '../../kernel/index.ts';
import { encodeTensorValues, Q8_0_BLOCK_BYTES } from '../../actors/inference/gguf/quantize.ts';
import { parseGgufHeader } from '../../actors/inference/gguf/parser.ts';
import { bool, f32, f32Array, i32, i32Array, str, strArray, u32 } from '../../actors/inference/gguf/types.ts';
import { writeGguf } from '../../actors/inference/gguf/writer.ts';

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'spillway-gguf-writer-')); });
afterAll(() => { rmSync(folder, { recursive: true, force: true }); });

function floatFromHalf(bytes: Uint8Array, at: number): number {
  return new Float16Array(bytes.slice(at, at + 2).buffer)[0]!;
}

describe('the quantizer', () => {
  it('restores Q8_0 values to within half a step of their block', () => {
    const values = Float32Array.from({ length: 96 }, (_, i) => Math.sin(i * 1.7) * (1 + Math.floor(i / 32) * 100));
    const encoded = encodeTensorValues('Q8_0', values);
    expect(encoded.length).toBe(3 * Q8_0_BLOCK_BYTES);
    for (const [i, value] of values.entries()) {
      const block = Math.floor(i / 32) * Q8_0_BLOCK_BYTES;
      const scale = floatFromHalf(encoded, block);
      const restored = scale * new Int8Array(encoded.buffer)[block + 2 + (i % 32)]!;
      // Half a step, and what float16 takes from the scale over 127 steps.
      expect(Math.abs(restored - value)).toBeLessThanOrEqual(scale * (0.5 + 127 / 2048));
    }
  });

  it('gives the largest value of a block exactly 127 steps, of either sign', () => {
    const values = new Float32Array(64);
    values[3] = -5;
    values[40] = 9;
    const encoded = new Int8Array(encodeTensorValues('Q8_0', values).buffer);
    expect(encoded[2 + 3]).toBe(-127);
    expect(encoded[Q8_0_BLOCK_BYTES + 2 + 8]).toBe(127);
  });

  it('keeps a block of zeros zero', () => {
    expect(encodeTensorValues('Q8_0', new Float32Array(32)).every((byte) => byte === 0)).toBe(true);
  });

  it('rounds F16 to the nearest value, ties to even', () => {
    const halves = new Uint16Array(encodeTensorValues('F16', Float32Array.of(1, 1 + 2 ** -11, 1 + 3 * 2 ** -11, 65_504, 2 ** -24, -0)).buffer);
    expect([...halves]).toEqual([0x3c00, 0x3c00, 0x3c02, 0x7bff, 0x0001, 0x8000]);
  });

  it.each([[NaN], [Infinity]])('refuses %s in a Q8_0 block', (value) => {
    const values = new Float32Array(32);
    values[7] = value;
    values[20] = 1;
    expect(() => encodeTensorValues('Q8_0', values)).toThrow(/finite/);
  });
});

describe('the writer', () => {
  const content = {
    metadata: {
      'general.architecture': str('test'), a: u32(4_294_967_295), b: i32(-7), c: f32(0.5), d: bool(true),
      e: strArray(['', 'ä', '▁wort']), f: i32Array([-1, 2]), g: f32Array([0.25]),
    },
    tensors: [
      { name: 'odd', dims: [3], type: 'F32' as const, values: () => Float32Array.of(1, 2, 3) },
      { name: 'half', dims: [2, 2], type: 'F16' as const, values: () => [Float32Array.of(1, 2), Float32Array.of(3, 4)] },
      { name: 'quant', dims: [32, 2], type: 'Q8_0' as const, values: () => new Float32Array(64).fill(1) },
    ],
  };

  it('writes metadata and tensors that its own parser reads back', () => {
    const path = join(folder, 'nested', 'round-trip.gguf');
    const { sizeBytes, sha256 } = writeGguf(path, content);
    const header = parseGgufHeader(path);
    expect(Object.fromEntries([...header.metadata].map(([key, { value }]) => [key, value]))).toEqual({
      'general.architecture': 'test', a: 4_294_967_295, b: -7, c: 0.5, d: true, e: ['', 'ä', '▁wort'], f: [-1, 2], g: [0.25],
    });
    expect([...header.tensors.values()].map(({ name, dims, type }) => ({ name, dims, type }))).toEqual(
      content.tensors.map(({ name, dims, type }) => ({ name, dims, type })),
    );
    const bytes = readFileSync(path);
    expect(bytes.length).toBe(sizeBytes);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(sha256);
    // Tensors are padded to 32: 12 bytes, then 8, then two blocks of 34.
    expect([...new Float32Array(bytes.buffer.slice(bytes.byteOffset + sizeBytes - 160, bytes.byteOffset + sizeBytes - 148))]).toEqual([1, 2, 3]);
  });

  it('writes the same bytes for the same content', () => {
    const first = writeGguf(join(folder, 'one.gguf'), content);
    expect(writeGguf(join(folder, 'two.gguf'), content)).toEqual(first);
  });

  it('leaves the former file and nothing beside it when a tensor does not fill its dimensions', () => {
    const target = join(folder, 'kept');
    mkdirSync(target);
    const path = join(target, 'model.gguf');
    writeFileSync(path, 'former');
    const short = { name: 'short', dims: [4], type: 'F32' as const, values: () => Float32Array.of(1) };
    expect(() => writeGguf(path, { metadata: {}, tensors: [short] })).toThrow(/dims ask for 16/);
    expect(readFileSync(path, 'utf8')).toBe('former');
    expect(readdirSync(target)).toEqual(['model.gguf']);
  });

  it('says which file could not be written when the folder is a file', () => {
    const blocker = join(folder, 'blocker');
    writeFileSync(blocker, '');
    const attempt = (): unknown => writeGguf(join(blocker, 'model.gguf'), content);
    expect(attempt).toThrow(SpillwayError);
    expect(attempt).toThrow(expect.objectContaining({ code: 'model_write_failed' }));
  });

  it('asks for a tensor only when it reaches it', () => {
    const order: string[] = [];
    const tensor = (name: string) => ({
      name, dims: [1], type: 'F32' as const,
      *values() { order.push(`begin ${name}`); yield Float32Array.of(0); order.push(`end ${name}`); },
    });
    writeGguf(join(folder, 'lazy.gguf'), { metadata: {}, tensors: [tensor('a'), tensor('b')] });
    expect(order).toEqual(['begin a', 'end a', 'begin b', 'end b']);
  });
});
