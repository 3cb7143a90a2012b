/** What wait-publisher.ts is given. */

export const PUBLISHER_WORDS = ['begun', 'published', 'bell'] as const;

export interface PublisherData {
  /** The PUBLISHER_WORDS. */
  readonly buffer: SharedArrayBuffer;
  readonly rounds: number;
  readonly seed: number;
}
