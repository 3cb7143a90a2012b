export type { AdminClient } from './admin/admin-client.ts';
export type { EventLoopDelay, MeasureOptions, SnapshotFile, SnapshotOptions, ThreadMemory } from './admin/admin-protocol.ts';
export { defineActor, ignored } from './actor.ts';
export type { ActorContext, ActorDefinition, Behaviour, MailboxDeclaration, SelfStopReason, StopReason } from './actor.ts';
export { ActorLives } from './actor-lives.ts';
export type { LivesOptions } from './actor-lives.ts';
export { ActorRef } from './actor-ref.ts';
export { MAX_THREADS, formatAddress, threadOf } from './address.ts';
export type { Address } from './address.ts';
export { Application } from './application.ts';
export type { ApplicationOptions } from './application.ts';
export { systemClock } from './clock.ts';
export type { Clock } from './clock.ts';
export { loadConfig } from './config.ts';
export type { Config, ConfigOptions, ConfigOrigin, ConfigSchema, ConfigValues } from './config.ts';
export { KERNEL_ERRORS } from './error-codes.ts';
export type { KernelErrorCode } from './error-codes.ts';
export { SpillwayError } from './errors.ts';
export { DEFAULT_LANE_SIZES, LANES } from './lanes.ts';
export type { Lane, LaneSizes } from './lanes.ts';
export type { Handlers, MessageContext } from './handlers.ts';
export { LOG_LEVELS } from './log.ts';
export type { Log, LogFields, LogLevel } from './log.ts';
export { defineProtocol } from './protocol.ts';
export type { ItemOf, MessageSpec, Protocol, ProtocolSpec, ReplyOf, RequestOf } from './protocol.ts';
export { siblingModule } from './thread-boot.ts';
export { loadDefinition } from './actor-source.ts';
export type { ActorSource } from './actor-source.ts';
export { DEAD_LETTER_REASONS, THREAD_COUNTERS, THREAD_STATES } from './thread-block.ts';
export type { DeadLetterReason, ThreadBlock, ThreadCounter, ThreadState } from './thread-block.ts';
export type { ThreadHost } from './thread-host.ts';
export type { HostedThread, Started, ThreadExit, ThreadSpec } from './thread-spec.ts';
export type { HeapLimits } from './worker.ts';
export { validatorOf } from './validator.ts';
export type { Addressed, AskOptions, StreamOptions, TellOptions } from './actor-ref.ts';
export type { FailureDecision, SpawnOptions } from './actor-table.ts';
export type { Terminated } from './bonds.ts';
export type { DeadLetter } from './dead-letters.ts';
export { ADMISSION_REASONS, Admission } from './flow/admission.ts';
export type { AdmissionCounts, AdmissionDecision, AdmissionReason, AdmissionSpec, Lease, QuotaKey } from './flow/admission.ts';
export type { QuotaSpec } from './flow/quota-table.ts';
export { BUDGET_DECISIONS, BUDGET_RESOURCES, Budget } from './flow/budget.ts';
export type { BudgetDecision, BudgetLimits, BudgetResource, BudgetSpec, BudgetUsage } from './flow/budget.ts';
export { CancelScope, NO_SCOPE, scopeIds } from './flow/cancel-scope.ts';
export type { CancelListener, ScopeHost, ScopeOptions } from './flow/cancel-scope.ts';
export { Fences } from './flow/fence.ts';
export type { FenceCounts, FenceSpec } from './flow/fence.ts';
export type { Group } from './groups.ts';
export type { InspectOptions } from './inspect.ts';
export { ArrivalRecorder, RecordedMailbox, decisionName, replay } from './mailbox/arrival-trace.ts';
export type { ArrivalTrace } from './mailbox/arrival-trace.ts';
export { MAILBOX_MODES, MAILBOX_POLICIES, completeMailboxSpec } from './mailbox/mailbox-spec.ts';
export type { MailboxMarks, MailboxMode, MailboxPolicy, MailboxSpec, PartialMailboxSpec } from './mailbox/mailbox-spec.ts';
export { Mailbox, SHED_REASONS } from './mailbox/mailbox.ts';
export type { MailboxObserver, ShedReason } from './mailbox/mailbox.ts';
export { registerMetrics, serveHealth } from './telemetry/exposure.ts';
export type { HealthOptions } from './telemetry/exposure.ts';
export type { HealthServer } from './telemetry/health-server.ts';
export { rates } from './telemetry/inspection.ts';
export type {
  ActorInspection,
  ActorRates,
  Inspection,
  LaneInspection,
  LaneRates,
  Rates,
  SystemPhase,
  ThreadInspection,
  ThreadRates,
} from './telemetry/inspection.ts';
export type { LatencyBucket, LatencySnapshot } from './telemetry/latency-histogram.ts';
export type { HealthAddress } from './telemetry/local-listener.ts';
export type { MetricsOptions } from './telemetry/metrics.ts';
export { DEFAULT_READINESS_THRESHOLDS, READINESS_CODES, readinessOf } from './telemetry/readiness.ts';
export type { Readiness, ReadinessCode, ReadinessReason, ReadinessThresholds } from './telemetry/readiness.ts';
export { ManualClock } from './time/manual-clock.ts';
export type { ManualClockOptions } from './time/manual-clock.ts';
export { seededRandom, systemRandom } from './time/random.ts';
export type { Random } from './time/random.ts';
export type { Timer } from './time/timer-wheel.ts';
export { DEFAULT_HUNG_AFTER_MS, MIN_HUNG_AFTER_MS } from './watchdog.ts';
export { createWorkPool } from './work-pool/work-pool.ts';
export type { WorkPool, WorkPoolStats } from './work-pool/work-pool.ts';
export type { WorkOptions, WorkPoolOptions } from './work-pool/work-pool-options.ts';
export type { WorkContext } from './work-pool/work-messages.ts';
export { hashOfKey, heaviest } from './routing/rendezvous.ts';
export type { RoutingKey } from './routing/rendezvous.ts';
export { MAX_ROUTEES } from './routing/routees.ts';
export { Router, createRouter } from './routing/router.ts';
export type { HashStrategy, RoutedMessage, RouterOptions, RoutingStrategy } from './routing/router.ts';
export type { BatchSpec, BatchTrigger } from './stages/batcher.ts';
export { defineConsumer } from './stages/consumer.ts';
export type { ConsumerArgs, ConsumerBehaviour, ConsumerDefinition } from './stages/consumer.ts';
export type { DispatcherSpec } from './stages/dispatchers.ts';
export type { BufferSpec, Keep } from './stages/event-buffer.ts';
export type { BatchInfo } from './stages/intake.ts';
export { defineProducerConsumer } from './stages/producer-consumer.ts';
export type { ProducerConsumerBehaviour, ProducerConsumerDefinition } from './stages/producer-consumer.ts';
export { defineProducer } from './stages/producer.ts';
export type { ProducerBehaviour, ProducerDefinition, ProducerStage } from './stages/producer.ts';
export { CANCEL_MODES, END_REASONS, defineStageProtocol } from './stages/stage-protocol.ts';
export type { CancelMode, EndReason, InletStats, OutletStats, StageRef, StageSpec } from './stages/stage-protocol.ts';
export type { SubscriptionOptions, SubscriptionSpec } from './stages/subscription-options.ts';
