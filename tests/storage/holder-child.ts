/** Opens the writer of the given index folder and holds it until it is killed. */
import { sqliteIndex } from '../../actors/storage/sqlite-index.ts';
import { OPTIONS } from './sample.ts';

sqliteIndex.openWriter(process.argv[2]!, OPTIONS);
process.stdout.write('holding\n');
process.stdin.resume();
