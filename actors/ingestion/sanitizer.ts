/**
 * Masking secrets before a text is embedded or stored.
 *
 * secretlint's recommended preset knows the tokens of some thirty services; `secret-rules.ts` adds
 * what it misses. A secret is overwritten with `*` so that neither a byte offset nor a line moves:
 * a code point of n UTF-8 bytes becomes n stars, line ends stay. Findings name kind and place; the
 * value is in no finding, no log and no error.
 *
 * Two rules of the preset are left out on purpose. `gcp` opens the file named in its input again,
 * following links and without a limit; the key inside such a file is found as a private key anyway.
 * `filter-comments` lets a comment in the text switch the other rules off, and the text is not
 * ours to trust.
 *
 * secretlint compares all findings of one call with each other, and prepares an index of lines per
 * call. So a text goes to it in overlapping windows of bounded size, and only windows in which one
 * of its rules could find something (`secret-anchors.ts`).
 */
import { lintSource } from '@secretlint/core';
import { rules as presetRules } from '@secretlint/secretlint-rule-preset-recommend';
import { SpillwayError } from '../../kernel/index.ts';
import type { IngestionErrorCode } from './error-codes.ts';
import { anchorsOf } from './secret-anchors.ts';
import { findSecrets } from './secret-rules.ts';
import type { SecretRange } from './secret-rules.ts';

export interface SecretFinding {
  /** Such as `github`, `aws_access_key_id`, `private_key`. */
  readonly kind: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based, in UTF-16 code units, as editors count. */
  readonly column: number;
}

export interface SanitizedText {
  /** The text with its secrets masked; the very same string when there are none. */
  readonly text: string;
  /** In order of place. */
  readonly findings: readonly SecretFinding[];
}

export interface Sanitizer {
  /**
   * @param path for messages only
   * @throws SpillwayError `sanitizer_failed`; its message names the path, never the text
   */
  sanitize(text: string, path: string): Promise<SanitizedText>;
}

const WINDOW_UNITS = 65_536;
/** More than the longest match of any rule: a private key of 10,000 characters, a token of 12,020. */
const OVERLAP_UNITS = 16_384;
const LEFT_OUT: ReadonlySet<string> = new Set(['gcp', 'filter-comments']);

const nameOf = (ruleId: string): string => ruleId.replace(/^@secretlint\/secretlint-rule-/, '');

/** @param options `anchors: 'off'` shows every text to every rule; for tests of the anchors. */
export function createSanitizer(options: { anchors?: 'on' | 'off' } = {}): Sanitizer {
  const rules = presetRules.filter((rule) => !LEFT_OUT.has(nameOf(rule.meta.id)));
  const config = { rules: rules.map((rule) => ({ id: rule.meta.id, rule, options: {} })) };
  const anchors = options.anchors === 'off' ? /(?:)/ : anchorsOf(rules.map((rule) => nameOf(rule.meta.id)));

  async function lint(window: string, offset: number): Promise<SecretRange[]> {
    // No file path: a rule that gets one may open the file.
    const source = { filePath: '', ext: '.txt', content: window, contentType: 'text' as const };
    const { messages } = await lintSource({ source, options: { config, noPhysicFilePath: true } });
    // secretlint counts from behind a byte order mark.
    const from = offset + (window.charCodeAt(0) === 0xfeff ? 1 : 0);
    return messages.map(({ range, ruleId }) => ({ start: from + range[0], end: from + range[1], kind: nameOf(ruleId) }));
  }

  return {
    async sanitize(text, path) {
      const ranges = findSecrets(text);
      for (const [start, end] of windowsOf(text)) {
        const window = text.slice(start, end);
        if (!anchors.test(window)) continue;
        try {
          ranges.push(...await lint(window, start));
        } catch (error) {
          // The cause is dropped: its message may quote the text.
          const name = error instanceof Error ? error.name : typeof error;
          const message = `The secret scanner stopped on ${path} (${name}), so the file was not passed on. Exclude it, or report the file's kind.`;
          throw new SpillwayError<IngestionErrorCode>('sanitizer_failed', message, { details: { path } });
        }
      }
      return ranges.length === 0 ? { text, findings: [] } : mask(text, merge(ranges));
    },
  };
}

/** Windows that overlap, each begun at a line or word where there is one near. */
function* windowsOf(text: string): Generator<[number, number]> {
  for (let start = 0; ; ) {
    const end = Math.min(text.length, start + WINDOW_UNITS);
    yield [start, end];
    if (end === text.length) return;
    const wanted = end - OVERLAP_UNITS;
    const near = text.slice(wanted - 1024, wanted).search(/\s\S*$/);
    start = near === -1 ? wanted : wanted - 1024 + near + 1;
  }
}

/** Ranges in order, those that overlap made one; it keeps the kind of the range that began first. */
function merge(ranges: SecretRange[]): SecretRange[] {
  const merged: SecretRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = merged.at(-1);
    if (last === undefined || range.start >= last.end) merged.push(range);
    else if (range.end > last.end) merged[merged.length - 1] = { ...last, end: range.end };
  }
  return merged;
}

function mask(text: string, ranges: readonly SecretRange[]): SanitizedText {
  const parts: string[] = [];
  const findings: SecretFinding[] = [];
  let at = 0;
  let line = 1;
  let lineStart = 0;
  // Kept from one finding to the next: searching again would be quadratic in a text of one line.
  let feed = text.indexOf('\n');
  for (const { start, end, kind } of ranges) {
    for (; feed !== -1 && feed < start; feed = text.indexOf('\n', feed + 1)) {
      line += 1;
      lineStart = feed + 1;
    }
    findings.push({ kind, line, column: start - lineStart + 1 });
    const stars = text.slice(start, end).replace(/[^\r\n]/gu, (point) => '*'.repeat(Buffer.byteLength(point)));
    parts.push(text.slice(at, start), stars);
    at = end;
  }
  parts.push(text.slice(at));
  return { text: parts.join(''), findings };
}
