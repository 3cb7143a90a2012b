export { actorWorker } from './actor-worker.ts';
export { PRIORITIES } from './embed-request.ts';
export type { EmbedReply, EmbedWorker, EmbeddedText, Priority, ScheduledModel, UnitOptions } from './embed-request.ts';
export { BATCH_UNITS_MAX, TEXT_UNITS_MAX, batchTextsMax } from './message-limits.ts';
export type { SchedulerLimits } from './scheduler-limits.ts';
export { EmbedScheduler } from './scheduler.ts';
export type { SchedulerOptions } from './scheduler.ts';
export type { Timers } from './timers.ts';
