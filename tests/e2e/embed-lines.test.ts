/** Texts from standard input, vectors to standard output. */
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmbedder, createSystem } from '../../actors/index.ts';
import { boundedLines, type Line } from '../../actors/console/bounded-lines.ts';
import { writeTinyBert } from '../inference/tiny-bert.ts';
import { CACHE_DIR, jsonLines, spillway, start } from './command-line.ts';

describe('spillway embed --stdin', () => {
  const scratch = realpathSync(mkdtempSync(join(tmpdir(), 'spillway-e2e-')));
  const model = join(scratch, 'tiny.gguf');
  beforeAll(() => void writeTinyBert(model));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  const embed = (input: string | Uint8Array, ...more: string[]) => spillway(['embed', '--stdin', '--model', model, '--actors', '1', ...more], { stdin: Buffer.from(input) });

  it('answers each line with its vector, in order and equal to those of the API', async () => {
    const texts = Array.from({ length: 300 }, (_, index) => `w${index % 200} w${(index * 7) % 200} w${index % 13}`);
    const { code, stdout, stderr } = await embed(texts.map((text) => `${text}\n`).join(''));
    expect([code, stderr]).toEqual([0, '']);
    const lines = jsonLines(stdout);
    expect(lines.map(({ index }) => index)).toEqual(texts.map((_, index) => index));
    expect(lines[0]).toMatchObject({ tokens: 5, truncated: false, model: expect.stringMatching(/^[0-9a-f]{64}$/) as string });
    const system = await createSystem();
    try {
      const rows = await (await createEmbedder(system, { model, actors: 1, cacheDir: CACHE_DIR })).embed(texts);
      expect(lines.map(({ vector }) => Float32Array.from(vector as number[]))).toEqual(rows);
    } finally {
      await system.close();
    }
  });

  it('reads JSON lines, keeps their ids, and puts an error in the place of a line that has no vector', async () => {
    const lines = ['{"id":"a","text":"w1 w2"}', '"w3"', '{"id":7,"text":"   "}', 'no json', '{"id":{"x":1}}', JSON.stringify({ id: 'long', text: 'w1 '.repeat(600) }), '{"id":"b","text":"w1 w2"}'];
    const { code, stdout, stderr } = await embed(lines.join('\n'), '--jsonl', '--output', 'base64');
    const answers = jsonLines(stdout);
    expect(answers.map(({ id, index }) => [id, index])).toEqual([['a', 0], [undefined, 1], [7, 2], [undefined, 3], [{ x: 1 }, 4], ['long', 5], ['b', 6]]);
    expect(answers.map(({ error }) => (error as { status?: string } | undefined)?.status)).toEqual([undefined, undefined, 'empty', 'not_json', 'not_json', 'too_long', undefined]);
    expect(answers[5]!['error']).toMatchObject({ code: 'text_refused', message: expect.stringContaining('602 tokens') as string });
    expect(answers[0]!['vector']).toBe(answers[6]!['vector']);
    expect(Buffer.from(answers[0]!['vector'] as string, 'base64')).toHaveLength(64 * 4);
    expect([code, stderr.includes('4 without a vector')]).toEqual([1, true]);
  });

  it('cuts long texts at the side that is asked for, slices dimensions and packs bits', async () => {
    const { code, stdout } = await embed(`${'w1 '.repeat(600)}\n`, '--truncate', 'left', '--dimensions', '16', '--output', 'binary');
    expect(code).toBe(0);
    const [line] = jsonLines(stdout);
    expect(line).toMatchObject({ tokens: 602, truncated: true });
    expect(line!['vector']).toHaveLength(2);
  });

  it('puts the prompt of the wanted kind before each text', async () => {
    const [plain] = jsonLines((await embed('w9 w1 w2\n')).stdout);
    const [prompted] = jsonLines((await embed('w1 w2\n', '--input', 'query', '--query-prompt', 'w9 ')).stdout);
    expect(prompted!['vector']).toEqual(plain!['vector']);
    const refused = await embed('w1\n', '--input', 'document');
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('embed_options_invalid') as string]);
  });

  it('answers while its input is still open, and finishes what it has read when it is interrupted', async () => {
    const running = start(['embed', '--stdin', '--model', model, '--actors', '1'], { stdin: 'pipe' });
    running.child.stdin!.write('w1\nw2\n');
    await running.until(/"index":1,/);
    running.child.stdin!.write('w3\n');
    await running.until(/"index":2,/);
    running.child.kill('SIGINT');
    const { code, stdout } = await running.ended;
    expect([code, jsonLines(stdout).length]).toEqual([130, 3]);
  });

  it('ends in order when its reader leaves', async () => {
    const running = start(['embed', '--stdin', '--model', model, '--actors', '1'], { stdin: 'pipe' });
    running.child.stdin!.write('w1\n'.repeat(2_000));
    running.child.stdout!.once('data', () => running.child.stdout!.destroy());
    const { code, signal } = await running.ended;
    expect([code, signal]).toEqual([0, null]);
  });

  it('answers no lines with no lines', async () => {
    expect(await embed('')).toMatchObject({ code: 0, stdout: '' });
  });

  it.each([
    [['--stdin', 'docs'], '--stdin takes no paths'],
    [[], "missing required argument 'path'"],
    [['--stdin', '--output', 'float16'], 'float32'],
    [['--stdin', '--truncate', 'middle'], 'left'],
  ])('refuses %j as wrong usage', async (args, message) => {
    const { code, stderr } = await spillway(['embed', ...args], { stdin: Buffer.alloc(0) });
    expect([code, stderr]).toEqual([2, expect.stringContaining(message) as string]);
  });

  it('refuses more dimensions than the model has', async () => {
    const { code, stderr } = await embed('w1\n', '--dimensions', '65');
    expect([code, stderr]).toEqual([2, expect.stringContaining('from 1 to 64') as string]);
  });
});

describe('lines with a bound', () => {
  async function linesOf(chunks: readonly (string | Uint8Array)[], bytesMax = 8): Promise<Line[]> {
    async function* source(): AsyncGenerator<Uint8Array> {
      for (const chunk of chunks) yield Buffer.from(chunk);
    }
    const lines: Line[] = [];
    for await (const line of boundedLines(source(), bytesMax)) lines.push(line);
    return lines;
  }

  it('joins what comes in parts, and keeps a last line without an end', async () => {
    expect(await linesOf(['ab', 'c\nd', '\n\ne\r\n', 'f'])).toEqual(['abc', 'd', '', 'e', 'f'].map((text) => ({ text })));
  });

  it('tells of a line that is too long, and goes on with the next', async () => {
    expect(await linesOf(['12345678\n123456789\nab\n', '1'.repeat(100), '1'.repeat(100)])).toEqual([{ text: '12345678' }, { fault: 'too_many_bytes' }, { text: 'ab' }, { fault: 'too_many_bytes' }]);
  });

  it('takes a character in two parts for one, and half of one for none', async () => {
    const bytes = Buffer.from('é');
    expect(await linesOf([bytes.subarray(0, 1), bytes.subarray(1), '\n', bytes.subarray(0, 1), '\n'])).toEqual([{ text: 'é' }, { fault: 'not_unicode' }]);
  });
});
