/** How a run shows itself: a live line on a terminal, plain lines elsewhere, or one JSON object a line. */
import type { Notice } from '../ingestion/index.ts';
import { printable } from './printable.ts';

/** Counted so far, read from shared memory. */
export interface Progress {
  readonly files: number;
  readonly changedFiles: number;
  readonly chunks: number;
  readonly embedded: number;
  readonly skipped: number;
  readonly masked: number;
  readonly restarts: number;
  readonly seconds: number;
  readonly textsPerSecond: number;
  /** Texts that an embedder has in its hands or in its lane. */
  readonly queued: number;
}

export interface Done {
  readonly files: number;
  /** Chunks that the index shows now. */
  readonly chunks: number;
  readonly embedded: number;
  readonly skipped: number;
  /** Chunks that the index no longer shows. */
  readonly removed: number;
  readonly masked: number;
  readonly restarts: number;
  readonly seconds: number;
  readonly textsPerSecond: number;
}

export interface RunReporter {
  progress(progress: Progress): void;
  notice(notice: Notice): void;
  say(message: string): void;
  done(done: Done, index: string): void;
  interrupted(progress: Progress): void;
  failed(code: string, message: string): void;
}

type Write = (text: string) => void;

export interface ReporterOptions {
  readonly json: boolean;
  readonly verbose: boolean;
  readonly stdout: Write;
  readonly stderr: Write;
  /** Whether standard error is a terminal that can show a live line. */
  readonly live: boolean;
}

export function createReporter(options: ReporterOptions): RunReporter {
  if (options.json) return jsonReporter(options);
  return textReporter(options);
}

function jsonReporter({ stdout, verbose }: ReporterOptions): RunReporter {
  const emit = (event: string, fields: object): void => stdout(`${JSON.stringify({ event, ...fields })}\n`);
  return {
    progress: (progress) => emit('progress', progress),
    notice({ kind, ...fields }) {
      if (verbose) emit(kind, fields);
    },
    say: (message) => emit('note', { message }),
    done: (done) => emit('done', done),
    interrupted: (progress) => emit('interrupted', progress),
    failed: (code, message) => emit('error', { code, message }),
  };
}

/** Erases the current line of a terminal. */
const CLEAR_LINE = '\r\u001b[2K';

function textReporter({ stdout, stderr, verbose, live }: ReporterOptions): RunReporter {
  const line = (text: string): void => stderr(live ? `${CLEAR_LINE}${text}\n` : `${text}\n`);
  return {
    progress(progress) {
      stderr(live ? `${CLEAR_LINE}${describe(progress)}` : `${describe(progress)}\n`);
    },
    notice({ kind, path, reason, detail }) {
      if (verbose) line(printable(`${kind} ${path}: ${reason}${detail === '' ? '' : ` (${detail})`}`));
    },
    say: line,
    done(done, index) {
      if (live) stderr(CLEAR_LINE);
      stdout(`${summary(done)}\nThe index is ${index}. Search it: spillway search "..."\n`);
    },
    interrupted(progress) {
      line(`Interrupted after ${describe(progress)}. What was embedded is kept; run the same command again to go on.`);
    },
    failed: (code, message) => line(`spillway: ${message} [${code}]`),
  };
}

function describe({ files, chunks, embedded, textsPerSecond, queued, restarts, skipped }: Progress): string {
  const parts = [`${files} files`, `${embedded}/${chunks} chunks`, `${Math.round(textsPerSecond)} texts/s`, `${queued} queued`];
  if (skipped > 0) parts.push(`${skipped} skipped`);
  if (restarts > 0) parts.push(`${restarts} restarts`);
  return parts.join(', ');
}

function summary({ files, chunks, embedded, skipped, removed, masked, restarts, seconds, textsPerSecond }: Done): string {
  const rate = embedded === 0 ? '' : ` (${Math.round(textsPerSecond)} texts/s)`;
  const rest = [
    `${removed} chunks removed`,
    `${skipped} entries skipped`,
    `${masked} secrets masked`,
    `${restarts} restarts`,
  ].join(', ');
  return `${files} files, ${chunks} chunks in the index; ${embedded} embedded in ${seconds.toFixed(1)} s${rate}; ${rest}.`;
}
