/** What is asked of a text before the model sees it: whether it is still wanted, and whether it is one that fits. */
import type { EmbedControl, TextOutcome, TruncatePolicy } from './backend.ts';

/** Whether a text that has not begun shall not begin. */
export function unwanted(control: EmbedControl, index: number, nowMs: number): TextOutcome | undefined {
  if (control.cancelled(index)) return untouched('cancelled');
  if (nowMs >= control.deadlineMs) return untouched('deadline');
  return undefined;
}

/** Tokenizing is synchronous and takes time by the byte, so what is refused anyway is refused before. */
export function refusedUnread(text: string, textBytesMax: number): TextOutcome | undefined {
  if (Buffer.byteLength(text) > textBytesMax) return { ...untouched('too_many_bytes'), limit: textBytesMax };
  return text.isWellFormed() ? undefined : untouched('not_unicode');
}

/** The tokens that remain of `tokens` when `excess` of them have to go, or undefined when none would remain. */
export function truncated<Token>(tokens: readonly Token[], excess: number, side: Exclude<TruncatePolicy, 'refuse'>): readonly Token[] | undefined {
  const kept = tokens.length - excess;
  if (kept <= 0) return undefined;
  return side === 'right' ? tokens.slice(0, kept) : tokens.slice(-kept);
}

/** The outcome of a text that was not tokenized. */
export function untouched(status: TextOutcome['status']): TextOutcome {
  return { status, tokens: 0, truncated: false };
}
