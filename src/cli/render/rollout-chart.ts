/** Charts of a rollout as SVG for a page: colours are the page's, every chart says in words what it shows. */
import type { RolloutReport } from '../../client/contract/index.ts';
import { formatDuration } from '../human.ts';
import { formatCounts } from './job.ts';
import { escapeHtml } from './escape-html.ts';
import { durationOrder } from './rollout-report.ts';

const width = 720;
const left = 92;
const right = 16;
const inner = width - left - right;

/** Colour classes of the page's style sheet. */
const stateClass: Record<string, string> = {
  committed: 'good',
  already: 'good',
  failed: 'bad',
  'rolled-back': 'bad',
  'timed-out': 'late',
  unknown: 'late',
  rejected: 'late',
  cancelled: 'off',
  waiting: 'off',
  queued: 'off',
};

export function progressChart({ progress, phases, rollout, targets, durationMs }: RolloutReport): string {
  const height = 200;
  const bottom = 28;
  const top = 10;
  const x = (atMs: number): number =>
    left + (durationMs === 0 ? 0 : ((atMs - rollout.startedAtMs) / durationMs) * inner);
  const y = (count: number): number => height - bottom - (count / Math.max(1, targets)) * (height - bottom - top);
  const last = progress.at(-1);
  const path = (value: (point: RolloutReport['progress'][number]) => number): string => {
    const steps = progress.map((point, index) => {
      const place = `${round(x(point.atMs))} ${round(y(value(point)))}`;
      return index === 0 ? `M${place}` : `H${round(x(point.atMs))}V${round(y(value(point)))}`;
    });
    return `${steps.join('')}H${round(x(rollout.startedAtMs + durationMs))}`;
  };
  const marks = phases.flatMap(({ startedAtMs }, index) => {
    if (startedAtMs === undefined) return [];
    const at = round(Math.min(x(startedAtMs), width - right));
    return [
      `<line class="grid" x1="${at}" x2="${at}" y1="${top}" y2="${height - bottom}"/>`,
      `<text class="note" x="${at + 3}" y="${top + 10}">phase ${index + 1}</text>`,
    ];
  });
  const words = `${last?.succeeded ?? 0} of ${targets} targets proven and ${last?.failed ?? 0} failed after ${formatDuration(durationMs)}`;
  return svg('Progress', words, height, [
    `<line class="axis" x1="${left}" x2="${width - right}" y1="${height - bottom}" y2="${height - bottom}"/>`,
    `<text class="note" x="${left - 6}" y="${y(targets) + 4}" text-anchor="end">${targets}</text>`,
    `<text class="note" x="${left - 6}" y="${height - bottom}" text-anchor="end">0</text>`,
    `<text class="note" x="${left}" y="${height - 10}">start</text>`,
    `<text class="note" x="${width - right}" y="${height - 10}" text-anchor="end">${escapeHtml(formatDuration(durationMs))}</text>`,
    ...marks,
    `<path class="line good" d="${path(({ succeeded }) => succeeded)}"/>`,
    `<path class="line bad" d="${path(({ failed }) => failed)}"/>`,
  ]);
}

export function phaseChart({ phases }: RolloutReport): string {
  const rowHeight = 30;
  const height = phases.length * rowHeight + 8;
  const rows = phases.flatMap(({ size, counts }, index) => {
    const top = index * rowHeight + 4;
    let at = left;
    const parts = Object.entries(counts).map(([state, count]) => {
      const length = (count / Math.max(1, size)) * inner;
      const bar = `<rect class="fill ${stateClass[state] ?? 'busy'}" x="${round(at)}" y="${top}" width="${round(length)}" height="20"><title>${count} ${escapeHtml(state)}</title></rect>`;
      at += length;
      return bar;
    });
    return [`<text class="note" x="${left - 6}" y="${top + 14}" text-anchor="end">phase ${index + 1}</text>`, ...parts];
  });
  const words = phases.map(({ counts }, index) => `phase ${index + 1}: ${formatCounts(counts)}`).join('; ');
  return svg('Devices by state in each phase', words, height, rows);
}

export function durationChart({ durations }: RolloutReport): string {
  const shown = durationOrder.flatMap((name) => (durations[name] === undefined ? [] : [{ name, ...durations[name] }]));
  if (shown.length === 0) return '';
  const rowHeight = 30;
  const longestMs = Math.max(1, ...shown.map(({ p99Ms }) => p99Ms));
  const bar = (ms: number, top: number, kind: string): string =>
    `<rect class="fill ${kind}" x="${left}" y="${top}" width="${round((ms / longestMs) * inner)}" height="20"/>`;
  const rows = shown.flatMap(({ name, p50Ms, p90Ms, p99Ms }, index) => {
    const top = index * rowHeight + 4;
    return [
      `<text class="note" x="${left - 6}" y="${top + 14}" text-anchor="end">${name}</text>`,
      bar(p99Ms, top, 'faint'),
      bar(p90Ms, top, 'soft'),
      bar(p50Ms, top, 'busy'),
    ];
  });
  const words = shown
    .map(
      ({ name, p50Ms, p99Ms }) => `${name}: half within ${formatDuration(p50Ms)}, 99 % within ${formatDuration(p99Ms)}`,
    )
    .join('; ');
  return svg('How long each step took (half, 90 %, 99 % of the devices)', words, shown.length * rowHeight + 8, rows);
}

function svg(title: string, words: string, height: number, parts: readonly string[]): string {
  const label = escapeHtml(`${title}: ${words}`);
  return `<figure><figcaption>${escapeHtml(title)}</figcaption><svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">${parts.join('')}</svg></figure>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
