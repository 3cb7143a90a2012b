/** What a thread's runtime is made with: its place in the system, and what it cannot do by itself. */
import type { ActorCell } from './actor-cell.ts';
import type { ActorDefinition, Behaviour } from './actor.ts';
import type { Address } from './address.ts';
import type { Clock } from './clock.ts';
import type { DeliverySpec } from './delivery.ts';
import type { LogThreshold } from './log.ts';
import type { ProtocolSpec } from './protocol.ts';

export interface ThreadRuntimeOptions {
  /** Address of the actor that the thread is for. */
  readonly self: Address;
  readonly incarnation: number;
  readonly system: SharedArrayBuffer;
  /** What this thread shows of its actors. */
  readonly board: SharedArrayBuffer;
  readonly clock: Clock;
  readonly logLevel: LogThreshold;
  /** Of the data messages for the thread's own actor; complete, see delivery.ts. Default: at most once. */
  readonly delivery?: Required<DeliverySpec> | undefined;
  /** Called when a handler of the thread's own actor fails with anything but a SpillwayError. */
  onDefect(error: unknown): void;
  /** Gives a spawned actor its context and starts it. */
  behaviourOf(cell: ActorCell, definition: ActorDefinition, args: unknown, incarnation: number): Behaviour<ProtocolSpec> | Promise<Behaviour<ProtocolSpec>>;
  /** Called when a record has left its lane, before its handler runs. */
  onTaken?(): void;
  /** Asks for a link to the thread of this address; `addLink` or `unreachable` is called in time. */
  connect(to: Address): void;
}
