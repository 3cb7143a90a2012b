/**
 * What an actor's end in the middle of a native call does to its process: those cases whose outcome is of our own
 * making, and one of each kind that takes the process down. The drill `native` holds all of them.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NATIVE_CASES, NATIVE_PLACEMENTS, NO_FAULT, type NativeCase, type NativePlacement } from '../../actors/drills/native-cases.ts';
import { differenceFrom, runNativeCase, takesProcessDown } from '../../actors/drills/native-ends.ts';
import { chooseModel, type CheckedModel } from '../../actors/inference/index.ts';
import { CACHE_DIR, REPO } from './command-line.ts';

const ENDS: readonly (readonly [string, NativePlacement])[] = [
  ['throw', 'thread'],
  ['exit', 'thread'],
  ['kill', 'thread'],
  ['stop-late', 'thread'],
  ['application-exit', 'thread'],
  ['application-throw', 'thread'],
  ['guardian-exit', 'thread'],
  ['memory', 'thread'],
  ['truncate', 'thread'],
  ['truncate', 'process'],
];

function caseOf(deed: string): NativeCase {
  return NATIVE_CASES.find((each) => each.deed === deed)!;
}

describe('in the middle of a native call', () => {
  let folder: string;
  let model: CheckedModel;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spillway-native-ends-'));
    model = await chooseModel(undefined, { cacheDir: CACHE_DIR });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const rows = ENDS.map(([deed, placement]) => ({ each: caseOf(deed), placement, what: caseOf(deed).what }));

  it.for(rows)('$what: placed in a $placement the process ends as the table says', { timeout: 60_000 }, async ({ each, placement }, { signal }) => {
    const finding = await runNativeCase(each, placement, model, folder, signal);
    expect(differenceFrom(each, placement, finding)).toBeUndefined();
  });

  it('a case that ends otherwise than the table says is found', { timeout: 60_000 }, async ({ signal }) => {
    const finding = await runNativeCase(caseOf('segfault'), 'thread', model, folder, signal);
    const claimed: NativeCase = { ...caseOf('segfault'), thread: { end: 0, restarts: 1 } };
    expect(differenceFrom(claimed, 'thread', finding)).toMatch(/SIGSEGV/);
    expect(differenceFrom({ ...NO_FAULT, thread: { end: 'SIGSEGV', answer: 'answered' } }, 'thread', finding)).toBe("the answer was 'none', not 'answered'");
  });
});

describe('docs/explanation/native-actors.md', () => {
  const rows = readFileSync(join(REPO, 'docs/explanation/native-actors.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()));

  it('has a row for each case of the drill, in their order', () => {
    expect(rows.map(([deed, what]) => [deed, what])).toEqual(NATIVE_CASES.map(({ deed, what }) => [`\`${deed}\``, what]));
  });

  it.for(NATIVE_PLACEMENTS)('says of placement %s which cases take the process down, and no others', (placement) => {
    const column = 2 + NATIVE_PLACEMENTS.indexOf(placement);
    const said = rows.map((row) => /\*\*ends by (SIG[A-Z]+)\*\*/.exec(row[column]!)?.[1]);
    expect(said).toEqual(NATIVE_CASES.map((each) => (takesProcessDown(each, placement) ? each[placement].end : undefined)));
  });
});
