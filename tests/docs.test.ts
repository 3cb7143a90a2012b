/**
 * Every TypeScript block of the README and the docs runs as it stands.
 *
 * A block whose first line names a file is written under that name; `main.ts`, or the only block of a
 * page, is then run in a Node of its own, as a reader would. Pages with `console.log(...); // text`
 * also say what is printed, and that is compared.
 */
import { execFile } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';

const ROOT = new URL('..', import.meta.url).pathname;
/** Inside of the repo, so that `spillway` resolves to the package itself. */
const scratch = mkdtempSync(join(ROOT, '.docs-run-'));

afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Block {
  readonly name: string;
  readonly code: string;
}

function blocksOf(page: string): Block[] {
  const text = readFileSync(join(ROOT, page), 'utf8');
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => ({
    name: /^\/\/ (\S+\.ts)$/m.exec(code!.split('\n')[0]!)?.[1] ?? 'main.ts',
    code: code!,
  }));
}

const pages = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT })].filter((page) => blocksOf(page).length > 0);

test('there are pages with code', () => {
  expect(pages).toContain('README.md');
  expect(pages).toContain('docs/tutorials/first-actor.md');
});

test.each(pages)('the code of %s runs', async (page) => {
  const place = mkdtempSync(join(scratch, 'page-'));
  const blocks = blocksOf(page);
  for (const { name, code } of blocks) writeFileSync(join(place, name), code);
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=spillway-src', join(place, 'main.ts')], {
    timeout: 50_000,
  });
  for (const said of promisedOutput(blocks)) expect(stdout).toContain(said);
});

/** What the comments behind `console.log(...)` promise, up to a colon that begins an explanation. */
function promisedOutput(blocks: readonly Block[]): string[] {
  return blocks
    .flatMap(({ code }) => [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)])
    .map(([, said]) => said!.replace(/(?<=\}): .*$/, ''));
}
