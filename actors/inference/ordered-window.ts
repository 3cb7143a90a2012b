/**
 * Many pieces of work at once, their results in the order of their input, and a bound on both: what is taken from
 * the source is at most so many pieces and so many units ahead of what the reader has taken.
 */

export interface WindowOptions<Input> {
  /** Pieces that may be on their way or wait for the reader. */
  readonly pieces: number;
  /** Units that they may have together; a single piece may have more. */
  readonly units: number;
  /** The size of a piece in units. */
  sizeOf(input: Input): number;
}

/**
 * @param source is read only as far as there is room, and closed when the reader leaves early
 * @param work must not reject for one piece: an error ends the whole, after the results before it
 */
export async function* orderedWindow<Input, Output>(
  source: Iterable<Input> | AsyncIterable<Input>,
  work: (input: Input, index: number) => Promise<Output>,
  { pieces, units, sizeOf }: WindowOptions<Input>,
): AsyncGenerator<Output, void, undefined> {
  const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
  const isSync = !(Symbol.asyncIterator in source);
  const waiting: { readonly result: Promise<Output>; readonly size: number }[] = [];
  let unitsAhead = 0;
  let index = 0;
  let isDone = false;
  let reading: Promise<void> | undefined;

  const take = (step: IteratorResult<Input>): void => {
    if (step.done === true) {
      isDone = true;
      return;
    }
    const size = sizeOf(step.value);
    const result = work(step.value, index++);
    // It is looked at when its turn has come; until then its rejection is not unheard.
    result.catch(() => {});
    waiting.push({ result, size });
    unitsAhead += size;
  };
  const read = async (): Promise<void> => {
    const step = await iterator.next();
    reading = undefined;
    take(step);
  };
  const hasRoom = (): boolean => !isDone && waiting.length < pieces && (unitsAhead < units || waiting.length === 0);

  try {
    for (;;) {
      if (isSync) while (hasRoom()) take((iterator as Iterator<Input>).next());
      else if (hasRoom()) {
        reading ??= read();
        // Heard where it is waited for, which may be after the next result.
        reading.catch(() => {});
      }
      const first = waiting[0];
      if (first === undefined) {
        if (isDone) return;
        await reading;
        continue;
      }
      // A slow source must not hold up results that are there, nor they the source.
      if (reading !== undefined) {
        const isFirstDone = await Promise.race([reading.then(() => false), first.result.then(() => true, () => true)]);
        if (!isFirstDone) continue;
      }
      const output = await first.result;
      waiting.shift();
      unitsAhead -= first.size;
      yield output;
    }
  } finally {
    if (!isDone) await iterator.return?.();
  }
}
