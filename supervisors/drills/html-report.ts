/**
 * A report as one page: no scripts, nothing from elsewhere, light or dark as the reader's system is. Whatever
 * comes from outside of this file is escaped, since a drill of one's own may bring any text along.
 */
import { LANES } from '../../kernel/index.ts';
import type { DrillReport, Spread } from './report.ts';
import { RESOURCE_NAMES } from './resources.ts';
import { TALLY_WORDS, ms, wordOf } from './text-report.ts';
import { MARKS, rowsOf, timelinePicture } from './timeline-picture.ts';

const STYLE = `
:root { color-scheme: light dark; --ground: #fff; --ink: #1a1c20; --faint: #5c6370; --line: #d5d8de; --good: #14703a; --bad: #b3261e;
  --fault: #b3261e; --detected: #a15c00; --not-ready: #6b7280; --restarted: #1d5fbf; --ready: #14703a; }
@media (prefers-color-scheme: dark) { :root { --ground: #16181c; --ink: #e6e8ec; --faint: #9aa3b2; --line: #363b45; --good: #5fd08c; --bad: #ff8a80;
  --fault: #ff8a80; --detected: #f0b357; --not-ready: #a9b1bf; --restarted: #82b1ff; --ready: #5fd08c; } }
body { background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
.verdict { font-weight: 700; } .passed, .interrupted { color: var(--good); } .failed, .aborted { color: var(--bad); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; } dt { color: var(--faint); } dd { margin: 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .9rem; text-align: right; } th:first-child, td:first-child { padding-left: 0; text-align: left; }
svg { display: block; height: auto; min-width: 40rem; width: 100%; } svg text { fill: var(--faint); font: 11px system-ui, sans-serif; }
.scale { text-anchor: middle; } .run { text-anchor: end; } .tick { stroke: var(--line); } .outage { stroke: var(--line); stroke-width: 5; }
.row.failed text { fill: var(--bad); }
.mark { stroke-width: 1.5; } .fault { fill: none; stroke: var(--fault); stroke-width: 2.5; } .detected { fill: var(--detected); }
.not-ready { fill: var(--ground); stroke: var(--not-ready); } .restarted { fill: var(--restarted); } .ready { fill: var(--ready); }
.legend { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; padding: 0; } .legend svg { display: inline-block; min-width: 0; vertical-align: middle; width: 16px; }
.legend li { white-space: nowrap; } footer { color: var(--faint); font-size: .9rem; margin-top: 2rem; }
`;

/** @returns a whole HTML document */
export function renderHtml(report: DrillReport): string {
  const { drill, placement, verdict, reasons, runsDone, runsWanted, seed, durationMs, startedAt } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Drill ${escaped(drill)}: ${verdict}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Drill ${escaped(drill)}: <span class="verdict ${verdict}">${verdict}</span></h1>
<p>${runsDone} of ${runsWanted} runs on placement ${escaped(placement)}, seed ${seed}, ${(durationMs / 1_000).toFixed(1)} s, begun <time>${escaped(startedAt)}</time>.</p>
${reasons.length === 0 ? '' : `<ul class="failed">${reasons.map((reason) => `<li>${escaped(reason)}</li>`).join('')}</ul>`}
<dl>
<dt>Hypothesis</dt><dd>${escaped(report.hypothesis)}</dd>
<dt>Blast radius</dt><dd>${escaped(report.blastRadius)}</dd>
<dt>Abort rule</dt><dd>${escaped(report.abortRule)}</dd>
</dl>
${timelineSection(report)}
${timesSection(report)}
${lanesSection(report)}
${restSection(report)}
</main>
${footer(report)}
</body>
</html>
`;
}

function timelineSection({ runs }: DrillReport): string {
  const { rows, leftOut } = rowsOf(runs);
  if (rows.length === 0) return '';
  const legend = MARKS.map(({ name, shape }) => `<li><svg viewBox="-8 -8 16 16" aria-hidden="true"><g class="mark ${name.replace(' ', '-')}">${shape}</g></svg> ${name}</li>`);
  const note = leftOut === 0 ? '' : `<p>${leftOut} runs are left out; shown are the slowest, those around the median, and those that failed.</p>`;
  return `<section><h2>DrillTimeline</h2><ul class="legend">${legend.join('')}</ul><div class="scroll">${timelinePicture(rows)}</div>${note}</section>`;
}

function timesSection(report: DrillReport): string {
  const row = (name: string, spread: Spread | undefined): string[] => [name, ...(spread === undefined ? ['–', '–', '–'] : [spread.p50, spread.p99, spread.max].map(ms))];
  const { target, mttrBeyondMs, configuredWaitMs } = report;
  const note =
    target === undefined || mttrBeyondMs === undefined
      ? ''
      : ` The target for ${target.what} is a p99 of ${target.p99Ms} ms beyond the configured waits: ${mttrBeyondMs.p99 <= target.p99Ms ? 'met' : 'not met here'}.`;
  return `<section><h2>Times in milliseconds</h2>${table(
    ['', 'p50', 'p99', 'max'],
    [row('MTTD, until detected', report.mttdMs), row('MTTR, until ready', report.mttrMs), row('MTTR beyond configured waits', mttrBeyondMs)],
  )}<p>Configured waits: ${ms(configuredWaitMs)} ms.${escaped(note)}</p></section>`;
}

function lanesSection({ lanes }: DrillReport): string {
  const rows = TALLY_WORDS.map((word) => [wordOf(word), ...LANES.map((lane) => String(lanes[lane][word]))]);
  return `<section><h2>Messages</h2>${table(['', ...LANES], rows)}</section>`;
}

function restSection({ checks, restarts, before, after }: DrillReport): string {
  const found = checks.map(({ name, passed, failed, found = '' }) => [name, String(passed), String(failed), found]);
  const left = RESOURCE_NAMES.map((name) => [wordOf(name), String(before[name] ?? 'unknown'), String(after[name] ?? 'unknown')]);
  return [
    `<section><h2>Checks</h2>${table(['', 'held', 'failed', 'found'], found)}</section>`,
    `<section><h2>Restarts</h2><p>${restarts.total} of ${restarts.expected} expected. The intensity permits ${restarts.intensity} within ${restarts.periodMs / 1_000} s to each run.</p></section>`,
    `<section><h2>Left over</h2>${table(['', 'before', 'after'], left)}</section>`,
  ].join('\n');
}

function footer({ machine }: DrillReport): string {
  const { cpu, cores, memoryBytes, system, node, v8, version, commit } = machine;
  const parts = [cpu, `${cores} cores`, `${(memoryBytes / 2 ** 30).toFixed(1)} GiB`, system, `Node ${node}`, `V8 ${v8}`, `Spillway ${version}`, ...(commit === undefined ? [] : [`commit ${commit}`])];
  return `<footer>${escaped(parts.join(', '))}</footer>`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = (row: readonly string[]): string => row.map((cell, index) => (index === 0 ? `<th scope="row">${escaped(cell)}</th>` : `<td>${escaped(cell)}</td>`)).join('');
  return `<div class="scroll"><table><thead><tr>${head.map((cell) => (cell === '' ? '<td></td>' : `<th scope="col">${escaped(cell)}</th>`)).join('')}</tr></thead><tbody>${rows.map((row) => `<tr>${cells(row)}</tr>`).join('')}</tbody></table></div>`;
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
