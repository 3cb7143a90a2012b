/** What a thread is given when it starts: its place in the system and the actor it is for. */
import type { MessagePort } from 'node:worker_threads';
import type { ActorSource } from './actor-source.ts';
import type { Address } from './address.ts';
import type { DeliverySpec } from './delivery.ts';
import type { PeerLink } from './link.ts';
import type { LogThreshold } from './log.ts';

export interface ThreadSettings {
  readonly maxSpins: number;
  readonly logLevel: LogThreshold;
}

export interface ThreadBoot extends ThreadSettings {
  /** Address of the actor that the thread is for. */
  readonly self: Address;
  readonly incarnation: number;
  readonly name: string;
  readonly system: SharedArrayBuffer;
  /** What the thread shows of its actors; see board.ts. */
  readonly board: SharedArrayBuffer;
  readonly links: readonly PeerLink[];
  /** Brings the memory of later links; a `linkReady` message says when to look. */
  readonly port: MessagePort;
  readonly source: ActorSource;
  /** Whether the actor makes native calls: its thread must not end while one is in flight. */
  readonly native: boolean;
  /** Complete; see delivery.ts. Default: at most once. */
  readonly delivery?: Required<DeliverySpec>;
  /** To the guardian: how long one handler may hold its thread before that is told. */
  readonly hungAfterMs?: number;
}

/**
 * The URL of a module beside the calling one, with the extension of the caller: sources run as `.ts`
 * in a checkout and as `.js` from `dist`, and the compiler does not rewrite URLs.
 */
export function siblingModule(name: string, base: string): string {
  return new URL(`./${name}${base.endsWith('.ts') ? '.ts' : '.js'}`, base).href;
}
