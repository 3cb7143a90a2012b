/** The first file that a thread runs which stands by. */
import { keepCompiledModules } from './compile-cache.ts';

keepCompiledModules();
const { standBy } = await import('./standby-thread.ts');
await standBy();
