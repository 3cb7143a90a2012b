/**
 * `kill -9` at random moments of runs, each followed by another run.
 *
 * One index goes through all the kills, another through the same changes undisturbed. After each kill
 * the index is sound and holds at least what it held; when a run comes to its end, it has embedded
 * exactly what was missing, and readers see what they see in the undisturbed index. Then the folder
 * changes. The moments follow from a seed, which is printed: SPILLWAY_TEST_SEED repeats it, and
 * SPILLWAY_TEST_KILLS sets how many there are.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSqliteReader } from '../../actors/storage/sqlite-reader.ts';
import { writeTinyBert } from '../inference/tiny-bert.ts';
import { doneOf, scratchFolder, spillway, start } from './command-line.ts';
import { indexProblems, indexRows, randomFrom, samplePath, untilStored, writeSample, writeSampleFolder } from './sample-folder.ts';

const KILLS = Number(process.env['SPILLWAY_TEST_KILLS'] ?? 20);
const SEED = Number(process.env['SPILLWAY_TEST_SEED'] ?? Date.now() % 1_000_000);
const FILES = 100;
/** With fewer chunks left, the run is let through to its end. */
const CHUNKS_LEFT_MIN = 24;

it(`loses nothing and repeats nothing when it is killed ${KILLS} times`, { timeout: 600_000 }, async () => {
  console.log(`SPILLWAY_TEST_SEED=${SEED} SPILLWAY_TEST_KILLS=${KILLS}`);
  const random = randomFrom(SEED);
  const folder = scratchFolder();
  const scratch = scratchFolder();
  const [index, undisturbed] = [join(scratch, 'index'), join(scratch, 'undisturbed')];
  const model = writeTinyBert(join(scratch, 'model.gguf'));
  const embed = (dir: string): string[] => ['embed', folder, '--index', dir, '--model', model, '--actors', '2', '--json'];
  writeSampleFolder(folder, FILES);

  for (let round = 1, kills = 0; kills < KILLS; round++) {
    if (round > 1) changeFolder(folder, round, random);
    const wanted = doneOf(await spillway(embed(undisturbed)))['embedded'] as number;
    const before = round === 1 ? 0 : progressOf(index).generation;
    let stored = 0;
    while (kills < KILLS && wanted - stored >= CHUNKS_LEFT_MIN) {
      const run = start(embed(index));
      await untilStored(index, stored + Math.ceil(random() * 0.6 * (wanted - stored)), run);
      run.child.kill('SIGKILL');
      await run.ended;
      kills++;
      expect(indexProblems(index)).toEqual([]);
      const progress = progressOf(index);
      if (progress.generation > before) stored = wanted;
      else {
        expect(progress.stored).toBeGreaterThanOrEqual(stored);
        stored = progress.stored;
      }
    }
    expect(doneOf(await spillway(embed(index)))['embedded']).toBe(wanted - stored);
    expect(indexRows(index)).toEqual(indexRows(undisturbed));
    expect(indexProblems(index)).toEqual([]);
  }
});

/** The generation that readers see, and the chunks stored for the next. */
function progressOf(dir: string): { generation: number; stored: number } {
  const reader = openSqliteReader(dir);
  try {
    const { generation, building } = reader.status();
    return { generation, stored: building?.chunks ?? 0 };
  } finally {
    reader.close();
  }
}

/** Rewrites about half of the files, adds one and deletes one. */
function changeFolder(folder: string, round: number, random: () => number): void {
  for (let number = 0; number < FILES; number++) if (random() < 0.5) writeSample(folder, number, round);
  writeSample(folder, FILES + round);
  rmSync(join(folder, samplePath(round)), { force: true });
}
