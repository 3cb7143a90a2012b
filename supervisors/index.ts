export { DEFAULT_CHILD, DEFAULT_FLAGS } from './child-spec.ts';
export type { BackoffFlags, ChildSpec, Placement, Restart, SupervisorFlags } from './child-spec.ts';
export { SUPERVISOR_ERRORS } from './error-codes.ts';
export type { SupervisorErrorCode } from './error-codes.ts';
export type { ChildState, ChildStatus } from './supervisor.ts';
export { System, createSystem } from './system.ts';
export type { ActorHealth, GroupView, SystemAdminOptions, SystemOptions } from './system.ts';
