import { setTimeout as delay } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { findChromium, startChromium } from './chromium.ts';
import { PAGE_FILES } from './page-files.ts';
import type { PageReport } from './page-report.ts';
import { servePage } from './page-server.ts';

/** More than the patience of the page and one of its tests, so that it tells itself which of them wait in vain. */
const DEADLINE_MS = 50_000;
const TESTS_MIN = 100;

const chromium = findChromium();
const isRequired = process.env['CI'] === 'true' && process.env['SPILLWAY_REQUIRE_CHROMIUM'] === '1';
const REMEDY = 'install one (on Debian: apt-get install chromium) or name it in SPILLWAY_CHROMIUM';
if (chromium === undefined && !isRequired) console.warn(`No Chromium is found, so the litmus page is skipped: ${REMEDY}.`);

/** Opens the page and waits until it has run its tests. */
async function visit(): Promise<PageReport> {
  if (chromium === undefined) throw new Error(`SPILLWAY_REQUIRE_CHROMIUM is set and no Chromium is found: ${REMEDY}.`);
  await using server = await servePage();
  await using browser = startChromium(chromium, server.url);
  const failed = async (why: string): Promise<never> => {
    throw new Error(`The litmus page did not report. ${why} The end of the browser's log:\n${browser.log.join('\n')}`);
  };
  const watchdog = new AbortController();
  const expired = delay(DEADLINE_MS, `${DEADLINE_MS} ms are over.`, { signal: watchdog.signal });
  try {
    return await Promise.race([server.report, browser.ended.then(failed), expired.then(failed)]);
  } finally {
    watchdog.abort();
  }
}

describe.skipIf(chromium === undefined && !isRequired)('the litmus page', () => {
  let report: PageReport;
  beforeAll(async () => {
    report = await visit();
    if (report.failure !== undefined) throw new Error(`The litmus page failed: ${report.failure}`);
  });

  it('is open in a browser that isolates it, and has run its tests', () => {
    expect(report.userAgent).toContain('Chrome');
    expect(report.crossOriginIsolated).toBe(true);
    expect(report.tests.filter(({ state }) => state === 'pass').length).toBeGreaterThan(TESTS_MIN);
  });

  it.each(Object.entries(PAGE_FILES).map(([file, { passMin }]) => ({ file, passMin })))('passes $file', ({ file, passMin }) => {
    const tests = report.tests.filter((test) => test.file === file);
    const failures = tests.filter(({ state }) => state === 'fail');
    expect(failures.map(({ name, errors }) => `${name}: ${stripVTControlCharacters(errors.join('\n'))}`)).toEqual([]);
    expect(tests.filter(({ state }) => state === 'pass').length).toBeGreaterThanOrEqual(passMin);
  });
});
