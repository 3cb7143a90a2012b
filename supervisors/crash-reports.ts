/** The last reports of crashes, in memory and, where a folder is given, as one JSON file each. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../kernel/index.ts';
import type { CrashReport } from './crash-report.ts';

export interface CrashReportOptions {
  /** Where a file is written for each report; made if it is not there. Default: none is written. */
  readonly folder?: string;
  /** Reports that are kept, in memory and in the folder; the oldest go first. Default 64. */
  readonly keep?: number;
}

const DEFAULT_KEEP = 64;
/** Well below what a record of the control lane takes. */
const MESSAGE_BYTES = 24_576;
const SUFFIX = '.crash.json';

export class CrashReports {
  readonly #keep: number;
  readonly #folder: string | undefined;
  readonly #log: Log;
  #reports: readonly CrashReport[] = [];
  #written = 0;

  constructor({ folder, keep = DEFAULT_KEEP }: CrashReportOptions, log: Log) {
    this.#keep = keep;
    this.#folder = folder;
    this.#log = log;
  }

  /** The latest of them that fit one message, oldest first. */
  latest(withinBytes: number = MESSAGE_BYTES): readonly CrashReport[] {
    let left = withinBytes;
    const first = this.#reports.findLastIndex((report) => (left -= Buffer.byteLength(JSON.stringify(report))) < 0);
    return this.#reports.slice(first + 1);
  }

  readonly add = (report: CrashReport): void => {
    this.#reports = [...this.#reports, report].slice(-this.#keep);
    if (this.#folder !== undefined) this.#write(this.#folder, report);
  };

  /** A report that cannot be written must not keep the child from being restarted. */
  #write(folder: string, report: CrashReport): void {
    try {
      mkdirSync(folder, { recursive: true });
      // Sorted by name they are sorted by time.
      const number = String(++this.#written).padStart(6, '0');
      const name = `${new Date(report.atMs).toISOString().replaceAll(':', '-')}-${number}-${report.child.replaceAll(/[^\w.-]/g, '_')}${SUFFIX}`;
      writeFileSync(join(folder, name), `${JSON.stringify(report, undefined, 2)}\n`, { mode: 0o600 });
      const files = readdirSync(folder).filter((file) => file.endsWith(SUFFIX)).toSorted();
      for (const file of files.slice(0, -this.#keep)) rmSync(join(folder, file), { force: true });
    } catch (error) {
      this.#log.error('a crash report could not be written', { folder, error: String(error) });
    }
  }
}
