/**
 * The questions to a system, asked one by one: each in a child process of its own that tries the thing, so
 * that an answer is what happened and not what a version number promises. Prints a line for each mechanism:
 * its name, a tab, and nothing or the system's reason why not. Kept apart from the launcher, which stops at
 * the first thing that is missing; this is how the error can name them all.
 */
import { systemCallNumber, type Architecture, type SystemCall } from './system-calls.ts';

const CALLS: readonly SystemCall[] = ['unshare', 'prctl', 'seccomp', 'mount', 'umount2', 'openat2', 'open_tree', 'mount_setattr', 'move_mount', 'close_range'];

/** Names and values, as the script takes them. */
export function probeArguments(architecture: Architecture): string[] {
  return CALLS.flatMap((call) => [call, String(systemCallNumber(call, architecture))]);
}

export const PROBE_SCRIPT = String.raw`
use strict;
my %sys = @ARGV;
sub call { my $name = shift; return syscall($sys{$name} + 0, @_) }
sub put { my ($path, $text) = @_; open(my $file, '>', $path) or return 0; my $n = syswrite($file, $text); return close($file) && defined $n }
my ($uid, $gid) = ($> + 0, $) + 0);
sub enter {
  call('unshare', 0x10000000 | $_[0]) == 0 or return 0;
  return put('/proc/self/setgroups', 'deny') && put('/proc/self/uid_map', "65534 $uid 1") && put('/proc/self/gid_map', "65534 $gid 1");
}
sub try {
  my ($name, $test) = @_;
  pipe(my $out, my $in) or die;
  my $pid = fork();
  defined $pid or die;
  if ($pid == 0) {
    close $out;
    my $works = eval { $test->() };
    my $why = $@ || "$!";
    $why =~ s/\s+/ /g;
    syswrite $in, $works ? 'works' : $why || 'refused';
    exit 0;
  }
  close $in;
  my $why = '';
  1 while sysread($out, $why, 200, length $why);
  waitpid($pid, 0);
  $why = $? ? 'ended by signal ' . ($? & 127) : 'no answer' if $why eq '';
  syswrite STDOUT, "$name\t" . ($why eq 'works' ? '' : $why) . "\n";
}
my ($none, $root, $type, $at, $empty) = ('none', '/', 'tmpfs', '/tmp', '');
sub tmpfs { return call('mount', $none, $root, 0, 0x44000, 0) == 0 && call('mount', $none, $at, $type, 6, 0) == 0 }
try('user_namespace', sub { enter(0) });
try('mount_namespace', sub { enter(0x20000) && tmpfs() });
try('pid_namespace', sub { enter(0x20000000) });
try('network_namespace', sub { enter(0x40000000) });
try('ipc_namespace', sub { enter(0x8000000) });
try('uts_namespace', sub { enter(0x4000000) });
try('cgroup_namespace', sub { enter(0x2000000) });
try('nested_namespaces_off', sub { enter(0) && put('/proc/sys/user/max_user_namespaces', '0') });
try('mount_attributes', sub {
  enter(0x20000) && tmpfs() or return 0;
  my ($etc, $how) = ('/etc', pack('Q3', 0x280000, 0, 6));
  my $opened = call('openat2', -100, $etc, $how, 24);
  my $tree = $opened == -1 ? -1 : call('open_tree', $opened, $empty, 0x89001);
  my $set = pack('Q4', 15, 0, 0, 0);
  return $tree != -1 && call('mount_setattr', $tree, $empty, 0x9000, $set, 32) == 0;
});
try('own_proc', sub {
  enter(0x20020000) or return 0;
  call('mount', $none, $root, 0, 0x44000, 0) == 0 or return 0;
  my $pid = fork();
  if ($pid == 0) {
    my ($proc, $options) = ('proc', 'subset=pid,hidepid=4');
    my $there = '/proc';
    exit(call('mount', $proc, $there, $proc, 15, $options) == 0 ? 0 : $! + 0);
  }
  waitpid($pid, 0);
  $! = $? >> 8;
  return $? == 0;
});
try('no_new_privs', sub { call('prctl', 38, 1, 0, 0, 0) == 0 });
try('close_range', sub { call('close_range', 1000, 1001, 0) == 0 });
try('seccomp', sub {
  call('prctl', 38, 1, 0, 0, 0) == 0 or return 0;
  my $code = pack('SCCL', 6, 0, 0, 0x7fff0000);
  my $program = pack('S x6 P', 1, $code);
  return call('seccomp', 1, 0, $program) == 0;
});
`;
