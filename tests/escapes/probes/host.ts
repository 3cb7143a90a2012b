/** The host through /proc, /sys and /dev, its shared memory, and what leaked into the child. */
import fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { evidence, type Probe } from '../probe.ts';

const open = (path: string, flags: string): string => {
  fs.closeSync(fs.openSync(path, flags));
  return `opened ${path}`;
};

export const HOST_PROBES: readonly Probe[] = [
  { name: "outside by /proc/self/root", expected: 'denied', run: ({ outside }) => fs.readFileSync(`/proc/self/root${outside}/secret.txt`, 'utf8') },
  { name: "outside by its parent's root", expected: 'denied', run: ({ outside }) => fs.readFileSync(`/proc/${process.ppid}/root${outside}/secret.txt`, 'utf8') },
  { name: 'outside by /proc/self/cwd', expected: 'denied', run: ({ outside }) => fs.readFileSync(`/proc/self/cwd${'/..'.repeat(20)}${outside}/secret.txt`, 'utf8') },
  { name: "list the host's processes", expected: 'denied', run: ({ victimPid }) => evidence(fs.readdirSync('/proc').includes(String(victimPid)), 'the victim') },
  { name: "another process's environment", expected: 'denied', run: ({ victimPid, secret }) => evidence(fs.readFileSync(`/proc/${victimPid}/environ`, 'utf8').includes(secret), secret) },
  { name: "another process's command line", expected: 'denied', run: ({ victimPid }) => fs.readFileSync(`/proc/${victimPid}/cmdline`, 'utf8').slice(0, 20) },
  { name: "another process's root", expected: 'denied', run: ({ victimPid, outside }) => fs.readFileSync(`/proc/${victimPid}/root${outside}/secret.txt`, 'utf8') },
  { name: "another process's memory", expected: 'denied', run: ({ victimPid }) => open(`/proc/${victimPid}/mem`, 'r+') },
  { name: "another process's descriptors", expected: 'denied', run: ({ victimPid }) => `${fs.readdirSync(`/proc/${victimPid}/fd`).length} descriptors` },
  { name: "the parent's environment", expected: 'denied', run: () => `${fs.readFileSync(`/proc/${process.ppid}/environ`).length} bytes` },
  { name: "the parent's memory", expected: 'denied', run: () => open(`/proc/${process.ppid}/mem`, 'r+') },
  { name: "the parent's command line, which holds the plan", expected: 'denied', run: () => fs.readFileSync(`/proc/${process.ppid}/cmdline`, 'utf8').slice(0, 20) },
  { name: 'read /proc/sys', expected: 'denied', run: () => fs.readFileSync('/proc/sys/kernel/hostname', 'utf8') },
  { name: 'write /proc/sys', expected: 'denied', rootOnly: true, run: () => open('/proc/sys/kernel/core_pattern', 'r+') },
  { name: "learn where the kernel's code lies", expected: 'denied', rootOnly: true, run: () => open('/proc/kallsyms', 'r') },
  { name: 'open /proc/sysrq-trigger', expected: 'denied', rootOnly: true, impossible: () => (fs.existsSync('/proc/sysrq-trigger') ? undefined : 'this kernel has none'), run: () => open('/proc/sysrq-trigger', 'w') },
  { name: "the host's sockets by /proc/self/net", expected: 'denied', run: ({ tcp4 }) => evidence(fs.readFileSync('/proc/self/net/tcp', 'utf8').includes(`:${tcp4.toString(16).toUpperCase().padStart(4, '0')} `), 'the listener') },
  { name: 'list /sys', expected: 'denied', run: () => `${fs.readdirSync('/sys/class/net').length} interfaces` },
  { name: 'write the memory of this process by /proc', expected: { accepted: 'A process may change itself. It stays in the same sandbox.' }, run: () => open('/proc/self/mem', 'r') },
  { name: 'raise its own chance to survive (oom_score_adj)', expected: 'denied', rootOnly: true, run: () => open('/proc/self/oom_score_adj', 'r+') },
  { name: 'learn what is mounted', expected: { accepted: 'It sees the names of what was granted and where these lie on the host\'s disks.' }, run: () => fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length },
  { name: 'read the kernel\'s log', expected: 'denied', rootOnly: true, run: () => open('/dev/kmsg', 'r') },
  { name: 'list the devices', expected: 'denied', run: () => evidence(fs.readdirSync('/dev').some((name) => !['null', 'zero', 'full', 'random', 'urandom'].includes(name)), 'devices') },
  { name: 'shared memory of the host', expected: 'denied', impossible: ({ sharedMemory }) => (sharedMemory === undefined ? 'no /dev/shm' : undefined), run: ({ sharedMemory }) => fs.readFileSync(sharedMemory!, 'utf8') },
  { name: "list the host's /run", expected: 'denied', run: () => `${fs.readdirSync('/run').length} names` },
  { name: "the host's name", expected: 'denied', run: ({ hostname }) => evidence(os.hostname() === hostname, hostname) },
  { name: "the user's name and home", expected: 'denied', run: () => os.userInfo().homedir },
  { name: "the host's network addresses", expected: 'denied', run: () => evidence(Object.keys(os.networkInterfaces()).length > 0, 'interfaces') },
  { name: "the kernel's release", expected: { accepted: 'Everyone is told by uname(2).' }, run: () => os.release() },
  { name: 'size of memory and load', expected: { accepted: 'Everyone is told by sysinfo(2).' }, run: () => os.totalmem() },
  {
    name: 'leave a core dump',
    expected: 'denied',
    run: () => {
      const { userLimits } = process.report.getReport() as unknown as { userLimits: { core_file_size_blocks: { hard: string | number } } };
      return evidence(String(userLimits.core_file_size_blocks.hard) !== '0', 'a limit above 0');
    },
  },

  { name: 'read a leaked descriptor', expected: 'denied', run: ({ leakedFile }) => { const bytes = Buffer.alloc(100); return bytes.toString('utf8', 0, fs.readSync(leakedFile, bytes, 0, 100, 0)); } },
  { name: 'open a leaked descriptor by /proc/self/fd', expected: 'denied', run: ({ leakedFile }) => fs.readFileSync(`/proc/self/fd/${leakedFile}`, 'utf8') },
  { name: 'open a leaked descriptor by /dev/fd', expected: 'denied', run: ({ leakedFile }) => fs.readFileSync(`/dev/fd/${leakedFile}`, 'utf8') },
  { name: 'walk out from a leaked folder', expected: 'denied', run: ({ leakedFolder }) => fs.readFileSync(`/proc/self/fd/${leakedFolder}/secret.txt`, 'utf8') },
  { name: 'find any descriptor that was not passed on', expected: 'denied', run: () => evidence(fs.readdirSync('/proc/self/fd').some((fd) => { try { return /outside(?!\/passed)/.test(fs.readlinkSync(join('/proc/self/fd', fd))); } catch { return false; } }), 'a descriptor') },
  {
    name: 'open a descriptor that was passed on for reading anew for writing',
    expected: { accepted: 'A descriptor of a file grants the file. The runtime passes on pipes and a page of its own; a file is granted by its path.' },
    run: ({ passedFile }) => open(`/proc/self/fd/${passedFile}`, 'r+'),
  },
  { name: 'a secret in the environment', expected: 'denied', run: ({ secret }) => evidence(process.env['BAIT_SECRET'] === secret, secret) },
  { name: 'code in front of its own by NODE_OPTIONS', expected: 'denied', run: ({ secret }) => evidence((globalThis as { preloaded?: string }).preloaded === secret, secret) },
];
