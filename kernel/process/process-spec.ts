/** What an actor that lives in a process of its own is granted, and how long its process may keep silent. */
import type { SandboxSpec } from '../sandbox/index.ts';

export interface ProcessSpec {
  /** What the operating system lets the process do. Default: what its user may. */
  readonly sandbox?: SandboxSpec;
  /** Resident memory of the process and of what it has started. It is looked at from time to time. Default: no limit. */
  readonly maxRssBytes?: number;
  /** Processor time of one life. Default: no limit. */
  readonly maxCpuSeconds?: number;
  /** How often it says that it lives. Default 50. */
  readonly heartbeatMs?: number;
  /** A process that says nothing and does nothing for so long is ended as crashed. Default 5,000. */
  readonly silentAfterMs?: number;
  /** Within which it has to say who it is. Default 5,000. */
  readonly handshakeMs?: number;
  /** Its environment; nothing of the parent's is handed on. */
  readonly env?: Readonly<Record<string, string>>;
  /** Its working directory. Default: the parent's. */
  readonly cwd?: string;
  /** URL of a module that it runs in place of the kernel's own, and which speaks as that does; see frames.ts. */
  readonly entry?: string;
}

/** With everything that has a default. */
export type CompleteProcessSpec = ProcessSpec & Required<Pick<ProcessSpec, 'heartbeatMs' | 'silentAfterMs' | 'handshakeMs'>>;

export const DEFAULT_PROCESS = { heartbeatMs: 50, silentAfterMs: 5_000, handshakeMs: 5_000 } as const;
