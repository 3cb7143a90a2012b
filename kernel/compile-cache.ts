/**
 * Has Node keep the compiled modules of threads and processes on disk, where a later start finds them: most of a
 * restart is the loading of modules. Each entry file calls this before it imports anything else.
 *
 * What lies there is run, so it must lie where nobody else writes: in the user's cache folder, and not below the
 * system's temporary folder, as Node would have it. NODE_COMPILE_CACHE names another place, and
 * NODE_DISABLE_COMPILE_CACHE=1 turns it off.
 */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { cacheFolder } from './cache-folder.ts';

export function keepCompiledModules(): void {
  // Where the folder cannot be written, Node says so in what it returns, and goes on without.
  enableCompileCache(join(cacheFolder(), 'compiled'));
}
