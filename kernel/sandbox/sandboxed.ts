/**
 * Turns the command line of a process into one that runs it in a sandbox. Whoever starts processes calls this
 * one function and starts what it returns: stdio and the descriptors passed on are the command's own, the exit
 * code and signal too, and SIGTERM, SIGINT, SIGHUP, SIGQUIT and SIGUSR2 reach it. What a launcher cannot pass
 * on has to name the right process: killSandboxed for SIGKILL, sandboxedPid for SIGSTOP.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { SpillwayError } from '../errors.ts';
import { binaryPaths, libraryFolders, modulePaths, packagePaths, type ShownPath } from './code-paths.ts';
import { launchPlanText, LET_WRITE, SHOW_CODE, SHOW_DATA, type Mount } from './launch-plan.ts';
import { LAUNCHER_SCRIPT } from './launcher-script.ts';
import { permissionFlags } from './node-permissions.ts';
import { checkSandbox, isPlainPath, type CheckedSandbox, type SandboxSpec } from './sandbox-spec.ts';
import { lacking, probeSandbox, sandboxUnavailable, type SandboxSupport } from './sandbox-support.ts';
import { seccompFilter } from './seccomp-filter.ts';
import type { Architecture } from './system-calls.ts';

export interface SandboxedCommand {
  /** Absolute path of a binary. */
  readonly command: string;
  readonly args: readonly string[];
  /** All that the command sees of the environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Descriptors beyond 0, 1 and 2 that it keeps, by their numbers in the child. All others are closed. One of a
   * file grants that file for all that its user may do with it: /proc/self/fd opens it anew, also for writing.
   */
  readonly fds?: readonly number[];
  /** Modules that it imports: the folder of each is shown, read-only, with the node_modules above it. */
  readonly modules?: readonly string[];
  /** Where it runs; a path that is there inside. Default `/`. */
  readonly cwd?: string;
  /** Whether the command is Node, which takes the flags of the permission model. Default true. */
  readonly isNode?: boolean;
}

/** What holds the command, in the end. */
export interface Confinement {
  /** Whether the system's sandbox is around it. False only for a spec with `required: false` on a system without. */
  readonly system: boolean;
  readonly seccomp: boolean;
  readonly permissions: boolean;
}

export interface SandboxedLaunch {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
  readonly confinement: Confinement;
}

/** They would act on the launcher or put code of somebody's choice in front of the command's own. */
const NOT_PASSED_ON = /^(?:LD_|PERL|GLIBC_TUNABLES$|NODE_OPTIONS$|NODE_PATH$|NODE_REPL_EXTERNAL_MODULE$|OPENSSL_CONF$)/;

/** What the C library reads to find hosts, where the network is granted. */
const NETWORK_FILES = ['/etc/resolv.conf', '/etc/hosts', '/etc/nsswitch.conf', '/etc/services', '/etc/ssl/certs'];

/**
 * The process that calls this must be the one that starts what it returns, and without a shell in between: the
 * launcher dies with the thread that started it.
 *
 * @param support what the system has; a test gives another one
 * @throws SpillwayError `sandbox_invalid`, or `sandbox_unavailable` if the spec requires what the system lacks
 */
export function sandboxed(spec: SandboxSpec, target: SandboxedCommand, support: SandboxSupport = probeSandbox()): SandboxedLaunch {
  const checked = checkSandbox(spec);
  const isNode = target.isNode ?? true;
  checkTarget(target);
  const env = passedOn(target.env);
  const mounts = shownMounts(checked, target);
  const flags = isNode && checked.permissions ? permissionFlags(checked, mounts.map((mount) => mount.target)) : [];
  const args = [...flags, ...target.args];
  const permissions = flags.length > 0;
  const lacks = lacking(support, checked.seccomp === 'required');
  if (lacks.length > 0 || support.architecture === undefined) {
    if (checked.required) throw sandboxUnavailable(support, lacks);
    return { command: target.command, args, env, confinement: { system: false, seccomp: false, permissions } };
  }
  const filter = support.works.includes('seccomp') ? filterFor(checked, support.architecture) : undefined;
  const plan = launchPlanText({
    ...checked,
    architecture: support.architecture,
    mounts,
    fds: target.fds ?? [],
    filter,
    hasProc: support.works.includes('own_proc'),
    cwd: target.cwd ?? '/',
    parentPid: process.pid,
  });
  return {
    command: support.perl,
    args: ['-f', '-e', LAUNCHER_SCRIPT, '--', plan, target.command, ...args],
    env,
    confinement: { system: true, seccomp: filter !== undefined, permissions },
  };
}

/**
 * The process inside, for those who measure or stop it: the launcher's own number is that of the process that
 * waits. Undefined while it has not started yet, has ended, or the kernel does not list children.
 */
export function sandboxedPid(launcherPid: number): number | undefined {
  const init = firstChild(launcherPid);
  return init === undefined ? undefined : firstChild(init);
}

/**
 * Ends it and all that it has started, at once and before the launcher's exit is seen. (A launcher that is killed
 * itself takes them along too, but its exit may be seen a moment before their end.)
 */
export function killSandboxed(launcherPid: number): void {
  try {
    process.kill(firstChild(launcherPid) ?? launcherPid, 'SIGKILL');
  } catch (error) {
    // It has ended already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function firstChild(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
    return children === '' ? undefined : Number(children.split(' ')[0]);
  } catch {
    return undefined;
  }
}

function filterFor(spec: CheckedSandbox, architecture: Architecture): Buffer {
  return seccompFilter({ architecture, network: spec.network === 'host', processes: spec.allowProcesses, addons: spec.allowAddons });
}

/** Code, then grants, which win where both name a place, then the binary, which must stay executable. */
function shownMounts(spec: CheckedSandbox, target: SandboxedCommand): Mount[] {
  const as = (attributes: number, paths: readonly ShownPath[]): Mount[] => paths.map((path) => ({ ...path, attributes }));
  const granted = (attributes: number, paths: readonly string[]): Mount[] => paths.map((path) => ({ source: path, target: path, attributes }));
  const ofCode = spec.allowAddons ? SHOW_CODE : SHOW_DATA;
  const network = spec.network === 'host' ? NETWORK_FILES.filter((path) => existsSync(path)) : [];
  return [
    ...(target.isNode === false ? [] : as(ofCode, packagePaths())),
    ...(target.modules ?? []).flatMap((path) => as(ofCode, modulePaths(path))),
    ...network.map((path): Mount => ({ source: realpathSync(path), target: path, attributes: SHOW_DATA })),
    ...granted(SHOW_DATA, spec.read),
    ...granted(LET_WRITE, spec.write),
    ...(spec.allowAddons ? as(SHOW_CODE, libraryFolders(target.command)) : []),
    ...as(SHOW_CODE, binaryPaths(target.command)),
  ];
}

function passedOn(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && !NOT_PASSED_ON.test(entry[0]));
  return Object.fromEntries(kept);
}

/** A programmer's errors: what is given here comes from the runtime, not from a spec. */
function checkTarget({ command, fds = [], modules = [], cwd = '/' }: SandboxedCommand): void {
  for (const path of [command, cwd, ...modules]) if (!isAbsolute(path) || !isPlainPath(path)) throw new TypeError(`'${path}' must be an absolute path in its shortest form.`);
  for (const fd of fds) if (!Number.isInteger(fd) || fd < 3) throw new TypeError(`A descriptor to pass on is a number from 3, not ${fd}.`);
  if (!existsSync(command)) throw new SpillwayError('sandbox_invalid', `The command '${command}' does not exist.`, { details: { path: 'command' } });
}
