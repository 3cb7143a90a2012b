/** The first file that a thread runs which stands by. */
import { standBy } from './standby-thread.ts';

await standBy();
