/**
 * Which parts of a sandbox this system has, found by trying each of them. Asked once, when the first
 * sandboxed actor is started; a system without them is told of by name, with what to do.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { SpillwayError } from '../errors.ts';
import { PROBE_SCRIPT, probeArguments } from './probe-script.ts';
import { hostArchitecture, type Architecture } from './system-calls.ts';

/** What there is to find, and what to do where it is missing. */
const MECHANISMS = {
  linux: 'The sandbox needs Linux on x64 or arm64.',
  perl: 'Install the package perl-base; the sandbox is built by /usr/bin/perl.',
  user_namespace: 'Permit user namespaces: raise the sysctl user.max_user_namespaces, set kernel.unprivileged_userns_clone=1 where it exists, and in a container permit unshare in its seccomp profile.',
  mount_namespace: 'Permit mounts in user namespaces: on Ubuntu set the sysctl kernel.apparmor_restrict_unprivileged_userns=0 or give perl an AppArmor profile with userns.',
  pid_namespace: 'Permit pid namespaces (sysctl user.max_pid_namespaces).',
  network_namespace: 'Permit network namespaces (sysctl user.max_net_namespaces).',
  ipc_namespace: 'Permit ipc namespaces (sysctl user.max_ipc_namespaces).',
  uts_namespace: 'Permit uts namespaces (sysctl user.max_uts_namespaces).',
  cgroup_namespace: 'Permit cgroup namespaces (sysctl user.max_cgroup_namespaces).',
  nested_namespaces_off: 'Mount /proc writable for the process that starts the sandbox.',
  mount_attributes: 'Use Linux 5.12 or newer, which has mount_setattr.',
  close_range: 'Use Linux 5.9 or newer, which has close_range.',
  no_new_privs: 'Use a kernel that has PR_SET_NO_NEW_PRIVS.',
  seccomp: "Use a kernel with CONFIG_SECCOMP_FILTER, or set the sandbox's `seccomp` to 'if_available'.",
  own_proc: 'In a container, let /proc be fully visible (no masked paths). Without it the sandbox has no /proc, which is permitted.',
} as const;

export type SandboxMechanism = keyof typeof MECHANISMS;

/** Without these a sandbox still confines: the filter as its spec says, and no /proc instead of its own. */
const NOT_NEEDED: ReadonlySet<SandboxMechanism> = new Set(['seccomp', 'own_proc']);

export interface SandboxSupport {
  /** What works. */
  readonly works: readonly SandboxMechanism[];
  /** What does not, with the system's reason. */
  readonly missing: Readonly<Partial<Record<SandboxMechanism, string>>>;
  readonly architecture: Architecture | undefined;
  /** The interpreter that runs the launcher. */
  readonly perl: string;
}

const PERL = '/usr/bin/perl';

/** The questions together take tens of milliseconds; a system that takes this long has its reasons. */
const PROBE_DEADLINE_MS = 10_000;

let found: SandboxSupport | undefined;

/** Looks once; later calls give what was found. */
export function probeSandbox(): SandboxSupport {
  return (found ??= askSystem(PERL));
}

/** @param perl where the interpreter is; a test names one that is not there, or fails */
export function askSystem(perl: string): SandboxSupport {
  const architecture = process.platform === 'linux' ? hostArchitecture() : undefined;
  const answers = new Map<string, string>();
  if (architecture === undefined) answers.set('linux', `this is ${process.platform} on ${process.arch}`);
  else {
    answers.set('linux', '');
    answers.set('perl', existsSync(perl) ? '' : `there is no ${perl}`);
    const asked = spawnSync(perl, ['-f', '-e', PROBE_SCRIPT, '--', ...probeArguments(architecture)], { encoding: 'utf8', env: {}, timeout: PROBE_DEADLINE_MS });
    if (asked.status !== 0 && answers.get('perl') === '') answers.set('perl', `${perl} failed: ${asked.error?.message ?? (asked.stderr.trim() || `exit code ${asked.status}`)}`);
    for (const line of (asked.stdout ?? '').split('\n')) {
      const [name, reason] = line.split('\t');
      if (name !== undefined && reason !== undefined) answers.set(name, reason);
    }
  }
  const works: SandboxMechanism[] = [];
  const missing: Partial<Record<SandboxMechanism, string>> = {};
  for (const mechanism of Object.keys(MECHANISMS) as SandboxMechanism[]) {
    const reason = answers.get(mechanism) ?? 'not tried';
    if (reason === '') works.push(mechanism);
    else missing[mechanism] = reason;
  }
  return { works, missing, architecture, perl };
}

/** What a sandbox with or without the filter cannot do without, and this system lacks. */
export function lacking(support: SandboxSupport, needsSeccomp: boolean): SandboxMechanism[] {
  return (Object.keys(support.missing) as SandboxMechanism[]).filter((mechanism) => (mechanism === 'seccomp' && needsSeccomp) || !NOT_NEEDED.has(mechanism));
}

/** The refusal, which names all that is missing. What was not tried, because something before it failed, is left out. */
export function sandboxUnavailable(support: SandboxSupport, lacks: readonly SandboxMechanism[]): SpillwayError {
  const tried = lacks.filter((mechanism) => support.missing[mechanism] !== 'not tried');
  const named = tried.map((mechanism) => `${mechanism} (${support.missing[mechanism]}): ${MECHANISMS[mechanism]}`).join(' ');
  return new SpillwayError('sandbox_unavailable', `The actor requires a sandbox, and this system cannot build one. Nothing was started. Missing: ${named}`, {
    details: { missing: tried },
  });
}
