/** The command line of an actor's process, and what stands in front of it so that it never outlives its bridge. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ActorSource } from '../actor-source.ts';
import type { SandboxSpec, SandboxSupport } from '../sandbox/index.ts';
import { siblingModule } from '../thread-boot.ts';
import type { HeapLimits } from '../worker.ts';
import { INPUT_DESCRIPTOR, OUTPUT_DESCRIPTOR, PAGE_DESCRIPTOR } from './descriptors.ts';
import { LaunchedProcess } from './launched-process.ts';
import type { ProcessSpec } from './process-spec.ts';

interface ChildCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
}

interface BoxedCommand extends ChildCommand {
  /** Of what the system's sandbox is around. */
  readonly killInside?: (pid: number) => void;
  readonly support: SandboxSupport;
}

export interface LaunchOptions {
  readonly process: ProcessSpec;
  readonly heap: HeapLimits;
  readonly source: ActorSource;
  /** Descriptor of its page. */
  readonly page: number;
  /** What the system has for a sandbox, as a former launch has found it. */
  readonly support?: SandboxSupport | undefined;
}

export interface Launch {
  readonly launched: LaunchedProcess;
  /** Of a launch with a sandbox. */
  readonly support?: SandboxSupport;
}

/** Of Node's options, those that say which files a name stands for. */
const RESOLUTION = /^(?:--conditions=|-C=|--experimental-strip-types$|--preserve-symlinks)/;
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'];

/**
 * Starts the process.
 * @throws SpillwayError `sandbox_invalid`, `sandbox_unavailable`
 */
export async function launch({ process: spec, heap, source, page, support }: LaunchOptions): Promise<Launch> {
  const { sandbox, cwd, env: given = {} } = spec;
  const entry = spec.entry ?? siblingModule('child-entry', import.meta.url);
  const env = { ...compileCache(sandbox), ...given };
  const plain: ChildCommand = { ...nodeCommand(entry, heap), env };
  const boxed = sandbox === undefined ? undefined : await commandInBox(sandbox, plain, [entry, source.module], cwd, support);
  const command = boxed ?? boundToParent(plain);
  const child = spawn(command.command, command.args, {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', page, 'pipe'],
    env: command.env,
    // A group of its own: an interrupt at the terminal is for the application, who stops its actors in order.
    detached: true,
    // In a sandbox it is a path there, to which the sandbox goes.
    ...(cwd === undefined || sandbox !== undefined ? {} : { cwd }),
  });
  return { launched: new LaunchedProcess(child, boxed?.killInside), ...(boxed === undefined ? {} : { support: boxed.support }) };
}

function nodeCommand(entry: string, { maxOldGenerationSizeMb, maxYoungGenerationSizeMb }: HeapLimits): Omit<ChildCommand, 'env'> {
  const limits = [
    ...(maxOldGenerationSizeMb === undefined ? [] : [`--max-old-space-size=${maxOldGenerationSizeMb}`]),
    // Three semi-spaces make the young generation.
    ...(maxYoungGenerationSizeMb === undefined ? [] : [`--max-semi-space-size=${Math.max(1, Math.floor(maxYoungGenerationSizeMb / 3))}`]),
  ];
  const resolution = process.execArgv.filter((option) => RESOLUTION.test(option));
  return { command: process.execPath, args: [...resolution, ...limits, fileURLToPath(entry)] };
}

/** @param modules URLs of what it imports */
async function commandInBox(sandbox: SandboxSpec, plain: ChildCommand, modules: readonly string[], cwd: string | undefined, known: SandboxSupport | undefined): Promise<BoxedCommand> {
  const { killSandboxed, probeSandbox, sandboxed } = await import('../sandbox/index.ts');
  const support = known ?? probeSandbox();
  const target = {
    ...plain,
    fds: [OUTPUT_DESCRIPTOR, PAGE_DESCRIPTOR, INPUT_DESCRIPTOR],
    modules: modules.map((url) => fileURLToPath(url)),
    ...(cwd === undefined ? {} : { cwd }),
  };
  const launched = sandboxed(sandbox, target, support);
  // The launcher of a sandbox binds itself, and must be what is started.
  return launched.confinement.system ? { ...launched, killInside: killSandboxed, support } : { ...boundToParent(launched), support };
}

/**
 * The system kills such a process with the thread that has started it, however that ends. Where it cannot, the
 * process ends when its socket does, unless it hangs.
 */
function boundToParent(child: ChildCommand): ChildCommand {
  const setpriv = SETPRIV.find(bindsToParent);
  if (setpriv === undefined) return child;
  return { ...child, command: setpriv, args: ['--pdeathsig', 'KILL', '--', child.command, ...child.args] };
}

/** Not every setpriv knows the option. To ask it costs as much as to start it; its text is small. */
function bindsToParent(path: string): boolean {
  return existsSync(path) && readFileSync(path).includes('pdeathsig');
}

/**
 * Most of a start is the loading of modules, so the process is told where the compiled ones of this thread are. A
 * sandbox does not show them: what is in there is run by others, and could be written by it.
 */
function compileCache(sandbox: SandboxSpec | undefined): Record<string, string> {
  // Node makes a folder for its own version in the one that it is given.
  const folder = sandbox === undefined ? getCompileCacheDir() : undefined;
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: dirname(folder) };
}
