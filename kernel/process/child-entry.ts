/** The entry file of every actor's process; child-start.ts says what happens. */
import { startProcess } from './child-start.ts';

await startProcess();
