/** The command on its own, with what it is given and what it writes in the test's hands. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, it } from 'vitest';
import { generateCommand, type GenerateCommand } from '../../../actors/console/generate-command.ts';
import { writeTinyLlama } from '../../../bench/models/tiny-llama.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-generate-'));
const model = writeTinyLlama(join(folder, 'tiny.gguf'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(changes: Partial<GenerateCommand> = {}): Promise<Ran> {
  let stdout = '';
  let stderr = '';
  const code = await generateCommand({
    prompt: 'once upon',
    stdin: Readable.from([]),
    flags: { maxTokens: 20, seed: 1 },
    json: false,
    settings: { model, cacheDir: folder, logLevel: 'error', isolate: false, quarantine: false },
    terminal: false,
    stdout: (text) => (stdout += text),
    stderr: (text) => (stderr += text),
    interrupt: new AbortController().signal,
    ...changes,
  });
  return { code, stdout, stderr };
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const linesOf = ({ stdout }: Ran): Record<string, unknown>[] => stdout.trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);

describe('spillway generate', () => {
  it('writes one JSON object a line: the pieces, then the result', async () => {
    const ran = await run({ json: true });
    const lines = linesOf(ran);
    const result = lines.at(-1)!;
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(result).toMatchObject({ event: 'result', reason: 'length', seed: 1, usage: { promptTokens: 10, completionTokens: 20 } });
    expect(result['ttftMs']).toBeGreaterThan(0);
    expect(result['tokensPerSecond']).toBeGreaterThan(0);
    expect(lines.slice(0, -1).map(({ text }) => text).join('')).toBe(result['text']);
  });

  it('takes the prompt from standard input, without the line break at its end, and writes the text alone to standard output', async () => {
    const { stdout, stderr } = await run({ prompt: undefined, stdin: Readable.from([Buffer.from('once '), Buffer.from('upon\n')]), flags: { schema: file('whole.json', '{"const":"one"}') } });
    expect(stdout).toBe('"one"\n');
    expect(stderr).toMatch(/^9 tokens for a prompt of 10, .*ended: eos; seed \d+\.\n$/);
  });

  it('holds the text to a schema, and ends it before a stop sequence', async () => {
    expect((await run({ flags: { schema: file('schema.json', '{"const":"one two"}'), stop: [' t'] } })).stdout).toBe('"one\n');
  });

  it('lets no text drive a terminal', async () => {
    const { stdout } = await run({ flags: { maxTokens: 60, seed: 5, temperature: 1 }, terminal: true });
    expect(stdout).toContain('·');
    expect(stdout.replace(/[\n\t]/g, '')).not.toMatch(/\p{Cc}/u);
  });

  it('ends with 130 when it is interrupted, telling what there is', async () => {
    const controller = new AbortController();
    let stdout = '';
    const ran = await run({
      json: true,
      flags: { maxTokens: 2_000 },
      interrupt: controller.signal,
      stdout(text) {
        stdout += text;
        if (stdout.split('\n').length === 5) controller.abort();
      },
    });
    expect(ran.code).toBe(130);
    const lines = linesOf({ ...ran, stdout });
    expect(lines.at(-1)).toMatchObject({ event: 'result', reason: 'cancelled' });
    expect((lines.at(-1)!['usage'] as { completionTokens: number }).completionTokens).toBeLessThan(2_000);
  });

  it.each<[string, Partial<GenerateCommand>]>([
    ['prompt_empty', { prompt: '' }],
    ['prompt_empty', { prompt: undefined, stdin: Object.assign(Readable.from([]), { isTTY: true }) }],
    ['prompt_empty', { prompt: undefined }],
    ['prompt_not_unicode', { prompt: undefined, stdin: Readable.from([Buffer.of(0x61, 0xff)]) }],
    ['prompt_too_long', { prompt: undefined, stdin: Readable.from([Buffer.alloc(200_000), Buffer.alloc(100_000)]) }],
    ['schema_invalid', { flags: { schema: join(folder, 'none.json') } }],
    ['schema_invalid', { flags: { schema: file('bad.json', '{') } }],
    ['schema_invalid', { flags: { schema: file('unfit.json', '{"pattern":"a"}') } }],
    ['generation_invalid', { flags: { temperature: -1 } }],
    ['generation_invalid', { flags: { maxTokens: 0 } }],
    ['model_missing', { settings: { model: join(folder, 'none.gguf'), cacheDir: folder, logLevel: 'error', isolate: false, quarantine: false } }],
    ['model_unknown', { settings: { model: undefined, cacheDir: folder, logLevel: 'error', isolate: false, quarantine: false } }],
  ])('refuses with %s what cannot be', async (code, changes) => {
    await expect(run(changes)).rejects.toMatchObject({ code });
  });
});
