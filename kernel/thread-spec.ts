/** What the guardian is told of a thread, and what it tells of one. */
import type { ActorSource } from './actor-source.ts';
import type { Address } from './address.ts';
import type { DeliverySpec } from './delivery.ts';
import type { LaneSizes } from './lanes.ts';
import type { ProcessSpec } from './process/process-spec.ts';
import type { HeapLimits } from './worker.ts';

export interface ThreadSpec {
  /** Unique in the system; what `resolve` finds. */
  readonly name: string;
  readonly source: ActorSource;
  /** Capacity of the lanes into the thread, from each peer; what is not given is the default. */
  readonly mailbox?: Partial<LaneSizes>;
  /** Whether it makes native calls: such a thread is never terminated, only asked to end. A process may be. */
  readonly native?: boolean;
  readonly resourceLimits?: HeapLimits;
  /** How the data messages of the thread's own actor are delivered over its lives; see delivery.ts. */
  readonly delivery?: DeliverySpec;
  /** The actor lives in a process of its own, granted this; the thread only stands for it. */
  readonly process?: ProcessSpec;
  /** How many started threads are kept ready for its next lives; see standby.ts. Default 0. */
  readonly standby?: number;
  /** How long one handler may hold the thread before it is ended as crashed. Default: it is only told. */
  readonly hungAfterMs?: number;
}

/** How a start ended that did not fail. */
export interface Started {
  /** The actor had nothing to do and has left at once; see ActorDefinition. */
  readonly isIgnored: boolean;
  /** What the actor tells whoever had it started. */
  readonly info: unknown;
}

/** How a thread ended. */
export interface ThreadExit {
  /** `stopped`: by itself, its work done. `shutdown`: in order, because it was told to or something else had ended. */
  readonly reason: 'stopped' | 'shutdown' | 'crashed';
  readonly whileStarting: boolean;
  readonly code: string;
  readonly message: string;
  readonly stack: string;
}

/** One thread of the system, through all its lives. */
export interface HostedThread {
  readonly id: number;
  /** Of its actor; never that of an actor that was there before. */
  readonly address: Address;
  readonly spec: ThreadSpec;
  readonly incarnation: number;
  readonly alive: boolean;
}
