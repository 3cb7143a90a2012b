/**
 * The runs as a picture: one row for each, the fault at the left edge, and a mark where each moment came.
 * All marks differ in shape as well as in colour. SVG with classes; the page brings the colours.
 */
import type { DrillTimeline } from './drill.ts';
import type { RunReport } from './report.ts';
import { ms } from './text-report.ts';

/** Rows at the most; of more runs the slowest and those around the median are shown. */
const ROWS_MAX = 40;
const ROW = 22;
const LEFT = 90;
const WIDTH = 900;
const RIGHT = 70;
const TOP = 30;
const TICKS = 5;

interface Mark {
  readonly key: keyof DrillTimeline | 'fault';
  readonly name: string;
  /** Around 0, 0; about ten units across. */
  readonly shape: string;
}

export const MARKS: readonly Mark[] = [
  { key: 'fault', name: 'fault', shape: '<path d="M-4-4L4 4M-4 4L4-4"/>' },
  { key: 'detectedMs', name: 'detected', shape: '<path d="M0-6L6 5H-6Z"/>' },
  { key: 'notReadyMs', name: 'not ready', shape: '<rect x="-4" y="-4" width="8" height="8"/>' },
  { key: 'restartedMs', name: 'restarted', shape: '<path d="M0-6L6 0L0 6L-6 0Z"/>' },
  { key: 'readyMs', name: 'ready', shape: '<circle r="5"/>' },
];

/** Runs to show, in their order, and a sentence if some are left out. */
export function rowsOf(runs: readonly RunReport[]): { readonly rows: readonly RunReport[]; readonly leftOut: number } {
  if (runs.length <= ROWS_MAX) return { rows: runs, leftOut: 0 };
  const bySpeed = runs.toSorted((a, b) => (a.timeline.readyMs ?? Infinity) - (b.timeline.readyMs ?? Infinity));
  const middle = Math.floor((runs.length - ROWS_MAX / 2) / 2);
  const chosen = new Set([...bySpeed.slice(-ROWS_MAX / 2), ...bySpeed.slice(middle, middle + ROWS_MAX / 2), ...runs.filter(({ failed }) => failed.length > 0).slice(0, ROWS_MAX)]);
  const rows = runs.filter((run) => chosen.has(run));
  return { rows, leftOut: runs.length - rows.length };
}

export function timelinePicture(rows: readonly RunReport[]): string {
  const lastMs = Math.max(...rows.flatMap(({ timeline }) => momentsOf(timeline).map(([, atMs]) => atMs)), 1);
  const stepMs = niceStep(lastMs / TICKS);
  const endMs = Math.ceil(lastMs / stepMs) * stepMs;
  const x = (atMs: number): number => round(LEFT + (atMs / endMs) * (WIDTH - LEFT - RIGHT));
  const height = TOP + rows.length * ROW + 10;
  const ticks = Array.from({ length: Math.round(endMs / stepMs) + 1 }, (_, index) => index * stepMs);
  return [
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="timeline-title">`,
    `<title id="timeline-title">Milliseconds from the fault until it was detected, the system was not ready, the actor was restarted and ready again, one row for each run.</title>`,
    ...ticks.map((atMs) => `<line class="tick" x1="${x(atMs)}" x2="${x(atMs)}" y1="${TOP - 6}" y2="${height - 8}"/><text class="scale" x="${x(atMs)}" y="${TOP - 12}">${round(atMs)} ms</text>`),
    ...rows.map((run, index) => rowPicture(run, TOP + index * ROW + ROW / 2, x)),
    '</svg>',
  ].join('\n');
}

function rowPicture({ run, timeline, failed }: RunReport, y: number, x: (atMs: number) => number): string {
  const moments = momentsOf(timeline);
  const lastMs = Math.max(...moments.map(([, atMs]) => atMs));
  const marks = moments.map(([mark, atMs]) => `<g class="mark ${mark.name.replace(' ', '-')}" transform="translate(${x(atMs)} ${y})">${mark.shape}<title>run ${run}: ${mark.name} after ${ms(atMs)} ms</title></g>`);
  return [
    `<g class="${failed.length === 0 ? 'row' : 'row failed'}">`,
    `<text class="run" x="${LEFT - 14}" y="${y + 4}">${failed.length === 0 ? '' : '✗ '}run ${run}</text>`,
    `<line class="outage" x1="${x(0)}" x2="${x(lastMs)}" y1="${y}" y2="${y}"/>`,
    ...marks,
    `<text class="total" x="${x(lastMs) + 12}" y="${y + 4}">${ms(lastMs)} ms</text>`,
    '</g>',
  ].join('');
}

function momentsOf(timeline: DrillTimeline): [Mark, number][] {
  return MARKS.flatMap((mark) => {
    const atMs = mark.key === 'fault' ? 0 : timeline[mark.key];
    return atMs === undefined ? [] : [[mark, atMs] satisfies [Mark, number]];
  });
}

/** 1, 2 or 5 times a power of ten, not below `leastMs`. */
function niceStep(leastMs: number): number {
  const power = 10 ** Math.floor(Math.log10(leastMs));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= leastMs)!;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
