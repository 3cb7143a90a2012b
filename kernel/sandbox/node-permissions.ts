/**
 * Node's permission model as a second layer, as the flags of a child. The system's sandbox is the boundary:
 * the model is a seat belt that Node does not defend against malicious code, it says nothing about the network
 * in Node 24, and descriptors, add-ons and sqlite go around it. What it adds is an early, clear error
 * (ERR_ACCESS_DENIED) for a program that reaches out by mistake, and one more thing to break.
 *
 * Workers and native calls by `node:ffi` are never permitted: a worker with its own execArgv or env runs
 * without the model.
 */
import type { CheckedSandbox } from './sandbox-spec.ts';

/** @param readable every path that is shown inside */
export function permissionFlags(spec: CheckedSandbox, readable: readonly string[]): string[] {
  const flags = ['--permission', ...['/tmp', ...readable, ...spec.write].map((path) => `--allow-fs-read=${path}`)];
  flags.push(...['/tmp', ...spec.write].map((path) => `--allow-fs-write=${path}`));
  // Node warns that these weaken the model, on stderr at each start; here they were granted, and the model is not the boundary.
  if (spec.allowAddons) flags.push('--allow-addons', '--disable-warning=PERM0001');
  if (spec.allowProcesses) flags.push('--allow-child-process', '--disable-warning=PERM0002');
  // Node 24 does not know the flag, and does not refuse the network either.
  if (spec.network === 'host' && process.allowedNodeEnvironmentFlags.has('--allow-net')) flags.push('--allow-net');
  return flags;
}
