/** The filter's program, run by an interpreter of the few instructions that it uses: also for the other architecture. */
import { describe, expect, it } from 'vitest';
import { seccompFilter, type FilterOptions } from '../../../kernel/sandbox/seccomp-filter.ts';
import { NEWEST_SYSTEM_CALL, systemCallNumber, type SystemCall } from '../../../kernel/sandbox/system-calls.ts';

const AUDIT = { x64: 0xc000_003e, arm64: 0xc000_00b7 };
const STRICT = { network: false, processes: false, addons: false };

/** @returns `allow`, `end`, or the number of the error */
function answer(program: Buffer, number: number, args: readonly number[], audit: number): 'allow' | 'end' | number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(audit, 4);
  args.forEach((arg, index) => data.writeBigUInt64LE(BigInt(arg), 16 + index * 8));
  let loaded = 0;
  for (let at = 0; at < program.length; at += 8) {
    const [code, ifTrue, ifFalse, value] = [program.readUInt16LE(at), program[at + 2]!, program[at + 3]!, program.readUInt32LE(at + 4)];
    const jump = (holds: boolean): void => void (at += (holds ? ifTrue : ifFalse) * 8);
    if (code === 0x20) loaded = data.readUInt32LE(value);
    else if (code === 0x15) jump(loaded === value);
    else if (code === 0x25) jump(loaded > value);
    else if (code === 0x35) jump(loaded >= value);
    else if (code === 0x45) jump((loaded & value) !== 0);
    else if (code === 0x06) return value === 0x7fff_0000 ? 'allow' : value === 0x8000_0000 ? 'end' : value & 0xffff;
    else throw new Error(`Instruction ${code} at ${at}.`);
  }
  throw new Error('The program ends without an answer.');
}

describe.each(['x64', 'arm64'] as const)('the filter on %s', (architecture) => {
  const call = (name: SystemCall, args: readonly number[] = [], options: Partial<FilterOptions> = {}): 'allow' | 'end' | number =>
    answer(seccompFilter({ architecture, ...STRICT, ...options }), systemCallNumber(name, architecture), args, AUDIT[architecture]);
  const THREAD = 0x003d_0f00;

  it('permits what is not on its list', () => {
    for (const name of ['openat2', 'prctl', 'setsid', 'prlimit64', 'close_range'] as const) expect(call(name)).toBe('allow');
    expect(call('ioctl', [0, 0x5421])).toBe('allow');
  });
  it('refuses mounts, namespaces, other processes and the doors of exploits', () => {
    for (const name of ['mount', 'unshare', 'setns', 'ptrace', 'process_vm_writev', 'bpf', 'keyctl', 'io_uring_setup', 'userfaultfd', 'open_by_handle_at', 'memfd_create'] as const) {
      expect(call(name)).toBe(1);
    }
  });
  it('permits threads, and neither processes nor namespaces by clone', () => {
    expect(call('clone', [THREAD])).toBe('allow');
    expect(call('clone', [17])).toBe(1);
    for (const space of [0x1000_0000, 0x2_0000, 0x4000_0000, 0x80]) expect(call('clone', [THREAD | space])).toBe(1);
    expect(call('clone3')).toBe(38);
  });
  it('permits processes where they are granted, and still no namespaces', () => {
    expect(call('clone', [17], { processes: true })).toBe('allow');
    expect(call('clone', [17 | 0x1000_0000], { processes: true })).toBe(1);
    expect(call('socketpair', [], { processes: true })).toBe('allow');
  });
  it('permits sockets of no family, or of the Internet where it is granted', () => {
    for (const family of [1, 2, 10, 16, 17, 40]) expect(call('socket', [family])).toBe(13);
    for (const family of [2, 10, 16]) expect(call('socket', [family], { network: true })).toBe('allow');
    for (const family of [1, 17, 38, 40]) expect(call('socket', [family], { network: true })).toBe(13);
    expect(call('connect')).toBe(13);
    expect(call('connect', [], { network: true })).toBe('allow');
  });
  it('does not let anyone type into the terminal', () => {
    expect(call('ioctl', [0, 0x5412])).toBe(1);
    expect(call('ioctl', [0, 0x541c])).toBe(1);
  });
  it('knows no calls that are newer than its list', () => {
    const program = seccompFilter({ architecture, ...STRICT });
    expect(answer(program, NEWEST_SYSTEM_CALL, [], AUDIT[architecture])).toBe('allow');
    expect(answer(program, NEWEST_SYSTEM_CALL + 1, [], AUDIT[architecture])).toBe(38);
  });
  it('ends a process that calls by numbers of another architecture', () => {
    const program = seccompFilter({ architecture, ...STRICT });
    expect(answer(program, 0, [], 0x4000_0003)).toBe('end');
    expect(answer(program, 0x4000_0000, [], AUDIT[architecture])).toBe('end');
    expect(answer(program, -1, [], AUDIT[architecture])).toBe('end');
  });
});
