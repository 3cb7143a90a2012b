/** Processes that reach what they were granted and nothing else, by the operating system. */
export { killSandboxed, sandboxed, sandboxedPid, type SandboxedCommand } from './sandboxed.ts';
export { SANDBOX_FAILED } from './launcher-script.ts';
export { probeSandbox, type SandboxSupport } from './sandbox-support.ts';
export type { SandboxSpec } from './sandbox-spec.ts';
