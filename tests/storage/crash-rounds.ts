/**
 * What the files are in each round of the crash test: some change, some come, some go.
 */
import { randomFrom, type SampleFile, sampleFile } from './sample.ts';

export const KILLS = Number(process.env['SPILLWAY_TEST_KILLS'] ?? 10);
/** Enough work for all the kills: less than one round passes between two of them, on average. */
export const ROUNDS = Math.ceil(1.5 * KILLS);
const FILES = 60;

export function filesOfRound(round: number): SampleFile[] {
  const random = randomFrom(round);
  const files: SampleFile[] = [];
  for (let number = 0; number < FILES; number += 1) {
    const [exists, changes, count] = [random() < 0.8, random() < 0.6, Math.floor(random() * 9)];
    if (exists) files.push(changes ? sampleFile(number, `round ${round}`, count) : sampleFile(number));
  }
  return files;
}

export function runIdOf(round: number, attempt: number): string {
  return `round ${round}, attempt ${attempt}`;
}
