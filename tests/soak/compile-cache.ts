/**
 * Keeps compiled modules for the threads and processes that this one starts: a life of an actor else compiles
 * all of its modules, which from TypeScript takes longer than everything else about it. Import it first.
 */
import { enableCompileCache } from 'node:module';

const { directory } = enableCompileCache();
if (directory !== undefined) process.env['NODE_COMPILE_CACHE'] ??= directory;
