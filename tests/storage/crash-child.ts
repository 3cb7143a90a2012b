/**
 * The process that `crash.test.ts` kills: runs round after round over the files of `filesOfRound`,
 * and writes one line to standard output after each acknowledged step, synchronously.
 *
 *   node crash-child.ts <index folder> <first round> <run id of the first round>
 */
import { writeSync } from 'node:fs';

import { sqliteIndex } from '../../actors/storage/sqlite-index.ts';
import { filesOfRound, ROUNDS, runIdOf } from './crash-rounds.ts';
import { hashOf, OPTIONS, segmentsOf } from './sample.ts';

const [dir = '', first = '', firstRunId = ''] = process.argv.slice(2);
const acknowledge = (line: string): void => void writeSync(1, `${line}\n`);

const writer = sqliteIndex.openWriter(dir, OPTIONS);
acknowledge('opened');
for (let round = Number(first); round <= ROUNDS; round += 1) {
  const files = filesOfRound(round);
  writer.begin({ runId: round === Number(first) ? firstRunId : runIdOf(round, 0) });
  acknowledge(`begun ${round}`);
  const comparisons = writer.compare(files.map((file) => ({ path: file.path, hash: hashOf(file) })));
  for (const [i, file] of files.entries()) {
    if (comparisons[i] === 'unchanged') continue;
    for (const [number, segment] of segmentsOf(file).entries()) {
      writer.put([segment]);
      acknowledge(`put ${round} ${i} ${number}`);
    }
  }
  acknowledge(`removed ${writer.removeUnseen()}`);
  writer.publish();
  acknowledge(`published ${round}`);
}
writer.close();
