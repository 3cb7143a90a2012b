/** Processes that reach what they were granted and nothing else, by the operating system. */
export { killSandboxed, sandboxed, sandboxedPid, type Confinement, type SandboxedCommand, type SandboxedLaunch } from './sandboxed.ts';
export { checkSandbox, type CheckedSandbox, type SandboxSpec } from './sandbox-spec.ts';
export { probeSandbox, type SandboxMechanism, type SandboxSupport } from './sandbox-support.ts';
export { COMMAND_FAILED, SANDBOX_FAILED } from './launcher-script.ts';
