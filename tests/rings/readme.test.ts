/** Runs the examples of rings/README.md as programs and compares their output with what stands below them. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { SpscConsumer, SpscProducer, createSpscRing } from 'atomics-ring-buffer';

const readme = readFileSync(new URL('../../rings/README.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/```ts\n(?<code>.*?)```\n\n```text\n(?<output>.*?)```/gs)].map((match) => match.groups!);

// A project of its own that has the package installed.
const project = mkdtempSync(join(tmpdir(), 'spillway-ring-readme-'));
symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(project, 'node_modules'), 'dir');
writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
afterAll(() => rmSync(project, { recursive: true, force: true }));

describe('the README of atomics-ring-buffer', () => {
  it('shows the output of every example', () => {
    expect(examples.length).toBeGreaterThan(0);
    expect(examples.length).toBe(readme.match(/```ts\n/g)?.length);
  });

  examples.forEach(({ code, output }, index) => {
    it(`example ${index + 1} prints what stands below it`, async () => {
      const path = join(project, `example-${index + 1}.ts`);
      writeFileSync(path, code!);
      const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=spillway-src', path]);
      expect(stdout).toBe(output);
    });
  });

  it('draws the layout as it is', () => {
    const memory = createSpscRing({ capacityBytes: 64 });
    const [words, magic] = [new Int32Array(memory), 0x52_49_4e_47];
    expect([words[0], words[3], memory.byteLength]).toEqual([magic, 64, 512 + 64]);
    // What each side writes, by the line of 128 bytes that it lies in.
    const changed = (act: () => void): number[] => {
      const before = [...words];
      act();
      const bytes = before.flatMap((value, index) => (value === words[index] ? [] : [Math.floor(index / 32) * 128]));
      return [...new Set(bytes)];
    };
    const [producer, consumer] = [new SpscProducer(memory), new SpscConsumer(memory)];
    expect(changed(() => producer.offer(1, new Uint8Array(8)))).toEqual([128, 512]);
    expect(changed(() => consumer.poll(() => {}, 1))).toEqual([256]);
    expect(changed(() => consumer.doorbell.arm())).toEqual([384]);
    expect(changed(() => consumer.close())).toEqual([0, 384]);
  });

  it('names the results and actions that the package exports', async () => {
    const exported: Record<string, unknown> = await import('atomics-ring-buffer');
    for (const name of ['BACK_PRESSURED', 'CLOSED', 'TOO_LONG', 'CONTINUE', 'COMMIT', 'BREAK', 'ABORT'] as const) {
      expect(readme).toContain(`\`${name}\``);
      expect(exported[name]).toBeTypeOf('number');
    }
  });
});
