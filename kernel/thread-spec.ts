/** What the guardian is told of a thread, and what it tells of one. */
import type { Address } from './address.ts';
import type { LaneSizes } from './lanes.ts';
import type { ActorSource } from './thread-boot.ts';
import type { HeapLimits } from './worker.ts';

export interface ThreadSpec {
  /** Unique in the system; what `resolve` finds. */
  readonly name: string;
  readonly source: ActorSource;
  /** Capacity of the lanes into the thread, from each peer; what is not given is the default. */
  readonly mailbox?: Partial<LaneSizes>;
  /** Whether it makes native calls: such a thread is never terminated, only asked to end. */
  readonly native?: boolean;
  readonly resourceLimits?: HeapLimits;
}

/** How a thread ended. */
export interface ThreadExit {
  readonly reason: 'stopped' | 'crashed';
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
