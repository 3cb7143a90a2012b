import { describe, expect, it } from 'vitest';
import { ROOMS, doors, doorsOnlyList, importDirection, ringsStandAlone } from './tidy/import-rules.ts';
import { fileName, machineTraces, roomReadme, topLevel } from './tidy/repo-rules.ts';
import { isSource, parseSource, readText, repoPaths, type SourceFile } from './tidy/source-file.ts';
import { DEFAULT_EXPORTS, LINES_MAX, LONG_FILES, atomicsInRings, fileLength, forbiddenSyntax, headerComment, unfinishedMarks } from './tidy/syntax-rules.ts';

type Rule = (file: SourceFile) => string[];

const paths = repoPaths();
const sources = paths.filter(isSource).map((path) => parseSource(path, readText(path)));
const breaches = (rule: Rule): string[] => sources.flatMap(rule);

describe('the repository', () => {
  it('has sources to check', () => {
    for (const room of ROOMS) expect(sources.some(({ path }) => path.startsWith(`${room}/`))).toBe(true);
  });
  it.each<[string, Rule]>([
    ['imports go one way and nobody imports tests or bench', importDirection],
    ['nothing reaches around a door', doors],
    ['a door only lists names', doorsOnlyList],
    ['rings imports nothing but itself', ringsStandAlone],
    ['Atomics appears in rings only', atomicsInRings],
    ['every file begins with what it is for', headerComment],
    ['no enum, namespace, default export or any', forbiddenSyntax],
    ['no unfinished work is left as a mark', unfinishedMarks],
    [`no file is longer than ${LINES_MAX} lines without a reason`, fileLength],
  ])('%s', (_, rule) => {
    expect(breaches(rule)).toEqual([]);
  });
  it('has nothing at the top level that is not on the floor plan', () => {
    expect(paths.flatMap(topLevel)).toEqual([]);
  });
  it('names its files in kebab-case and after their jobs', () => {
    expect(paths.flatMap(fileName)).toEqual([]);
  });
  it('tells nothing about the machine it was made on', () => {
    expect(paths.flatMap((path) => machineTraces(path, readText(path)))).toEqual([]);
  });
  it('has in each room a README with its invariants', () => {
    const readme = (room: string): string | undefined => (paths.includes(`${room}/README.md`) ? readText(`${room}/README.md`) : undefined);
    expect(ROOMS.flatMap((room) => roomReadme(room, readme(room)))).toEqual([]);
  });
  it('has exceptions only for files that exist', () => {
    expect([...Object.keys(LONG_FILES), ...Object.keys(DEFAULT_EXPORTS)].filter((path) => !paths.includes(path))).toEqual([]);
  });
});

/** Takes out the dots that keep the examples from being breaches in this very file. */
const joined = (text: string): string => text.replaceAll('·', '');

/** One line each that breaks a rule, and what is nearest to it and does not. */
const EXAMPLES: readonly [rule: Rule, path: string, bad: string, good: string][] = [
  [importDirection, 'kernel/a.ts', `import { x } from '../supervisors/index.ts';`, `import { x } from 'atomics-ring-buffer';`],
  [importDirection, 'rings/a.ts', `import type { x } from '../kernel/index.ts';`, `import type { x } from './b.ts';`],
  [importDirection, 'rings/a.ts', `let x: import('../kernel/index.ts').X;`, `let x: import('./b.ts').X;`],
  [importDirection, 'kernel/a.ts', `const { x } = await import('../actors/index.ts');`, `const { x } = await import('./b.ts');`],
  [importDirection, 'actors/storage/a.ts', `export { x } from '../../bench/run.ts';`, `export { x } from '../../kernel/index.ts';`],
  [importDirection, 'bench/a.ts', `import { x } from '../tests/a.ts';`, `import { x } from '../actors/inference/backend.ts';`],
  [importDirection, 'tests/a.ts', `import { x } from '../bench/run.ts';`, `import { x } from '../bench/models/minilm.ts';`],
  [importDirection, 'kernel/a.ts', `import { x } from '../stray.ts';`, `// from '../supervisors/index.ts'`],
  [doors, 'supervisors/a.ts', `import { x } from '../kernel/clock.ts';`, `import { x } from '../kernel/index.ts';`],
  [doors, 'kernel/a.ts', `import { x } from '../rings/index.ts';`, `import { x } from 'atomics-ring-buffer';`],
  [doors, 'actors/console/a.ts', `import { x } from '../storage/walk.ts';`, `import { x } from '../storage/index.ts';`],
  [doors, 'actors/index.ts', `export { x } from './storage/actor.ts';`, `export { x } from './storage/index.ts';`],
  [doors, 'actors/inference/gguf/a.ts', `import { x } from '../../../kernel/clock.ts';`, `import { x } from '../error-codes.ts';`],
  [doorsOnlyList, 'kernel/index.ts', `export * from './clock.ts';`, `export { x } from './clock.ts';`],
  [doorsOnlyList, 'kernel/index.ts', `export const x = 1;`, `export type { X } from './clock.ts';`],
  [ringsStandAlone, 'rings/a.ts', `import assert from 'node:assert';`, `import { x } from './b.ts';`],
  [atomicsInRings, 'kernel/a.ts', `Atomics.load(words, 0);`, `/* Atomics */ log('Atomics');`],
  [atomicsInRings, 'actors/a.ts', `const { load } = Atomics;`, `const load = 1;`],
  [headerComment, 'kernel/a.ts', `import { x } from './b.ts';`, `/** Everything that it is for. */\nlet x;`],
  [headerComment, 'kernel/a.ts', `// A b\nlet x;`, `// What it does, and why.\nlet x;`],
  [headerComment, 'actors/a.mjs', `#!/usr/bin/env node\nlet x;`, `#!/usr/bin/env node\n// What it does, and why.\nlet x;`],
  [forbiddenSyntax, 'kernel/a.ts', `enum Lane { control }`, `const enumerate = 'enum Lane {}';`],
  [forbiddenSyntax, 'kernel/a.ts', `namespace Lane { export const x = 1; }`, `const namespace = 1;`],
  [forbiddenSyntax, 'kernel/a.ts', `export default 1;`, `export const x = 1;`],
  [forbiddenSyntax, 'kernel/a.ts', `let x = y as any;`, `let x = y as unknown; // as any`],
  [forbiddenSyntax, 'kernel/a.d.ts', `declare module 'x' { export const y: any; }`, `declare module 'x' { export const y: string; }`],
  [unfinishedMarks, 'kernel/a.ts', '// TO·DO: later', '// what is to do'],
  [unfinishedMarks, 'kernel/a.ts', '// @ts-ig·nore', '// @ts-expect-error a string is not a number'],
  [fileLength, 'kernel/a.ts', 'let x;\n'.repeat(LINES_MAX + 1), 'let x;\n'.repeat(LINES_MAX)],
  [fileLength, 'tests/storage/vector-index.cases.ts', 'let x;', 'let x;\n'.repeat(LINES_MAX + 1)],
];

describe('the rules themselves', () => {
  const examples = EXAMPLES.map(([rule, path, bad, good]) => ({ rule, name: rule.name, path, bad, good, start: bad.slice(0, 70) }));
  it.each(examples)('$name finds the breach in $path: $start', ({ rule, path, bad, good }) => {
    const found = rule(parseSource(path, joined(bad)));
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(path);
    expect(rule(parseSource(path, good))).toEqual([]);
  });
  it.each([
    ['top-level names', topLevel, 'src/a.ts', 'kernel/a.ts'],
    ['top-level files', topLevel, 'notes.txt', 'README.md'],
    ['camelCase', fileName, 'kernel/timerQueue.ts', 'kernel/time/timer-wheel.ts'],
    ['underscores', fileName, 'tests/a_b/c.test.ts', 'tests/a-b/c.test.ts'],
    ['names without a job', fileName, 'kernel/utils.ts', 'kernel/utilization.ts'],
    ['folders without a job', fileName, 'actors/common/a.ts', 'actors/commons/a.ts'],
    ['halves of names without a job', fileName, 'kernel/string-helpers.ts', 'docs/adr/0001-one-way.md'],
  ])('refuses %s', (_, rule, bad, good) => {
    expect(rule(bad)).toHaveLength(1);
    expect(rule(good)).toEqual([]);
  });
  it.each([
    ['package-lock.json', '"resolved": "ht·tps://example.org/x.tgz"', '"resolved": "rings"'],
    ['docs/a.md', '--registry https://regis·try.mine.net', 'https://registry.example.com'],
    ['kernel/a.ts', `'/ro·ot/main/x'`, `'./root/main/x'`],
    ['docs/a.md', 'cd /ho·me/somebody/x', 'cd ~/x'],
    ['kernel/a.ts', `'/t·mp/x'`, `'pkg/tmp/x'`],
  ])('finds in %s what belongs to a machine: %s', (path, bad, good) => {
    expect(machineTraces(path, joined(bad))).toHaveLength(1);
    expect(machineTraces(path, good)).toEqual([]);
  });
  it('wants a README of a room, with three invariants', () => {
    expect(roomReadme('kernel', undefined)).toHaveLength(1);
    expect(roomReadme('kernel', '# Kernel\nInvariant: one.\n')).toHaveLength(1);
    expect(roomReadme('kernel', 'Invariant: one.\nInvariant: two.\n- Invariant: three.\n')).toEqual([]);
  });
});
