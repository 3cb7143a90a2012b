/**
 * Probes below Node: system calls that JavaScript cannot make but machine code in the process could. They are
 * lines of Perl, which can make any, in a sandbox like that of the Node probes. Outside each runs in a process
 * of its own, so that one that succeeds does not change the next.
 */
import { hostArchitecture, NEWEST_SYSTEM_CALL, systemCallNumber, type SystemCall } from '../../kernel/sandbox/system-calls.ts';

export interface SystemCallProbe {
  readonly name: string;
  readonly call: SystemCall | 'newer';
  /** Perl that is true if the call did what it should; `$n` is its number. */
  readonly test: string;
  readonly rootOnly?: boolean;
}

/** `clone` with these flags and no stack is `fork`. The child must leave at once. */
const FORKED = 'my $pid = syscall($n, FLAGS | 17, 0, 0, 0, 0); exit 0 if $pid == 0; $pid > 0';

export const SYSTEM_CALL_PROBES: readonly SystemCallProbe[] = [
  { name: 'socket (Unix)', call: 'socket', test: 'syscall($n, 1, 1, 0) >= 0' },
  { name: 'socket (IPv4)', call: 'socket', test: 'syscall($n, 2, 1, 0) >= 0' },
  { name: 'socket (netlink)', call: 'socket', test: 'syscall($n, 16, 3, 0) >= 0' },
  { name: 'socketpair', call: 'socketpair', test: 'my $pair = pack("l2", 0, 0); syscall($n, 1, 1, 0, $pair) == 0' },
  { name: 'unshare (user)', call: 'unshare', test: 'syscall($n, 0x10000000) == 0' },
  { name: 'unshare (network)', call: 'unshare', test: 'syscall($n, 0x50000000) == 0' },
  { name: 'clone (a process)', call: 'clone', test: FORKED.replace('FLAGS', '0') },
  { name: 'clone (a user namespace)', call: 'clone', test: FORKED.replace('FLAGS', '0x10000000') },
  { name: 'clone3 (a process)', call: 'clone3', test: 'my $how = pack("Q8", 0, 0, 0, 0, 17, 0, 0, 0); my $pid = syscall($n, $how, 64); exit 0 if $pid == 0; $pid > 0' },
  { name: 'setns', call: 'setns', rootOnly: true, test: 'open(my $f, "<", "/proc/self/ns/net") or open($f, "<", "/dev/null"); syscall($n, fileno($f), 0) == 0' },
  { name: 'mount', call: 'mount', rootOnly: true, test: 'my ($a, $b, $c) = ("none", "/tmp", "tmpfs"); syscall($n, $a, $b, $c, 0, 0) == 0 && syscall(UMOUNT2, $b, 2) == 0' },
  { name: 'fsopen', call: 'fsopen', rootOnly: true, test: 'my $a = "tmpfs"; syscall($n, $a, 0) >= 0' },
  { name: 'open_tree (clone)', call: 'open_tree', rootOnly: true, test: 'my $a = "/tmp"; syscall($n, -100, $a, 1) >= 0' },
  { name: 'chroot', call: 'chroot', rootOnly: true, test: 'my $a = "/"; syscall($n, $a) == 0' },
  { name: 'mknod (device)', call: 'mknodat', rootOnly: true, test: 'my $a = "/tmp/spillway-escapes-device-$$"; my $made = syscall($n, -100, $a, 0020600, 0x103) == 0; { local $!; unlink $a } $made' },
  { name: 'open_by_handle_at', call: 'name_to_handle_at', test: 'my ($a, $h, $m) = ("/tmp", pack("Ll", 128, 0) . "\\0" x 128, pack("l", 0)); syscall($n, -100, $a, $h, $m, 0) == 0' },
  { name: 'ptrace', call: 'ptrace', test: 'syscall($n, 0, 0, 0, 0) == 0' },
  { name: 'process_vm_readv', call: 'process_vm_readv', test: 'my $from = "x" x 8; my $to = "\\0" x 8; my ($a, $b) = (pack("PQ", $to, 8), pack("PQ", $from, 8)); syscall($n, $$ + 0, $a, 1, $b, 1, 0) == 8' },
  { name: 'kcmp', call: 'kcmp', test: 'syscall($n, $$ + 0, $$ + 0, 2, 0, 0) >= 0' },
  { name: 'bpf', call: 'bpf', rootOnly: true, test: 'my $map = pack("L16", 2, 4, 4, 1, (0) x 12); syscall($n, 0, $map, 64) >= 0' },
  { name: 'userfaultfd', call: 'userfaultfd', rootOnly: true, test: 'syscall($n, 0) >= 0' },
  { name: 'io_uring_setup', call: 'io_uring_setup', test: 'my $p = "\\0" x 120; syscall($n, 4, $p) >= 0' },
  { name: 'perf_event_open', call: 'perf_event_open', rootOnly: true, test: 'my $p = pack("LLQ", 1, 112, 0) . "\\0" x 96; syscall($n, $p, 0, -1, -1, 0) >= 0' },
  { name: 'keyctl', call: 'keyctl', test: 'syscall($n, 0, -3, 1) >= 0' },
  { name: 'add_key', call: 'add_key', test: 'my ($t, $d, $p) = ("user", "spillway", "x"); syscall($n, $t, $d, $p, 1, -2) >= 0' },
  { name: 'shmget', call: 'shmget', test: 'syscall($n, 0, 4096, 0) >= 0' },
  { name: 'msgget', call: 'msgget', test: 'syscall($n, 0, 0) >= 0' },
  { name: 'memfd_create', call: 'memfd_create', test: 'my $a = "code"; syscall($n, $a, 0) >= 0' },
  { name: 'personality', call: 'personality', test: 'syscall($n, 0) >= 0' },
  { name: 'sethostname', call: 'sethostname', rootOnly: true, test: 'open(my $f, "<", "/proc/sys/kernel/hostname") or 1; my $a = $f ? <$f> : "x"; chomp $a; syscall($n, $a, length $a) == 0' },
  { name: 'clock_settime', call: 'clock_adjtime', test: 'my $a = "\\0" x 208; syscall($n, 0, $a) >= 0' },
  { name: 'a call newer than the filter', call: 'newer', test: 'my ($a, $b) = (pack("L2Q3", 32, 0, 1, 1, 0), "\\0" x 512); syscall($n, $a, $b, 512, 0) == 0 || $!{ENOENT} || $!{EPERM} || $!{EINVAL}' },
];

/** Prints a line for each probe: its number in the list, a tab, and what stopped it or nothing. */
export function systemCallScript(): string {
  const architecture = hostArchitecture()!;
  const numberOf = (call: SystemCall | 'newer'): number => (call === 'newer' ? NEWEST_SYSTEM_CALL + 1 : systemCallNumber(call, architecture));
  const tests = SYSTEM_CALL_PROBES.map(
    ({ call, test }, index) => `try(${index}, ${numberOf(call)}, sub { my $n = $_[0]; ${test.replace('UMOUNT2', String(systemCallNumber('umount2', architecture)))} });`,
  );
  return String.raw`
use Errno;
sub attempt { my ($n, $test) = @_; $! = 0; return $test->($n) ? 'got' : ((grep { $!{$_} } qw(EPERM EACCES ENOSYS EINVAL ENOENT)), "errno " . ($! + 0))[0] }
sub try {
  my ($index, $n, $test) = @_;
  pipe(my $out, my $in);
  my $pid = fork();
  if (!defined $pid) { syswrite STDOUT, "$index\t" . attempt($n, $test) . "\n"; return }
  if ($pid == 0) { close $out; syswrite $in, attempt($n, $test); exit 0 }
  close $in;
  sysread($out, my $said, 100);
  waitpid($pid, 0);
  syswrite STDOUT, "$index\t" . ($said || "signal " . ($? & 127)) . "\n";
}
${tests.join('\n')}
`;
}
