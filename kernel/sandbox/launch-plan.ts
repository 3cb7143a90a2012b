/**
 * What the launcher is told, in its own words: lines of fields between tabs. The order of the mounts is the
 * plan's business: a folder before what lies in it, and a grant after the code that it may overlap, so that
 * what is granted wins.
 */
import type { ShownPath } from './code-paths.ts';
import { systemCallNumber, type Architecture, type SystemCall } from './system-calls.ts';

/** Attributes of mount_setattr(2). */
const READ_ONLY = 1;
const NO_SETUID = 2;
const NO_DEVICES = 4;
const NO_EXEC = 8;

export const SHOW_CODE = READ_ONLY | NO_SETUID | NO_DEVICES;
export const SHOW_DATA = SHOW_CODE | NO_EXEC;
export const LET_WRITE = NO_SETUID | NO_DEVICES | NO_EXEC;
const SHOW_DEVICE = NO_SETUID | NO_EXEC;

export interface Mount extends ShownPath {
  readonly attributes: number;
}

export interface LaunchPlan {
  readonly architecture: Architecture;
  readonly mounts: readonly Mount[];
  readonly network: 'none' | 'host';
  /** Descriptors beyond 0, 1 and 2 that the command keeps. */
  readonly fds: readonly number[];
  readonly filter: Buffer | undefined;
  readonly hasProc: boolean;
  readonly cwd: string;
  readonly tmpBytes: number;
  readonly fileBytes: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly memoryBytes: number | undefined;
  /** Of the process that will start the launcher. */
  readonly parentPid: number;
}

const CALLS: readonly SystemCall[] = [
  'unshare', 'prctl', 'capset', 'seccomp', 'mount', 'umount2', 'pivot_root', 'openat2', 'open_tree', 'mount_setattr', 'move_mount', 'close_range',
  'prlimit64', 'rt_sigprocmask', 'setsid', 'sethostname', 'keyctl',
];

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];

/** Numbers of the resources of setrlimit(2). */
const RLIMIT = { fileSize: 1, data: 2, core: 4, threads: 6, descriptors: 7, lockedMemory: 8, queues: 12 };
const LOCKED_MEMORY_BYTES = 64 * 1024;

/** Nobody inside is root, not even the host's root: with another number he gains nothing by executing a file. */
const NOBODY = 65_534;

export function launchPlanText(plan: LaunchPlan): string {
  const inside = (id: number): number => (id === 0 ? NOBODY : id);
  const devices = DEVICES.map((name): Mount => ({ source: `/dev/${name}`, target: `/dev/${name}`, attributes: SHOW_DEVICE }));
  const limits: [number, number][] = [
    [RLIMIT.core, 0],
    [RLIMIT.fileSize, plan.fileBytes],
    [RLIMIT.threads, plan.threads],
    [RLIMIT.descriptors, plan.descriptors],
    [RLIMIT.lockedMemory, LOCKED_MEMORY_BYTES],
    [RLIMIT.queues, 0],
  ];
  if (plan.memoryBytes !== undefined) limits.push([RLIMIT.data, plan.memoryBytes]);
  const lines: (string | number)[][] = [
    ...CALLS.map((call) => ['sys', call, systemCallNumber(call, plan.architecture)]),
    ['parent', plan.parentPid],
    ['uid', inside(process.getuid!())],
    ['gid', inside(process.getgid!())],
    ['net', plan.network],
    ['fds', plan.fds.join(',')],
    ['filter', plan.filter?.toString('hex') ?? ''],
    ['proc', plan.hasProc ? 'own' : 'none'],
    ['cwd', plan.cwd],
    ['tmp', plan.tmpBytes],
    ...limits.map(([resource, value]) => ['limit', resource, value]),
    ...[...devices, ...inOrder(plan.mounts)].map(({ attributes, source, target }) => ['bind', attributes, source, target]),
  ];
  return lines.map((fields) => fields.join('\t')).join('\n');
}

/** One mount for each target, the last named; a folder comes before what lies in it because its name is shorter. */
function inOrder(mounts: readonly Mount[]): Mount[] {
  const byTarget = new Map(mounts.map((mount) => [mount.target, mount]));
  return [...byTarget.values()].toSorted((a, b) => a.target.length - b.target.length);
}
