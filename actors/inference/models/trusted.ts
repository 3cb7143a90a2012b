/**
 * The hashes of models whose first load has been survived by a process made for that (quarantine.ts).
 *
 * A hash is trusted for good: the same bytes give the same load. What is kept is bounded, and the hash
 * that has been there longest makes room; its model is then tried once more, which costs only time. For
 * the same reason a file that cannot be understood counts as empty.
 */
import { join } from 'node:path';
import { cacheFolder, validatorOf } from '../../../kernel/index.ts';
import { LockedFile } from './locked-file.ts';

const TRUSTED_MAX = 1_024;
const VERSION = 1;
const SHA256 = /^[0-9a-f]{64}$/;

/** How a model has passed. */
export interface TrustRecord {
  readonly sha256: string;
  readonly backend: string;
  /** What was tried, in a few words for people: `loaded in a sandboxed process in 412 ms`. */
  readonly how: string;
  /** ISO 8601. */
  readonly at: string;
}

export interface TrustOptions {
  /** Default: the user's cache folder. */
  readonly cacheDir?: string;
  /** The clock, in ms since the epoch. */
  readonly now?: () => number;
}

interface TrustedFile {
  readonly version: number;
  /** The latest last. */
  readonly trusted: readonly TrustRecord[];
}

const validate = validatorOf({
  properties: {
    version: { type: 'uint32' },
    trusted: {
      elements: {
        properties: { sha256: { type: 'string' }, backend: { type: 'string' }, how: { type: 'string' }, at: { type: 'string' } },
      },
    },
  },
});

const EMPTY: TrustedFile = { version: VERSION, trusted: [] };

/** Whether the model of this hash has passed. A file that cannot be read trusts nothing. */
export function isTrusted(sha256: string, options: TrustOptions = {}): boolean {
  return trustOf(sha256, options) !== undefined;
}

/** How the model of this hash has passed, if it has. */
export function trustOf(sha256: string, options: TrustOptions = {}): TrustRecord | undefined {
  return fileOf(options).read().trusted.find((record) => record.sha256 === sha256);
}

/**
 * Keeps that the model of this hash has passed.
 *
 * @throws SpillwayError `registry_busy`, `registry_unwritable`
 */
export async function trust(sha256: string, { backend, how }: Pick<TrustRecord, 'backend' | 'how'>, options: TrustOptions = {}): Promise<void> {
  if (!SHA256.test(sha256)) throw new TypeError(`a model's hash is 64 hexadecimal digits; got ${JSON.stringify(sha256.slice(0, 80))}`);
  const record: TrustRecord = { sha256, backend, how: how.slice(0, 200), at: new Date((options.now ?? Date.now)()).toISOString() };
  await fileOf(options).update(({ trusted }) => ({
    version: VERSION,
    trusted: [...trusted.filter((other) => other.sha256 !== sha256), record].slice(-TRUSTED_MAX),
  }));
}

/** Takes a hash back, so that its model is tried again. @returns whether it was trusted */
export async function distrust(sha256: string, options: TrustOptions = {}): Promise<boolean> {
  if (!isTrusted(sha256, options)) return false;
  await fileOf(options).update(({ trusted }) => ({ version: VERSION, trusted: trusted.filter((other) => other.sha256 !== sha256) }));
  return true;
}

function fileOf({ cacheDir = cacheFolder() }: TrustOptions): LockedFile<TrustedFile> {
  return new LockedFile<TrustedFile>({
    path: join(cacheDir, 'trusted-models.json'),
    empty: EMPTY,
    broken: 'empty',
    parse(parsed) {
      validate(parsed);
      const file = parsed as TrustedFile;
      return file.version === VERSION ? file : EMPTY;
    },
  });
}
