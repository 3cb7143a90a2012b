/** The first file that every worker thread of the system runs. */
import { startThread } from './thread-start.ts';

await startThread();
