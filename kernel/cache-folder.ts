/** Where Spillway keeps for its user what can be made again: models, compiled modules. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';

/**
 * The user's cache folder for Spillway: `SPILLWAY_CACHE_DIR`, else `XDG_CACHE_HOME/spillway`, else the
 * platform's usual place. It is not created here.
 */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  if (isSet(env['SPILLWAY_CACHE_DIR'])) return resolve(env['SPILLWAY_CACHE_DIR']);
  if (isSet(env['XDG_CACHE_HOME'])) return join(env['XDG_CACHE_HOME'], 'spillway');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'spillway');
  if (platform === 'win32') return join(isSet(env['LOCALAPPDATA']) ? env['LOCALAPPDATA'] : join(homedir(), 'AppData', 'Local'), 'spillway', 'Cache');
  return join(homedir(), '.cache', 'spillway');
}

/** An empty variable counts as unset, as the XDG base directory specification asks. */
function isSet(value: string | undefined): value is string {
  return value !== undefined && value !== '';
}
