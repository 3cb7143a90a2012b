/**
 * What an actor in a process of its own may reach. It is plain data that grants: what is not named is not
 * there. All of it is checked before anything starts, and an unknown key is a fault, because a misspelt
 * restriction would otherwise be none.
 */
import { lstatSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, normalize, sep } from 'node:path';
import { SpillwayError } from '../errors.ts';

export interface SandboxSpec {
  /**
   * Files and folders, absolute and real (no symbolic link on the way), that may be read with all that lies in
   * or is mounted below them. Nothing in them can be executed or loaded as machine code.
   */
  readonly read?: readonly string[];
  /** The same, that may also be written. What is written there is the child's word: never follow links in it. */
  readonly write?: readonly string[];
  /** `host`: IPv4 and IPv6 as the host has them, its loopback services included. Default `none`. */
  readonly network?: 'none' | 'host';
  /** Whether a system that cannot build the sandbox refuses to start. Default true; if false, see `Confinement`. */
  readonly required?: boolean;
  /** Node's permission model as a second layer. Default true. */
  readonly permissions?: boolean;
  /** The filter of system calls. Default `required`. */
  readonly seccomp?: 'required' | 'if_available';
  /** Whether machine code of node_modules and the actor's folder may be loaded. Default false. */
  readonly allowAddons?: boolean;
  /** Whether it may start processes, each in the same sandbox. Default false. */
  readonly allowProcesses?: boolean;
  /** Size of the private /tmp, which is memory. Default 64 MiB. */
  readonly tmpBytes?: number;
  /** Private writable memory (RLIMIT_DATA), native memory included, and hundreds of MiB that V8 only reserves. Default: no limit. */
  readonly memoryBytes?: number;
  /** Largest file that it may write. Default 1 GiB. */
  readonly fileBytes?: number;
  /** Descriptors open at once. Default 1,024. */
  readonly descriptors?: number;
  /** Threads and processes at once, its own included; without effect for the host's root. Default 512. */
  readonly threads?: number;
}

/** A spec with its defaults, checked. */
export type CheckedSandbox = Required<Omit<SandboxSpec, 'memoryBytes'>> & { readonly memoryBytes: number | undefined };

const MIB = 2 ** 20;
const NUMBERS: Readonly<Record<string, { readonly min: number; readonly max: number; readonly standard?: number }>> = {
  tmpBytes: { min: 2 ** 16, max: 2 ** 40, standard: 64 * MIB },
  // With less, V8 cannot reserve the room for its machine code.
  memoryBytes: { min: 768 * MIB, max: 2 ** 48 },
  fileBytes: { min: 2 ** 12, max: 2 ** 48, standard: 1024 * MIB },
  descriptors: { min: 64, max: 2 ** 20, standard: 1024 },
  threads: { min: 32, max: 2 ** 20, standard: 512 },
};
const FLAGS = ['required', 'permissions', 'allowAddons', 'allowProcesses'];
const WORDS: Readonly<Record<string, readonly string[]>> = { network: ['none', 'host'], seccomp: ['required', 'if_available'] };
const PATHS = ['read', 'write'];
const KEYS = [...PATHS, ...Object.keys(WORDS), ...FLAGS, ...Object.keys(NUMBERS)];

/** More would make the command line of the launcher too long for the system. */
const GRANTS_MAX = 256;
const PATH_LENGTH_MAX = 256;

/** Granting one of these would hand out the host: its processes, devices, kernel. */
const NEVER_GRANTED = ['/proc', '/sys', '/dev'];

/**
 * @throws SpillwayError `sandbox_invalid` with `details.path`, the place in the spec. A grant must exist, must be
 *   absolute and real, and may not lie in another one that can be written: whoever writes there could put a link
 *   in its place for the next start to follow.
 */
export function checkSandbox(spec: unknown): CheckedSandbox {
  if (typeof spec !== 'object' || spec === null || Array.isArray(spec)) throw invalid('sandbox', 'must be an object', spec);
  const given = spec as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(given)) if (!KEYS.includes(key)) throw invalid(`sandbox.${key}`, `is not known; known are ${KEYS.join(', ')}`, given[key]);
  const flag = (key: string, standard: boolean): boolean => {
    const value = given[key] ?? standard;
    if (typeof value !== 'boolean') throw invalid(`sandbox.${key}`, 'must be true or false', value);
    return value;
  };
  const word = (key: string): string => {
    const value = given[key] ?? WORDS[key]![0];
    if (typeof value !== 'string' || !WORDS[key]!.includes(value)) throw invalid(`sandbox.${key}`, `must be one of ${WORDS[key]!.join(', ')}`, value);
    return value;
  };
  const number = (key: string): number | undefined => {
    const { min, max, standard } = NUMBERS[key]!;
    const value = given[key] ?? standard;
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) throw invalid(`sandbox.${key}`, `must be an integer from ${min} to ${max}`, value);
    return value;
  };
  const [read, write] = PATHS.map((key) => checkGrants(key, given[key] ?? []));
  for (const [key, grants] of [['read', read!], ['write', write!]] as const) {
    for (const path of grants) {
      const around = write!.find((folder) => path !== folder && isWithin(path, folder)) ?? (key === 'read' ? write!.find((folder) => folder === path) : undefined);
      if (around !== undefined) throw invalid(`sandbox.${key}`, `must not name what lies in '${around}', which is granted for writing`, path);
    }
  }
  return {
    read: read!,
    write: write!,
    network: word('network') as 'none' | 'host',
    required: flag('required', true),
    permissions: flag('permissions', true),
    seccomp: word('seccomp') as 'required' | 'if_available',
    allowAddons: flag('allowAddons', false),
    allowProcesses: flag('allowProcesses', false),
    tmpBytes: number('tmpBytes')!,
    memoryBytes: number('memoryBytes'),
    fileBytes: number('fileBytes')!,
    descriptors: number('descriptors')!,
    threads: number('threads')!,
  };
}

/** Whether a path is a folder or lies in it; both absolute and normal. */
function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function checkGrants(key: string, value: unknown): string[] {
  const place = `sandbox.${key}`;
  if (!Array.isArray(value)) throw invalid(place, 'must be an array of paths', value);
  if (value.length > GRANTS_MAX) throw invalid(place, `must not name more than ${GRANTS_MAX} paths`, value.length);
  return value.map((path: unknown, index) => {
    checkGrant(`${place}[${index}]`, path);
    return path as string;
  });
}

function checkGrant(place: string, path: unknown): void {
  if (typeof path !== 'string' || !isPlainPath(path)) throw invalid(place, 'must be an absolute path in its shortest form, without control characters', path);
  if (path.length > PATH_LENGTH_MAX) throw invalid(place, `must not be longer than ${PATH_LENGTH_MAX} characters`, path);
  if (path === '/' || NEVER_GRANTED.some((folder) => isWithin(path, folder))) throw invalid(place, "would grant the host's processes, devices or all of its files", path);
  let real: string;
  let isPlain: boolean;
  try {
    real = realpathSync(path);
    const stats = lstatSync(real);
    isPlain = stats.isFile() || stats.isDirectory();
  } catch (cause) {
    throw invalid(place, 'must exist and be reachable', path, cause);
  }
  if (real !== path) throw invalid(place, `must not lead over a symbolic link, which could be changed; name '${real}'`, path);
  if (!isPlain) throw invalid(place, 'must be a file or a folder', path);
}

/** What can stand in a line of the launch plan and means one place only. */
export function isPlainPath(path: string): boolean {
  // eslint-disable-next-line no-control-regex -- they would end the line of the plan
  return isAbsolute(path) && normalize(path) === path && (path === dirname(path) || !path.endsWith(sep)) && !/[\u0000-\u001f\u007f]/.test(path);
}

function invalid(path: string, expected: string, came: unknown, cause?: unknown): SpillwayError {
  const shown = came === undefined ? 'nothing' : (JSON.stringify(came) ?? typeof came).slice(0, 200);
  return new SpillwayError('sandbox_invalid', `${path} ${expected}; it is ${shown}.`, { cause, details: { path } });
}
