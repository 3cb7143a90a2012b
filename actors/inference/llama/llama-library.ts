/** Starts node-llama-cpp for one model, and takes everything down again when the model cannot be used. */
import { getLlama, type Llama } from 'node-llama-cpp';
import { SpillwayError } from '../../../kernel/index.ts';
import type { BackendOptions } from '../backend.ts';
import { hashModel } from '../gguf/header.ts';
import { NativeLogger } from './native-logger.ts';

/** The library, ready to load the model whose hash is `sha256`. */
export interface StartedLibrary {
  readonly llama: Llama;
  readonly logger: NativeLogger;
  readonly sha256: string;
}

/**
 * Runs `use` with the library started for the model at `modelPath`. What `use` opened is freed when it fails.
 *
 * @throws SpillwayError `backend_unavailable`, or those of `hashModel`.
 */
export async function withLlama<Result>(modelPath: string, options: BackendOptions, use: (library: StartedLibrary) => Promise<Result>): Promise<Result> {
  const logger = new NativeLogger(options.log);
  // The library tries its binary in a child process first, which takes most of the time of
  // loading a small model; the hash is computed meanwhile.
  const [initialized, hashed] = await Promise.allSettled([initialize(logger), options.sha256 ?? hashModel(modelPath)]);
  if (initialized.status === 'rejected') throw initialized.reason;
  const llama = initialized.value;
  try {
    if (hashed.status === 'rejected') throw hashed.reason;
    const result = await use({ llama, logger, sha256: hashed.value });
    NativeLogger.silence(llama);
    return result;
  } catch (cause) {
    NativeLogger.silence(llama);
    // Disposes what was loaded, too.
    await llama.dispose();
    throw cause;
  }
}

async function initialize(logger: NativeLogger): Promise<Llama> {
  try {
    return await getLlama({
      gpu: false, build: 'never', skipDownload: true, progressLogs: false, maxThreads: 1,
      // For these the library would ask the system for its memory, which a sandbox does not tell, and say so on standard error.
      ramPadding: 0, vramPadding: 0,
      logLevel: logger.level, logger: logger.receive,
    });
  } catch (cause) {
    throw new SpillwayError(
      'backend_unavailable',
      `the native library of node-llama-cpp could not be loaded for ${process.platform}-${process.arch} (${(cause as Error).message}); reinstall the package on this machine`,
      { cause },
    );
  }
}
