/** The first file that every worker thread of the system runs. */
import { keepCompiledModules } from './compile-cache.ts';

keepCompiledModules();
const { startThread } = await import('./thread-start.ts');
await startThread();
