/** Runs the examples of the package's README and docs as programs and compares their output with what stands below them. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { SpscConsumer, SpscProducer, createSpscRing } from 'atomics-ring-buffer';

const readText = (path: string): string => readFileSync(new URL(`../../rings/${path}`, import.meta.url), 'utf8');
const readme = readText('README.md');
const docs = readdirSync(new URL('../../rings/docs', import.meta.url)).map((name) => `docs/${name}`);
const pages = ['README.md', ...docs].map((page) => ({
  page,
  text: readText(page),
  examples: [...readText(page).matchAll(/```ts\n(?<code>.*?)```\n\n```text\n(?<output>.*?)```/gs)].map((match) => match.groups!),
}));

// A project of its own that has the package installed.
const project = mkdtempSync(join(tmpdir(), 'spillway-ring-readme-'));
symlinkSync(fileURLToPath(new URL('../../node_modules', import.meta.url)), join(project, 'node_modules'), 'dir');
writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
afterAll(() => rmSync(project, { recursive: true, force: true }));

for (const { page, text, examples } of pages) {
  describe(`${page} of atomics-ring-buffer`, () => {
    it('shows the output of every example', () => {
      expect(examples.length).toBe(text.match(/```ts\n/g)?.length ?? 0);
    });

    it('links to pages that are there', () => {
      const links = [...text.matchAll(/\]\((?<path>[^)#:]+\.md)\)/g)].map((match) => match.groups!['path']!);
      for (const link of links) expect(pages.map((other) => other.page), link).toContain(posix.join(posix.dirname(page), link));
    });

    examples.forEach(({ code, output }, index) => {
      it(`example ${index + 1} prints what stands below it`, async () => {
        const path = join(project, `${page.replace('/', '-')}-${index + 1}.ts`);
        writeFileSync(path, code!);
        const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=spillway-src', path]);
        expect(stdout).toBe(output);
      });
    });
  });
}

describe('the README of atomics-ring-buffer', () => {
  it('has programs to begin with', () => {
    expect(pages.flatMap(({ examples }) => examples).length).toBeGreaterThan(2);
  });

  it('draws the layout as it is', () => {
    const memory = createSpscRing({ capacityBytes: 64 });
    const [words, magic] = [new Int32Array(memory), 0x52_49_4e_47];
    expect([words[0], words[3], memory.byteLength]).toEqual([magic, 64, 768 + 64]);
    // What each side writes, by the line of 128 bytes that it lies in.
    const changed = (act: () => void): number[] => {
      const before = [...words];
      act();
      const bytes = before.flatMap((value, index) => (value === words[index] ? [] : [Math.floor(index / 32) * 128]));
      return [...new Set(bytes)];
    };
    const [producer, consumer] = [new SpscProducer(memory), new SpscConsumer(memory)];
    expect(changed(() => producer.offer(1, new Uint8Array(8)))).toEqual([128, 512, 768]);
    expect(changed(() => consumer.poll(() => {}, 1))).toEqual([256, 640]);
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
