/**
 * An attempt to get out of the sandbox, and what is expected of it. A probe returns what it got, as evidence,
 * or throws what stopped it. It runs outside too, where it must succeed: one that cannot proves nothing.
 */
import type { Bait } from './bait.ts';

export interface Probe {
  readonly name: string;
  /** `denied`, or `accepted` with the reason why it may succeed. */
  readonly expected: 'denied' | { readonly accepted: string };
  /** Needs the host's root to succeed outside. */
  readonly rootOnly?: boolean;
  /** Why this Node or host cannot do it at all, if so. */
  readonly impossible?: (bait: Bait) => string | undefined;
  readonly run: (bait: Bait) => unknown;
}

/** What one probe did in one setting. */
export interface Outcome {
  readonly name: string;
  readonly result: 'got' | 'denied' | 'broken' | 'impossible';
  /** What it got, the code of what stopped it, or why it says nothing. */
  readonly detail: string;
}

/** Evidence that something has, or the error that it was kept away. */
export function evidence(isThere: boolean, what: string, otherwise = 'NOT_THERE'): string {
  if (!isThere) throw Object.assign(new Error(`${what}: not there`), { code: otherwise });
  return what;
}

/** The first event of several that tells how it went; an error among them is thrown. */
export function firstOf(emitter: NodeJS.EventEmitter, ...events: readonly string[]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    emitter.on('error', reject);
    for (const event of events) emitter.on(event, (...args: unknown[]) => resolve(args[0]));
  });
}
