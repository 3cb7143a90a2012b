/** The entry file of every bridge thread; bridge-start.ts says what happens. */
import { keepCompiledModules } from '../compile-cache.ts';

keepCompiledModules();
const { startBridge } = await import('./bridge-start.ts');
await startBridge();
