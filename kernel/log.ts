/**
 * Logging from any thread. A line is a telemetry record to the guardian, who alone writes; it never
 * blocks the one who logs, and under a flood lines are lost and counted rather than queued.
 */
import { createRequire } from 'node:module';
import { inspect } from 'node:util';
import type { DestinationStream, Logger, pino as Pino } from 'pino';
import type { Clock } from './clock.ts';

/** Levels with pino's numbers. */
export const LOG_LEVELS = { debug: 20, info: 30, warn: 40, error: 50 } as const;
export type LogLevel = keyof typeof LOG_LEVELS;

/** From which level on lines are written; `silent` writes none. */
export const LOG_THRESHOLDS = { ...LOG_LEVELS, silent: Infinity } as const;
export type LogThreshold = keyof typeof LOG_THRESHOLDS;

export type LogFields = Readonly<Record<string, unknown>>;

export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

export interface LogRecord {
  readonly level: number;
  readonly timeMs: number;
  readonly actor: string;
  readonly message: string;
  readonly fields: unknown;
}

/** Characters of one field, in a line whose fields are no plain data. */
const FIELD_CHARACTERS = 2_000;

/** The fields of a line as text, for those that hold more than plain data. */
export function plainFields(fields: unknown): LogFields {
  const text = (value: unknown): string => inspect(value, { depth: 2 }).slice(0, FIELD_CHARACTERS);
  return Object.fromEntries(Object.entries(fields as LogFields).map(([key, value]) => [key, text(value)]));
}

/**
 * What sends lines to whoever writes them.
 * @param post 0 or a refusal; throws where a field cannot be sent
 */
export function postLog(post: (record: LogRecord) => number, lost: () => void): (record: LogRecord) => void {
  return (record) => {
    let result: number;
    try {
      result = post(record);
    } catch {
      // Fields may hold anything, an Error most of all; whoever logs must not fail for it.
      result = post({ ...record, fields: plainFields(record.fields) });
    }
    if (result < 0) lost();
  };
}

/** A log whose lines go through `emit`; lines below `minimum` cost one comparison. */
export function createLog(actor: string, minimum: LogThreshold, clock: Clock, emit: (record: LogRecord) => void): Log {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (LOG_LEVELS[level] < LOG_THRESHOLDS[minimum]) return;
      emit({ level: LOG_LEVELS[level], timeMs: clock.wallMs(), actor, message, fields });
    };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/**
 * Writes log records as pino's JSON lines. The default destination is standard error and synchronous:
 * an asynchronous one throws when the process exits at once, and the thread that writes has no other
 * work. pino is loaded by `prepare`, or else with the first line: threads that only run an actor never do.
 */
export class LogWriter {
  readonly #minimum: LogThreshold;
  readonly #destination: DestinationStream | undefined;
  #logger: Logger | undefined;

  constructor(minimum: LogThreshold, destination?: DestinationStream) {
    this.#minimum = minimum;
    this.#destination = destination;
  }

  /** Loads what it takes to write, so that the first line, which may tell of a crash, holds up nobody. */
  prepare(): void {
    if (this.#minimum !== 'silent') this.#logger ??= this.#open();
  }

  write(record: LogRecord): void {
    const level = (Object.keys(LOG_LEVELS) as LogLevel[]).find((name) => LOG_LEVELS[name] >= record.level) ?? 'error';
    const fields = typeof record.fields === 'object' && record.fields !== null ? record.fields : { value: record.fields };
    this.#logger ??= this.#open();
    this.#logger[level]({ ...fields, time: record.timeMs, actor: record.actor }, record.message);
  }

  #open(): Logger {
    const { pino } = createRequire(import.meta.url)('pino') as { pino: typeof Pino };
    const destination = this.#destination ?? pino.destination({ dest: 2, sync: true });
    return pino({ level: this.#minimum, base: null, timestamp: false }, destination);
  }
}
