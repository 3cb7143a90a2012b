export { ActorProbe } from './actor-probe.ts';
export type { ProbeOptions, Received } from './actor-probe.ts';
export { FAULTS, formatFault, randomFaults } from './faults.ts';
export type { Fault, FaultKind, RandomFaultOptions } from './faults.ts';
export type { RecordView } from './record-pump.ts';
export type { TestInspection, TestThreadInspection } from './test-inspection.ts';
export { TestSystem, createTestSystem } from './test-system.ts';
export type { AnyActor, TestSpawnOptions, TestSystemOptions } from './test-system.ts';
export type { ThreadEnd } from './test-threads.ts';
