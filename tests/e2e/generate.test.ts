/** `spillway generate` as people run it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeTinyLlama } from '../../bench/models/tiny-llama.ts';
import { jsonLines, scratchFolder, spillway, start } from './command-line.ts';

const model = (folder: string): string => writeTinyLlama(join(folder, 'tiny.gguf'));

describe('spillway generate', () => {
  it('streams pieces and ends with the result, the same for the same seed', async () => {
    const folder = scratchFolder();
    const args = ['generate', 'once upon', '--model', model(folder), '--max-tokens', '15', '--temperature', '1', '--seed', '5', '--json'];
    const first = await spillway(args);
    const second = await spillway(args);
    // The first run tries the model in a process of its own, whose native library has its say.
    expect([first.code, second.code, second.stderr]).toEqual([0, 0, '']);
    const lines = jsonLines(first.stdout);
    expect(lines.at(-1)).toMatchObject({ event: 'result', reason: 'length', seed: 5, usage: { promptTokens: 10, completionTokens: 15 } });
    expect(lines.slice(0, -1).map(({ text }) => text).join('')).toBe(lines.at(-1)!['text']);
    expect(jsonLines(second.stdout).at(-1)!['text']).toBe(lines.at(-1)!['text']);
  });

  it('holds the text to a schema and ends it at a stop sequence', async () => {
    const folder = scratchFolder();
    const schema = join(folder, 'schema.json');
    writeFileSync(schema, JSON.stringify({ const: 'one two three' }));
    const { code, stdout, stderr } = await spillway(['generate', 'a', '--model', model(folder), '--schema', schema, '--stop', 'none', 'three']);
    expect([code, stdout]).toEqual([0, '"one two \n']);
    expect(stderr).toMatch(/ended: stop/);
  });

  it('ends with what there is and 130 at Ctrl-C', async () => {
    const folder = scratchFolder();
    const schema = join(folder, 'schema.json');
    writeFileSync(schema, JSON.stringify({ type: 'array', items: { const: 'a'.repeat(500) }, minItems: 100 }));
    const running = start(['generate', 'a', '--model', model(folder), '--schema', schema, '--max-tokens', '50000', '--json']);
    await running.until(/"event":"piece"/);
    running.child.kill('SIGINT');
    const { code, stdout } = await running.ended;
    expect(code).toBe(130);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ event: 'result', reason: 'cancelled' });
  });

  it.each([
    ['model_missing', 1, ['a', '--model', '/nowhere/model.gguf']],
    ['prompt_empty', 2, [' ', '--model', '/nowhere/model.gguf']],
    ['generation_invalid', 2, ['a', '--temperature', '500', '--model', '/nowhere/model.gguf']],
    ['schema_invalid', 2, ['a', '--schema', '/nowhere/schema.json', '--model', '/nowhere/model.gguf']],
  ])('says %s and ends with %i', async (code, exitCode, args) => {
    const ended = await spillway(['generate', ...args]);
    expect(ended.code).toBe(exitCode);
    expect(ended.stderr).toContain(`[${code}]`);
    expect(ended.stdout).toBe('');
  });
});
