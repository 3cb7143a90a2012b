/** Opens the writer of the given index folder, forgets it, collects the garbage, and holds the lock all the same until it is killed. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { sqliteIndex } from '../../actors/storage/sqlite-index.ts';
import { OPTIONS } from './sample.ts';

sqliteIndex.openWriter(process.argv[2]!, OPTIONS);
setFlagsFromString('--expose-gc');
runInNewContext('gc()');
process.stdout.write('holding\n');
process.stdin.resume();
