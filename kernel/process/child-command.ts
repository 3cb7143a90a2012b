/** The command line of an actor's process, and what stands in front of it so that it never outlives its bridge. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { siblingModule } from '../thread-boot.ts';
import type { HeapLimits } from '../worker.ts';
import { INPUT_DESCRIPTOR, OUTPUT_DESCRIPTOR, PAGE_DESCRIPTOR } from './descriptors.ts';
import type { ProcessSpec } from './process-spec.ts';

/** What a sandbox has to know of the command that it wraps. */
export interface ChildCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** Of Node's options, those that say which files a name stands for. */
const RESOLUTION = /^(?:--conditions=|-C=|--experimental-strip-types$|--preserve-symlinks)/;
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

/** Starts the process. @param page descriptor of its page @throws SpillwayError what the sandbox refuses with */
export async function launch(spec: ProcessSpec, heap: HeapLimits, page: number): Promise<ChildProcess> {
  const { sandbox, env = {}, cwd } = spec;
  const plain = nodeCommand(spec.entry ?? siblingModule('child-entry', import.meta.url), heap);
  const boxed = sandbox === undefined ? plain : await boxedCommand(sandbox, plain);
  const { command, args } = boundToParent(boxed);
  return spawn(command, args, {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', page, 'pipe'],
    env: { ...compileCache(), ...env },
    // A group of its own: an interrupt at the terminal is for the application, who stops its actors in order.
    detached: true,
    ...(cwd === undefined ? {} : { cwd }),
  });
}

function nodeCommand(entry: string, { maxOldGenerationSizeMb, maxYoungGenerationSizeMb }: HeapLimits): ChildCommand {
  const limits = [
    ...(maxOldGenerationSizeMb === undefined ? [] : [`--max-old-space-size=${maxOldGenerationSizeMb}`]),
    // Three semi-spaces make the young generation.
    ...(maxYoungGenerationSizeMb === undefined ? [] : [`--max-semi-space-size=${Math.max(1, Math.floor(maxYoungGenerationSizeMb / 3))}`]),
  ];
  const resolution = process.execArgv.filter((option) => RESOLUTION.test(option));
  return { command: process.execPath, args: [...resolution, ...limits, fileURLToPath(entry)] };
}

async function boxedCommand(sandbox: NonNullable<ProcessSpec['sandbox']>, plain: ChildCommand): Promise<ChildCommand> {
  const { commandFor } = await import('../sandbox/index.ts');
  return commandFor(sandbox, { ...plain, fds: [OUTPUT_DESCRIPTOR, PAGE_DESCRIPTOR, INPUT_DESCRIPTOR] });
}

/**
 * The system kills such a process with the thread that has started it, however that ends. Where it cannot, the
 * process ends when its socket does, unless it hangs.
 */
function boundToParent(child: ChildCommand): ChildCommand {
  const setpriv = SETPRIV.find((path) => existsSync(path));
  if (setpriv === undefined || !bindsToParent(setpriv)) return child;
  return { command: setpriv, args: ['--pdeathsig', 'KILL', '--', child.command, ...child.args] };
}

/** Not every setpriv knows the option. */
function bindsToParent(setpriv: string): boolean {
  return spawnSync(setpriv, ['--pdeathsig', 'KILL', '--', 'true'], { stdio: 'ignore', timeout: 1_000 }).status === 0;
}

/** The one thing of the parent's environment that changes nothing but how fast the process starts. */
function compileCache(): Record<string, string> {
  const folder = process.env['NODE_COMPILE_CACHE'];
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
}
