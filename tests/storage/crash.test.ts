/**
 * A writer that is killed with SIGKILL at random moments, again and again, and what must hold after
 * each death. Allowed outcomes: readers see the last round whose publication was acknowledged, or
 * the one after it if the kill came between the commit and the acknowledgement.
 */
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { sqliteIndex } from '../../actors/storage/sqlite-index.ts';
import { killWhen, startChild } from './child-process.ts';
import { filesOfRound, KILLS, ROUNDS, runIdOf } from './crash-rounds.ts';
import { OPTIONS, problemsOf, randomFrom, rowsOf, runOver, segmentsOf, visibleRows } from './sample.ts';
import { scratchIndex } from './scratch.ts';

const SEED = Number(process.env['SPILLWAY_TEST_SEED'] ?? 20_261);

const lastNumber = (lines: readonly string[], word: string): number | undefined => {
  const line = lines.findLast((line) => line.startsWith(`${word} `));
  return line === undefined ? undefined : Number(line.split(' ')[1]);
};

it(`loses no acknowledged segment and stores none twice over ${KILLS} kills (seed ${SEED}; SPILLWAY_TEST_SEED, SPILLWAY_TEST_KILLS)`, async () => {
  const dir = scratchIndex();
  const random = randomFrom(SEED);
  let published = 0;
  let kills = 0;
  const runIds = new Map<number, string>();

  for (let attempt = 1; published < ROUNDS; attempt += 1) {
    const round = published + 1;
    // Every other attempt is a restart within the run; the others are new runs over the same files.
    const runId = (attempt % 2 === 0 ? runIds.get(round) : undefined) ?? runIdOf(round, attempt);
    runIds.set(round, runId);
    const killAfter = 1 + Math.floor(random() * 80);
    const atPublication = random() < 0.3;
    const child = startChild('./crash-child.ts', dir, String(round), runId);
    const { lines, signal, code } = await killWhen(child, (lines) => kills < KILLS && lines.length >= killAfter && (!atPublication || lines.at(-1)!.startsWith('removed ')));
    if (signal === 'SIGKILL') kills += 1;
    else expect(code).toBe(0);

    expect(problemsOf(sqliteIndex, dir)).toEqual([]);
    const acknowledged = lastNumber(lines, 'published') ?? published;
    const rows = visibleRows(sqliteIndex, dir);
    const next = acknowledged + 1;
    const isNextVisible = acknowledged < ROUNDS && JSON.stringify(rows) === JSON.stringify(rowsOf(filesOfRound(next)));
    if (!isNextVisible) expect(rows).toEqual(acknowledged === 0 ? [] : rowsOf(filesOfRound(acknowledged)));
    published = isNextVisible ? next : acknowledged;
    if (signal !== 'SIGKILL' || isNextVisible || lastNumber(lines, 'begun') !== next) continue;

    // Going on within the run, every acknowledged segment is found again.
    const writer = sqliteIndex.openWriter(dir, OPTIONS);
    try {
      runIds.set(next, next === round ? runId : runIdOf(next, 0));
      writer.begin({ runId: runIds.get(next)! });
      for (const line of lines.filter((line) => line.startsWith(`put ${next} `))) {
        const [file, number] = line.split(' ').slice(2).map(Number);
        const segment = segmentsOf(filesOfRound(next)[file!]!)[number!]!;
        expect(writer.put([segment])).toMatchObject({ storedChunks: 0, repeatedChunks: segment.chunks.length });
      }
    } finally {
      writer.close();
    }
    expect(problemsOf(sqliteIndex, dir)).toEqual([]);
  }
  expect(kills).toBe(KILLS);

  const undisturbed = join(dir, 'undisturbed');
  for (let round = 1; round <= ROUNDS; round += 1) runOver(sqliteIndex, undisturbed, filesOfRound(round));
  expect(visibleRows(sqliteIndex, dir)).toEqual(visibleRows(sqliteIndex, undisturbed));
  expect(problemsOf(sqliteIndex, dir)).toEqual([]);
});
