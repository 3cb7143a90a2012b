/**
 * Has Node keep the compiled modules of threads and processes on disk, where a later start finds them: most of a
 * restart is the loading of modules. Each entry file calls this before it imports anything else.
 *
 * Node keeps them in a folder of its own for each user below the system's temporary folder; NODE_COMPILE_CACHE
 * names another one, and NODE_DISABLE_COMPILE_CACHE=1 turns it off.
 */
import { enableCompileCache } from 'node:module';

export function keepCompiledModules(): void {
  // Where the folder cannot be written, Node says so in what it returns, and goes on without.
  enableCompileCache();
}
