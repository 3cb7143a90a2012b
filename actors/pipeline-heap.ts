/**
 * The heap of an actor of the main job.
 *
 * By default a thread may fill 48 MB before V8 looks for garbage, and what hangs on that garbage outside
 * of the heap (texts, vectors, native results) is several times as much. These actors make little garbage
 * that lives long, so a small young generation costs nothing and bounds the memory of a run
 * (`npm run bench -- memory`).
 */
import type { HeapLimits } from '../kernel/index.ts';

/** Three semi-spaces of 2 MB. */
export const PIPELINE_HEAP: HeapLimits = { maxYoungGenerationSizeMb: 6 };
