/**
 * The process whose fsyncs fail: it stores numbered files through the storage actor and says of each, a line
 * of JSON, that it is about to and what came of it. After a failure it tries a few more, which must fail too.
 */
import { SpillwayError, systemClock } from '../../kernel/index.ts';
import { createSystem } from '../../supervisors/index.ts';
import { storageProtocol, storageSpec } from '../storage/index.ts';
import { begin, put } from './numbered-files.ts';

export interface WriterLine {
  readonly number: number;
  readonly atMs: number;
  /** Undefined before it is tried, empty when it is acknowledged, else the error's code. */
  readonly code?: string;
}

const TRIES_AFTER_FAILURE = 3;

/** @param files to store at the most */
async function writeFiles(dir: string, files: number, say: (line: WriterLine) => void): Promise<void> {
  const system = await createSystem({ logLevel: 'error' });
  try {
    const storage = await system.spawn(storageSpec('storage', { dir }), storageProtocol);
    await begin(storage);
    let failures = 0;
    for (let number = 0; number < files && failures <= TRIES_AFTER_FAILURE; number++) {
      say({ number, atMs: systemClock.monotonicMs() });
      const code = await put(storage, number).then(() => '', codeOf);
      if (code !== '') failures++;
      say({ number, atMs: systemClock.monotonicMs(), code });
    }
  } finally {
    await system.close();
  }
}

function codeOf(error: unknown): string {
  if (error instanceof SpillwayError) return error.code;
  throw error;
}

if (import.meta.main) {
  const [dir, files] = process.argv.slice(2);
  await writeFiles(dir!, Number(files), (line) => console.log(JSON.stringify(line)));
}
