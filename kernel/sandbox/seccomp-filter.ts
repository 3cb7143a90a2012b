/**
 * The filter of system calls that a sandboxed process lives under: a program of classic BPF, as seccomp(2)
 * takes it, which the kernel runs before every call.
 *
 * It refuses what no Node process needs and what kernel exploits begin with, answers ENOSYS for calls newer
 * than the list, and ends a process that calls by another architecture's numbers. It is a list of refusals
 * and not of permissions: Node, V8 and native add-ons use hundreds of calls, and one forgotten would be a
 * crash in production. The namespaces decide what is reachable; the filter makes the way to the kernel
 * narrower, and closes what a namespace leaves open: sockets by path in granted folders, io_uring, new
 * namespaces, other processes.
 */
import { NEWEST_SYSTEM_CALL, systemCallNumber, type Architecture, type SystemCall } from './system-calls.ts';

export interface FilterOptions {
  readonly architecture: Architecture;
  /** Sockets of the Internet families. */
  readonly network: boolean;
  /** Child processes, which live under the same filter. */
  readonly processes: boolean;
  /** Machine code of files that only exist in memory. */
  readonly addons: boolean;
}

const ALWAYS_REFUSED: readonly SystemCall[] = [
  // Other processes, and their memory and descriptors.
  'ptrace', 'process_vm_readv', 'process_vm_writev', 'process_madvise', 'pidfd_getfd', 'kcmp', 'move_pages', 'migrate_pages',
  // Mounts, roots, namespaces, files by handle.
  'mount', 'umount2', 'pivot_root', 'chroot', 'move_mount', 'open_tree', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'mount_setattr',
  'unshare', 'setns', 'open_by_handle_at', 'name_to_handle_at', 'mknod', 'mknodat', 'execveat',
  // Where exploits of the kernel begin.
  'bpf', 'perf_event_open', 'userfaultfd', 'io_uring_setup', 'io_uring_enter', 'io_uring_register', 'add_key', 'request_key', 'keyctl',
  'fanotify_init', 'fanotify_mark', 'vmsplice', 'modify_ldt', 'iopl', 'ioperm', 'personality', 'lookup_dcookie', 'memfd_secret',
  // The machine.
  'kexec_load', 'kexec_file_load', 'init_module', 'finit_module', 'delete_module', 'reboot', 'swapon', 'swapoff', 'acct', 'quotactl', 'quotactl_fd',
  'settimeofday', 'clock_settime', 'clock_adjtime', 'adjtimex', 'sethostname', 'setdomainname', 'syslog', 'vhangup', 'uselib', 'ustat', 'sysfs',
  // Memory and queues with names.
  'shmget', 'semget', 'msgget', 'mq_open',
];

const SOCKETS: readonly SystemCall[] = ['socket', 'connect', 'bind', 'listen', 'accept', 'accept4'];

const EPERM = 1;
const EACCES = 13;
const ENOSYS = 38;

const ALLOW = 0x7fff_0000;
const REFUSE = 0x0005_0000;
const END_PROCESS = 0x8000_0000;

/** Instructions of linux/bpf_common.h. */
const LOAD = 0x20;
const IF_EQUAL = 0x15;
const IF_ABOVE = 0x25;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;
const RETURN = 0x06;

/** Offsets in struct seccomp_data; of an argument only the lower half is looked at, which is first in memory. */
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const argumentAt = (index: number): number => 16 + index * 8;

const AUDIT_NAME: Readonly<Record<Architecture, number>> = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
/** Numbers from here on are the x32 variant of the same calls. */
const X32 = 0x4000_0000;
const NEW_NAMESPACE = 0x7e02_0080;
const CLONE_THREAD = 0x0001_0000;
/** TIOCSTI and TIOCLINUX type into the terminal that the process was started from. */
const TERMINAL_REQUESTS = [0x5412, 0x541c];
/** IPv4, IPv6, and netlink, by which the C library asks for addresses. */
const INTERNET_FAMILIES = [2, 10, 16];

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/** @returns the program, 8 bytes an instruction, in the byte order of both architectures (little-endian) */
export function seccompFilter({ architecture, network, processes, addons }: FilterOptions): Buffer {
  const program: Instruction[] = [];
  const refuse = (error: number): Instruction => [RETURN, 0, 0, REFUSE | error];
  const number = (call: SystemCall): number => systemCallNumber(call, architecture);
  const refuseCall = (call: SystemCall, error: number): void => {
    if (number(call) !== -1) program.push([IF_EQUAL, 0, 1, number(call)], refuse(error));
  };
  /** Runs `checks` for one call, and allows the call if none of them has returned. */
  const check = (call: SystemCall, checks: readonly Instruction[]): void => {
    program.push([IF_EQUAL, 0, checks.length + 1, number(call)], ...checks, [RETURN, 0, 0, ALLOW]);
  };

  program.push([LOAD, 0, 0, ARCHITECTURE_AT], [IF_EQUAL, 1, 0, AUDIT_NAME[architecture]], [RETURN, 0, 0, END_PROCESS]);
  program.push([LOAD, 0, 0, NUMBER_AT], [IF_AT_LEAST, 0, 1, X32], [RETURN, 0, 0, END_PROCESS]);
  program.push([IF_ABOVE, 0, 1, NEWEST_SYSTEM_CALL], refuse(ENOSYS));
  for (const call of ALWAYS_REFUSED) refuseCall(call, EPERM);
  if (!addons) refuseCall('memfd_create', EPERM);
  // Its flags lie in memory, where a filter cannot look. Without it the C library uses clone.
  refuseCall('clone3', ENOSYS);
  if (!processes) {
    for (const call of ['fork', 'vfork'] as const) refuseCall(call, EPERM);
    // The pipes to a child process are pairs of sockets, and nothing else here uses any.
    refuseCall('socketpair', EACCES);
  }
  const needsThread: Instruction[] = processes ? [] : [[IF_ANY_BIT, 1, 0, CLONE_THREAD], refuse(EPERM)];
  check('clone', [[LOAD, 0, 0, argumentAt(0)], [IF_ANY_BIT, 0, 1, NEW_NAMESPACE], refuse(EPERM), ...needsThread]);
  check('ioctl', [[LOAD, 0, 0, argumentAt(1)], ...TERMINAL_REQUESTS.flatMap((request): Instruction[] => [[IF_EQUAL, 0, 1, request], refuse(EPERM)])]);
  if (network) {
    const families = INTERNET_FAMILIES.map((family, index): Instruction => [IF_EQUAL, INTERNET_FAMILIES.length - index, 0, family]);
    check('socket', [[LOAD, 0, 0, argumentAt(0)], ...families, refuse(EACCES)]);
  } else {
    for (const call of SOCKETS) refuseCall(call, EACCES);
  }
  program.push([RETURN, 0, 0, ALLOW]);
  return encode(program);
}

function encode(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, ifTrue, ifFalse, value], index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4);
  });
  return bytes;
}
