/**
 * The program that turns itself into a sandbox and starts a command inside. It is Perl, because:
 * a process of several threads, which Node always is, may not enter a new user namespace; `unshare` and
 * `mount` cannot install a system call filter; and perl-base belongs to every Debian and Ubuntu, starts in
 * milliseconds and makes any system call without a compiler (docs/adr/0016).
 *
 *     outer    in the host's pid namespace. Waits, passes signals on, and ends as the command ended.
 *       └ init    pid 1 inside. Builds the file system, drops everything, waits for the command.
 *           └ command    pid 2: an ordinary process, so that signals and abort() act on it as usual.
 *
 * With init the kernel kills every process of the namespace, and only then lets outer see init's end: outer's
 * exit is an exact notice of death. Whoever kills `outer` itself kills init too (parent-death signal), but may
 * see outer's end a moment before. `outer` dies likewise with the thread that started it. Neither keeps a
 * descriptor of the command's, so what it closes is closed.
 *
 * It is told what to do by lines of fields between tabs (launch-plan.ts). Any step that fails ends it with
 * exit code 125 and a line on stderr, before the command has started.
 *
 * Method: pivot into an empty tmpfs as bubblewrap does; sources of mounts are opened with RESOLVE_NO_SYMLINKS
 * (openat2(2)) and get their attributes while they are still detached (open_tree(2), mount_setattr(2)).
 */

/** Exit code of a sandbox that could not be built. */
export const SANDBOX_FAILED = 125;

/** Exit code when the command could not be executed in a sandbox that was built. */
const COMMAND_FAILED = 127;

export const LAUNCHER_SCRIPT = String.raw`
use strict;
my ($plan, @command) = @ARGV;
my (%sys, %one, @binds, @limits);
for (split /\n/, $plan) {
  my ($op, @args) = split /\t/;
  if ($op eq 'sys') { $sys{$args[0]} = $args[1] + 0 }
  elsif ($op eq 'bind') { push @binds, \@args }
  elsif ($op eq 'limit') { push @limits, \@args }
  else { $one{$op} = $args[0] }
}
my @given = split /,/, $one{fds};
my ($child, @early, $isCommand);
sub fail { my $why = "$!"; syswrite STDERR, "spillway sandbox: $_[0]: $why\n"; exit ($isCommand ? ${COMMAND_FAILED} : ${SANDBOX_FAILED}) }
# The arguments themselves and no copies, because some calls write into them.
sub call { return syscall($sys{$_[0]}, @_[1 .. $#_]) }
sub must { my $got = syscall($sys{$_[1]}, @_[2 .. $#_]); fail($_[0]) if $got == -1; return $got }
sub put { my ($path, $text) = @_; open(my $file, '>', $path) or return 0; my $n = syswrite($file, $text); return close($file) && defined $n }

# Closes every descriptor but those named.
sub keep_only {
  my $from = 0;
  for my $fd (sort { $a <=> $b } @_) { must('close_range', 'close_range', $from, $fd - 1, 0) if $fd > $from; $from = $fd + 1 }
  must('close_range', 'close_range', $from, 0xffffffff, 0);
}

# Signals that come before there is a child are kept for it. They are held back around the fork of the command:
# between fork and exec a signal would be noted by Perl, and forgotten with it.
my @signals = qw(HUP INT QUIT USR2 TERM);
my $theirBits = pack('Q', 1 << 0 | 1 << 1 | 1 << 2 | 1 << 11 | 1 << 14);
sub hold { must('rt_sigprocmask', 'rt_sigprocmask', $_[0] ? 0 : 1, $theirBits, 0, 8) }
sub forward { if ($child) { kill $_[0], $child } else { push @early, $_[0] } }
sub adopt { $child = $_[0]; kill $_, $child for splice @early }

for my $fd (@given) { -e "/proc/self/fd/$fd" or fail("descriptor $fd was to be passed on and is not open") }
keep_only(0, 1, 2, @given);
# What the list of processes shows: the plan is long, and names what was granted.
$0 = 'spillway-sandbox';
my ($uid, $gid) = ($> + 0, $) + 0);
# A root's further groups are left behind; an ordinary user may not leave his.
if ($uid == 0) { no warnings; $) = "$gid $gid" }

# 0x10000000 user, 0x20000 mount, 0x20000000 pid, 0x8000000 ipc, 0x4000000 uts, 0x2000000 cgroup, 0x40000000 net
my $spaces = 0x10000000 | 0x20000 | 0x20000000 | 0x8000000 | 0x4000000 | 0x2000000 | ($one{net} eq 'none' ? 0x40000000 : 0);
must('unshare namespaces', 'unshare', $spaces);
put('/proc/self/setgroups', 'deny') or fail('setgroups');
put('/proc/self/uid_map', "$one{uid} $uid 1") or fail('uid_map');
put('/proc/self/gid_map', "$one{gid} $gid 1") or fail('gid_map');
put('/proc/sys/user/max_user_namespaces', '0') or fail('max_user_namespaces');
# After the change of credentials, which would clear it. The check closes the gap before it.
must('parent-death signal', 'prctl', 1, 9, 0, 0, 0);
getppid() == $one{parent} or fail('the process that started the sandbox has ended');

pipe(my $statusOut, my $statusIn) or fail('pipe');
pipe(my $aliveOut, my $aliveIn) or fail('pipe');
for my $name (@signals) { $SIG{$name} = sub { forward($name) } }

sub drop_all {
  for my $capability (0 .. 63) { call('prctl', 24, $capability, 0, 0, 0) == -1 and last }
  must('securebits', 'prctl', 28, 239, 0, 0, 0);
  my ($header, $none) = (pack('Ll', 0x20080522, 0), pack('L6', (0) x 6));
  must('capset', 'capset', $header, $none);
  must('no_new_privs', 'prctl', 38, 1, 0, 0, 0);
}

sub filter {
  return if $one{filter} eq '';
  my $code = pack('H*', $one{filter});
  my $program = pack('S x6 P', length($code) / 8, $code);
  must('seccomp', 'seccomp', 1, 0, $program);
}

sub place {
  my ($path, $isFolder) = @_;
  my @parts = grep { length } split /\//, $path;
  my $file = $isFolder ? undef : pop @parts;
  my $at = '';
  for (@parts) { $at .= "/$_"; mkdir $at, 0755 }
  return if $isFolder || -e $path;
  open(my $made, '>', $path) or fail("mount point $path");
}

sub build {
  my ($from, $to, $type, $options, $empty) = ('tmpfs', '/tmp', 'tmpfs', 'size=4m,nr_inodes=32k,mode=755', '');
  my ($any, $root) = ('none', '/');
  must('private mounts', 'mount', $any, $root, 0, 0x44000, 0);
  must('new root', 'mount', $from, $to, $type, 6, $options);
  chdir '/tmp' or fail('chdir');
  mkdir '.host', 0700 or fail('mkdir');
  my ($here, $old) = ('.', '.host');
  must('pivot_root', 'pivot_root', $here, $old);
  chdir '/' or fail('chdir');
  mkdir '/dev', 0755;
  mkdir '/tmp', 0700;
  $options = "size=$one{tmp},nr_inodes=16k,mode=700";
  must('private /tmp', 'mount', $from, $to, $type, 14, $options);
  for my $bind (@binds) {
    my ($attributes, $source, $target) = @$bind;
    my ($path, $how) = ("/.host$source", pack('Q3', 0x280000, 0, 6));
    my $opened = must("open $source", 'openat2', -100, $path, $how, 24);
    my $isFolder = -d "/.host/proc/self/fd/$opened";
    # 0x1000 empty path, 0x8000 recursive, 1 clone, 0x80000 close on exec
    my $tree = must("open_tree $source", 'open_tree', $opened, $empty, 0x89001);
    my $set = pack('Q4', $attributes, 0, 0, 0);
    must("mount_setattr $source", 'mount_setattr', $tree, $empty, 0x9000, $set, 32);
    place($target, $isFolder);
    must("mount at $target", 'move_mount', $tree, $empty, -100, $target, 4);
  }
  if ($one{proc} eq 'own') {
    mkdir '/proc', 0555;
    my ($proc, $at, $subset) = ('proc', '/proc', 'subset=pid,hidepid=4');
    must('mount /proc', 'mount', $proc, $at, $proc, 15, $subset);
  }
  my $host = '/.host';
  must('leave the host', 'umount2', $host, 2);
  rmdir $host or fail('rmdir');
  my $readOnly = pack('Q4', 1, 0, 0, 0);
  must('read-only root', 'mount_setattr', -100, $root, 0, $readOnly, 32);
  my $name = 'sandbox';
  must('sethostname', 'sethostname', $name, 7);
}

sub limit {
  for (@limits) {
    my ($resource, $value) = ($_->[0] + 0, $_->[1] + 0);
    my ($now, $none) = (pack('Q2', 0, 0), 0);
    must('getrlimit', 'prlimit64', 0, $resource, $none, $now);
    my (undef, $hard) = unpack('Q2', $now);
    $value = $hard if $hard < $value;
    my $new = pack('Q2', $value, $value);
    must('setrlimit', 'prlimit64', 0, $resource, $new, 0);
  }
}

sub command {
  $isCommand = 1;
  limit();
  chdir $one{cwd} or fail("chdir $one{cwd}");
  filter();
  keep_only(0, 1, 2, @given);
  # Perl ignores floating point errors, and what is ignored stays so in the command.
  $SIG{FPE} = 'DEFAULT';
  $SIG{$_} = 'DEFAULT' for @signals;
  hold(0);
  exec { $command[0] } @command or fail("exec $command[0]");
}

sub init {
  must('parent-death signal', 'prctl', 1, 9, 0, 0, 0);
  close $aliveIn;
  # The outer process holds the other end: if it has ended already, no signal will tell.
  my $bits = '';
  vec($bits, fileno($aliveOut), 1) = 1;
  select($bits, undef, undef, 0) and exit ${SANDBOX_FAILED};
  must('dumpable', 'prctl', 4, 0, 0, 0, 0);
  must('setsid', 'setsid');
  call('keyctl', 1, 0);
  build();
  drop_all();
  hold(1);
  my $pid = fork();
  defined $pid or fail('fork');
  command() if $pid == 0;
  adopt($pid);
  hold(0);
  filter();
  keep_only(fileno($statusIn));
  while ((my $ended = wait()) != -1) {
    next if $ended != $pid;
    syswrite $statusIn, pack('l', $?);
    last;
  }
  exit 0;
}

my $pid = fork();
defined $pid or fail('fork');
init() if $pid == 0;
adopt($pid);
keep_only(fileno($statusOut), fileno($aliveIn));
drop_all();
my $status = '';
while (length $status < 4) {
  my $got = sysread($statusOut, $status, 4 - length $status, length $status);
  next if !defined $got && $!{EINTR};
  last if !$got;
}
waitpid($pid, 0);
my $how = length $status == 4 ? unpack('l', $status) : $?;
if (my $signal = $how & 127) {
  my $none = pack('Q2', 0, 0);
  call('prlimit64', 0, 4, $none, 0);
  # Numbers and names of signals are the same on both architectures.
  my @names = qw(ZERO HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS);
  $SIG{$names[$signal]} = 'DEFAULT' if $signal < @names && $signal != 9 && $signal != 19;
  kill $signal, $$;
  exit 128 + $signal;
}
exit $how >> 8;
`;
