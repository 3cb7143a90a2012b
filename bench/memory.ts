/**
 * Whether memory is bounded: the peak of embedding a folder, and of one ten times larger.
 *
 * The peak is that of the whole process, mapped model and native contexts included. Both folders hold
 * the same kind of text; the small one is large enough that every buffer of the pipeline is full.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runEmbed, type EmbedRun } from './spillway-run.ts';
import { copyTextFiles } from './text-files.ts';

const FILES = 200;
const TIMES = 10;
/** The same on every machine, since each actor brings memory of its own. */
const ACTORS = 2;

export interface MemoryResult {
  readonly small: EmbedRun;
  readonly large: EmbedRun;
  /** Peak of the large folder over that of the small one; 1.25 at most is what is asked for. */
  readonly ratio: number;
}

export async function run({ print }: { print: (line: string) => void }): Promise<MemoryResult> {
  const scratch = mkdtempSync(join(tmpdir(), 'spillway-bench-'));
  try {
    const measure = async (files: number): Promise<EmbedRun> => {
      const folder = join(scratch, `folder-${files}`);
      copyTextFiles(folder, files);
      const result = await runEmbed(folder, join(scratch, `index-${files}`), '--actors', String(ACTORS));
      const { chunks, seconds, peakRssMb, anonymousMb, mappedMb } = result;
      print(
        `${String(files).padStart(6)} files ${String(chunks).padStart(7)} chunks ${seconds.toFixed(1).padStart(7)} s  ` +
          `peak ${peakRssMb.toFixed(0)} MB (${anonymousMb.toFixed(0)} MB of its own, ${mappedMb.toFixed(0)} MB of mapped files)`,
      );
      return result;
    };
    const small = await measure(FILES);
    const large = await measure(FILES * TIMES);
    const ratio = large.peakRssMb / small.peakRssMb;
    print(`large / small ${ratio.toFixed(2)} (asked for: 1.25 at most)`);
    return { small, large, ratio };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
