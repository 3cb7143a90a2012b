/** The shape that every way to embed has for the bench. */

export interface EmbeddingWay {
  /** One row for each text, in order, of whatever length the way gives. */
  embed(texts: readonly string[]): Promise<Iterable<ArrayLike<number>>>;
  /** Seconds it takes to embed them, for a way that is timed where it runs. */
  secondsOf?(texts: readonly string[]): Promise<number>;
  /** One text that somebody waits for. Absent where it is `embed` of one. */
  embedUrgent?(text: string): Promise<unknown>;
  close(): Promise<unknown>;
}

/** The settings worth trying of one way, by what they are called; each workload is given to the one that is fastest at it. */
export type Variants = ReadonlyMap<string, EmbeddingWay>;

export function onlyVariant(way: EmbeddingWay): Variants {
  return new Map([['', way]]);
}
