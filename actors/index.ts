/**
 * The door of the package: what an application needs to run supervised actors and to embed text.
 * `spillway/kernel` and `spillway/supervisors` have the parts that fewer need.
 */
export { SpillwayError, defineActor, defineProtocol, siblingModule } from '../kernel/index.ts';
export type {
  ActorContext,
  ActorDefinition,
  ActorRef,
  ActorSource,
  AdminClient,
  AskOptions,
  Behaviour,
  CancelScope,
  DeadLetter,
  Group,
  Handlers,
  HealthOptions,
  HealthServer,
  Inspection,
  Log,
  LogLevel,
  MessageContext,
  MessageSpec,
  Protocol,
  ProtocolSpec,
  Rates,
  Readiness,
  ReplyOf,
  RequestOf,
  StopReason,
  Terminated,
} from '../kernel/index.ts';
export { Pool, System, createPool, createSystem } from '../supervisors/index.ts';
export type { ActorHealth, ChildSpec, ChildStatus, LightActor, PoolOptions, SupervisorFlags, SystemOptions } from '../supervisors/index.ts';
export { Embedder, createEmbedder, createGenerator, createModelHost, createRanker } from './inference/index.ts';
export type {
  EmbedOptions,
  Embedded,
  EmbedderOptions,
  GenerateOptions,
  Generation,
  GenerationPiece,
  GenerationResult,
  GeneratorOptions,
  HostedModel,
  ModelHost,
  ModelHostOptions,
  ModelInfo,
  ModelSource,
  OutputFormat,
  Pooling,
  Priority,
  Prompts,
  Ranked,
  Ranker,
  RankerOptions,
  SchedulerLimits,
  SwapReport,
  TextGenerator,
  TruncatePolicy,
  VectorOf,
} from './inference/index.ts';
