/** How much more of the heap is in use after a run than before it, with all garbage collected. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export function heapGrowthBytes(run: () => void): number {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const beforeBytes = process.memoryUsage().heapUsed;
  run();
  collect();
  return process.memoryUsage().heapUsed - beforeBytes;
}
