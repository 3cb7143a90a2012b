/**
 * What a scheduler may hold, by class, and how long it may let a request of a class wait.
 */
import { PRIORITIES, type Priority } from './embed-request.ts';

export interface ClassLimits {
  /** Texts of unfinished requests. */
  readonly textsMax: number;
  /** Bytes of these texts, counted as two for each UTF-16 unit. */
  readonly bytesMax: number;
  /** A request is refused when it is likely to wait longer before its first text is sent; `Infinity` for never. */
  readonly waitMsMax: number;
}

export interface SchedulerLimits {
  readonly interactive?: Partial<ClassLimits>;
  readonly normal?: Partial<ClassLimits>;
  readonly bulk?: Partial<ClassLimits>;
  /**
   * Milliseconds that one unit should keep its worker busy: long enough to hide the cost of a message, short
   * enough to be cancelled, and to let another class or key have its turn. Default 50.
   */
  readonly unitMs?: number;
}

export interface CompleteLimits extends Readonly<Record<Priority, ClassLimits>> {
  readonly unitMs: number;
}

const MEBIBYTE = 1024 * 1024;

/** Interactive requests are few and small, and worthless when late; bulk has nobody who looks at a clock. */
const DEFAULT_LIMITS: CompleteLimits = {
  interactive: { textsMax: 4_096, bytesMax: 8 * MEBIBYTE, waitMsMax: 2_000 },
  normal: { textsMax: 65_536, bytesMax: 64 * MEBIBYTE, waitMsMax: 30_000 },
  bulk: { textsMax: 262_144, bytesMax: 256 * MEBIBYTE, waitMsMax: Infinity },
  unitMs: 50,
};

/** @throws TypeError naming the first limit that is not a number above zero */
export function completeLimits(limits: SchedulerLimits = {}): CompleteLimits {
  const unitMs = positive('unitMs', limits.unitMs ?? DEFAULT_LIMITS.unitMs);
  const [interactive, normal, bulk] = PRIORITIES.map((priority) => {
    const complete = { ...DEFAULT_LIMITS[priority], ...limits[priority] };
    for (const [name, value] of Object.entries(complete)) positive(`${priority}.${name}`, value);
    return complete;
  }) as [ClassLimits, ClassLimits, ClassLimits];
  return { interactive, normal, bulk, unitMs };
}

function positive(name: string, value: number): number {
  if (value > 0) return value;
  throw new TypeError(`The scheduler's limit ${name} is a number above zero; got ${value}.`);
}
