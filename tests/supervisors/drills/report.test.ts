import { describe, expect, test } from 'vitest';
import { EMPTY_TALLY } from '../../../supervisors/drills/attempts.ts';
import { throwDrill } from '../../../supervisors/drills/crash-drills.ts';
import { drillCheck, type DrillRecord, type DrillTimeline } from '../../../supervisors/drills/drill.ts';
import { renderHtml } from '../../../supervisors/drills/html-report.ts';
import { lawBreaches } from '../../../supervisors/drills/law.ts';
import { reportOf, spreadOf, type DrillReport, type Findings } from '../../../supervisors/drills/report.ts';
import { renderPlan, renderText } from '../../../supervisors/drills/text-report.ts';
import type { Inspection } from '../../../kernel/index.ts';

const RESOURCES = { threads: 9, processes: 0, descriptors: 22, sharedMemoryBytes: 1_000 };
const HOSTILE = `<script>alert("1")</script> & 'so on'`;

function recordOf(timeline: DrillTimeline, found?: string): DrillRecord {
  return {
    timeline,
    lanes: { control: { ...EMPTY_TALLY, attempts: 2, acknowledged: 2, handled: 2 }, data: EMPTY_TALLY, telemetry: EMPTY_TALLY },
    restarts: 1,
    checks: [drillCheck('something holds', found === undefined, found ?? '')],
  };
}

function reportWith(findings: Partial<Findings> = {}): DrillReport {
  const records = findings.records ?? [recordOf({ detectedMs: 1, notReadyMs: 2, restartedMs: 20, readyMs: 25 })];
  return reportOf({
    drill: throwDrill,
    placement: 'thread',
    seed: 7,
    runsWanted: records.length,
    interrupted: false,
    before: RESOURCES,
    after: RESOURCES,
    leaked: {},
    startedAt: new Date(0),
    durationMs: 1_000,
    machine: { cpu: 'a processor', cores: 2, memoryBytes: 2 ** 30, system: 'linux', node: '24', v8: '13', version: '1.2.3' },
    ...findings,
    records,
  });
}

describe('a spread', () => {
  test.each([
    ['nothing', [], undefined],
    ['one value', [3], { p50: 3, p99: 3, max: 3 }],
    ['four values', [4, 1, 3, 2], { p50: 2, p99: 4, max: 4 }],
    ['two hundred values', Array.from({ length: 200 }, (_, index) => 200 - index), { p50: 100, p99: 198, max: 200 }],
  ])('of %s is by nearest rank', (_, values, expected) => {
    expect(spreadOf(values)).toEqual(expected);
  });
});

describe('the verdict', () => {
  test.each<[DrillReport['verdict'], Partial<Findings>, readonly string[]]>([
    ['passed', {}, []],
    ['failed', { records: [recordOf({}), recordOf({}, 'three')] }, ['something holds: not so in 1 of 2 runs (three)']],
    ['failed', { leaked: { threads: 2 } }, ['leaked threads: 2']],
    ['aborted', { aborted: 'In run 2: it took too long', leaked: { processes: 1 } }, ['In run 2: it took too long', 'leaked processes: 1']],
    ['interrupted', { interrupted: true }, []],
    ['failed', { interrupted: true, records: [recordOf({}, 'none')] }, ['something holds: not so in 1 of 1 runs (none)']],
  ])('is %s', (verdict, findings, reasons) => {
    expect(reportWith(findings)).toMatchObject({ verdict, reasons });
  });
});

test('times are counted from the fault, and beyond what is configured', () => {
  const records = [recordOf({ detectedMs: 1, readyMs: 25 }), recordOf({ detectedMs: 3, readyMs: 5 }), recordOf({})];
  const { mttdMs, mttrMs, mttrBeyondMs, configuredWaitMs } = reportWith({ records });
  expect(configuredWaitMs).toBe(10);
  expect({ mttdMs, mttrMs, mttrBeyondMs }).toEqual({ mttdMs: { p50: 1, p99: 3, max: 3 }, mttrMs: { p50: 5, p99: 25, max: 25 }, mttrBeyondMs: { p50: 0, p99: 15, max: 15 } });
});

test('the counts of all runs are added up', () => {
  const { lanes, restarts } = reportWith({ records: [recordOf({}), recordOf({})] });
  expect(lanes.control).toEqual({ ...EMPTY_TALLY, attempts: 4, acknowledged: 4, handled: 4 });
  expect(restarts).toEqual({ total: 2, expected: 2, intensity: 3, periodMs: 5_000 });
});

describe('the text', () => {
  test('says what is believed, touched and given up on before anything is broken', () => {
    const plan = renderPlan(throwDrill);
    for (const said of ['hypothesis', throwDrill.hypothesis, 'blast radius', throwDrill.blastRadius, 'abort rule', '20 s']) expect(plan).toContain(said);
  });

  test('begins with the verdict and its reasons, and has the words of the trade', () => {
    const text = renderText(reportWith({ leaked: { threads: 1 } }));
    expect(text).toMatch(/^FAILED {2}throw on placement thread: 1 of 1 runs in 1\.0 s, seed 7\n {2}leaked threads: 1\n/);
    for (const word of ['MTTD', 'MTTR', 'attempts', 'acknowledged', 'lost', 'recovered', 'unexpected', 'duplicated', 'shed', 'dead lettered']) expect(text).toContain(word);
  });
});

/** Elements by name with their attributes, in order. @throws when a tag is not closed where it has to be */
function elementsOf(html: string): { readonly name: string; readonly attributes: string }[] {
  const withoutStyle = html.replace(/<style>[^<]*<\/style>/, '');
  const elements: { name: string; attributes: string }[] = [];
  const open: string[] = [];
  for (const [, closing, name, attributes, empty] of withoutStyle.matchAll(/<(\/?)([a-zA-Z][a-zA-Z0-9]*)((?:\s+[\w-]+(?:="[^"<>]*")?)*)\s*(\/?)>/g)) {
    if (closing === '/') {
      if (open.pop() !== name) throw new Error(`</${name}> closes what is not open.`);
    } else {
      elements.push({ name: name!, attributes: attributes! });
      if (empty !== '/' && name !== 'meta') open.push(name!);
    }
  }
  if (open.length > 0) throw new Error(`Still open: ${open.join(', ')}.`);
  return elements;
}

describe('the page', () => {
  test('is well-formed, runs nothing and loads nothing', () => {
    const html = renderHtml(reportWith());
    const elements = elementsOf(html);
    expect(html.startsWith('<!doctype html>\n<html lang="en">')).toBe(true);
    expect(elements.filter(({ name }) => name === 'svg').length).toBeGreaterThan(0);
    expect(elements.filter(({ name }) => ['script', 'link', 'img', 'iframe', 'object'].includes(name))).toEqual([]);
    expect(elements.filter(({ attributes }) => /\s(?:src|href|on\w+)=/.test(attributes))).toEqual([]);
    expect(html).not.toMatch(/url\(|@import/);
    expect(html).toContain('prefers-color-scheme: dark');
  });

  test('shows a mark for each moment of each run, and names it for those who do not see it', () => {
    const html = renderHtml(reportWith());
    for (const moment of ['fault after 0.00 ms', 'detected after 1.00 ms', 'not ready after 2.00 ms', 'restarted after 20.0 ms', 'ready after 25.0 ms']) expect(html).toContain(`<title>run 1: ${moment}</title>`);
    expect(html).toContain('aria-labelledby="timeline-title"');
  });

  test('escapes whatever a drill brings along', () => {
    const drill = { ...throwDrill, name: HOSTILE, hypothesis: HOSTILE, blastRadius: HOSTILE, abortRule: HOSTILE };
    const html = renderHtml(reportWith({ drill, aborted: HOSTILE, records: [recordOf({ readyMs: 1 }, HOSTILE)] }));
    expect(html).not.toContain('<script');
    expect(html).not.toContain('alert("1")');
    expect(html).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;so on&#39;');
    elementsOf(html);
  });

  test('shows of many runs the slowest, those in the middle and those that failed, and says so', () => {
    const records = Array.from({ length: 100 }, (_, index) => recordOf({ readyMs: index + 1 }, index === 0 ? 'wrong' : undefined));
    const html = renderHtml(reportWith({ records }));
    expect(html.match(/class="total"/g)).toHaveLength(41);
    expect(html).toContain('✗ run 1<');
    expect(html).toContain('>run 100<');
    expect(html).toContain('59 runs are left out');
  });

  test('can show a drill that was aborted before its first run', () => {
    const html = renderHtml(reportWith({ records: [], aborted: 'In run 1: nothing came back' }));
    elementsOf(html);
    expect(html).toContain('In run 1: nothing came back');
    expect(html).not.toContain('<h2>Timeline</h2>');
  });
});

describe('the accounting law', () => {
  const inspectionOf = (counts: Record<string, number>, level = 0): Inspection => {
    const all = { arrived: 0, handled: 0, failed: 0, shed: 0, expired: 0, deadLettered: 0, ...counts };
    return { threads: [{ actors: [{ name: 'it', level, counts: all }] }] } as unknown as Inspection;
  };

  test.each([
    [{ arrived: 6, handled: 1, failed: 1, shed: 1, expired: 1, deadLettered: 2 }, 0],
    [{ arrived: 3, handled: 1 }, 2],
  ])('holds for %j with %d that wait', (counts, level) => {
    expect(lawBreaches(inspectionOf(counts, level))).toEqual([]);
  });

  test('names the actor whose counts do not add up', () => {
    expect(lawBreaches(inspectionOf({ arrived: 3, handled: 1 }, 1))).toEqual(['it: 3 arrived, 1 ended, 1 wait']);
  });
});
