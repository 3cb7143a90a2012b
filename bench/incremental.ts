/**
 * What a run costs when little has changed: a folder of real text files, embedded four times by the
 * command line as its users start it, start of the process included.
 */
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runEmbed, type EmbedRun } from './spillway-run.ts';
import { copyTextFiles } from './text-files.ts';

const FILES = 2_000;

export interface IncrementalResult {
  readonly first: EmbedRun;
  readonly unchanged: EmbedRun;
  readonly oneEdited: EmbedRun;
  readonly oneDeleted: EmbedRun;
  /** Seconds of the unchanged run over seconds of the first; a tenth is what is asked for. */
  readonly ratio: number;
}

export async function run({ print }: { print: (line: string) => void }): Promise<IncrementalResult> {
  const scratch = mkdtempSync(join(tmpdir(), 'spillway-bench-'));
  const [folder, index] = [join(scratch, 'folder'), join(scratch, 'index')];
  try {
    const paths = copyTextFiles(folder, FILES);
    const [edited, deleted] = [paths[FILES >> 1]!, paths[FILES >> 2]!];
    const show = (name: string, { files, chunks, embedded, removed, seconds }: EmbedRun): void =>
      print(`${name.padEnd(18)} ${seconds.toFixed(2).padStart(7)} s  ${files} files, ${chunks} chunks in the index, ${embedded} embedded, ${removed} removed`);

    // A folder of one file, so that neither the model nor the compiled modules are made in what is measured.
    await runEmbed(join(folder, edited), join(scratch, 'warm-up'));
    const first = await runEmbed(folder, index);
    show('first run', first);
    const unchanged = await runEmbed(folder, index);
    show('nothing changed', unchanged);
    appendFileSync(join(folder, edited), '\nOne more line.\n');
    const oneEdited = await runEmbed(folder, index);
    show('one file edited', oneEdited);
    rmSync(join(folder, deleted));
    const oneDeleted = await runEmbed(folder, index);
    show('one file deleted', oneDeleted);
    const ratio = unchanged.seconds / first.seconds;
    print(`second / first     ${ratio.toFixed(3)} (asked for: under 0.1)`);
    return { first, unchanged, oneEdited, oneDeleted, ratio };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
