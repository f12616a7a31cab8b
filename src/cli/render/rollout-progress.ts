import { nameRollout } from '../../client/contract/index.ts';
import { formatAge, formatDuration, plural } from '../human.ts';
import { printable } from '../printable.ts';
import type { PhaseProgress, RolloutProgress } from '../rollout-progress.ts';
import { formatCounts } from './job.ts';

const barWidth = 24;
/** Causes and phases of a block that must leave room for what scrolls above it. */
const maxCauses = 5;
const maxPhases = 8;
const maxNamed = 4;

/** The block that is painted while a rollout is followed. */
export function formatRolloutBlock(progress: RolloutProgress, nowMs: number): string[] {
  const { rollout } = progress;
  const rate = progress.perMinute(nowMs);
  const leftMs = progress.leftMs(nowMs);
  const pace = [
    ...(rate === undefined ? [] : [`${rate < 10 ? rate.toFixed(1) : Math.round(rate)} a minute`]),
    ...(leftMs === undefined ? [] : [`done ${formatAge(nowMs + leftMs, nowMs)} at this rate`]),
  ];
  return [
    `rollout ${rollout.id} of ${printable(nameRollout(rollout))}: ${rollout.state}, ${formatDuration((rollout.endedAtMs ?? nowMs) - rollout.startedAtMs)}`,
    ...formatPhaseBars(progress),
    `  ${[formatCounts(rollout.counts), ...pace].join('; ')}`,
    ...formatFailures(progress).map((line) => `  ${line}`),
    'Ctrl-C leaves the rollout running',
  ];
}

/** `phase 1  █████▓▓░░  5/9 proven, 2 under way: running`; of many phases, those around the one that runs. */
export function formatPhaseBars(progress: RolloutProgress): string[] {
  const phases = progress.phases();
  const first = Math.max(0, Math.min(progress.rollout.currentPhase - 2, phases.length - maxPhases));
  const shown = phases.slice(first, first + maxPhases);
  const left = phases.length - shown.length;
  return [
    ...shown.map((phase, index) => `  phase ${first + index + 1}  ${bar(phase)}  ${words(phase)}`),
    ...(left > 0 ? [`  … and ${plural(left, 'phase')} more`] : []),
  ];
}

/** `3 rolled-back: health-failed (gw-001, gw-007, gw-009)` */
export function formatFailures(progress: RolloutProgress): string[] {
  const groups = progress.failures();
  const lines = groups.slice(0, maxCauses).map(({ state, code, devices }) => {
    const more = devices.length > maxNamed ? ` and ${devices.length - maxNamed} more` : '';
    const named = devices.slice(0, maxNamed).join(', ');
    return `${devices.length} ${state}: ${printable(code)} (${printable(named)}${more})`;
  });
  return groups.length > lines.length ? [...lines, `… and ${groups.length - lines.length} more causes`] : lines;
}

function bar({ size, proven, failed, updating, other }: PhaseProgress): string {
  let used = 0;
  const part = (upTo: number, letter: string): string => {
    const end = size === 0 ? 0 : Math.round((upTo / size) * barWidth);
    const text = letter.repeat(Math.max(0, end - used));
    used = Math.max(used, end);
    return text;
  };
  const ended = part(proven, '█') + part(proven + failed + other, '×');
  return `${ended}${part(proven + failed + other + updating, '▓')}`.padEnd(barWidth, '░');
}

function words({ size, state, proven, failed, updating, other }: PhaseProgress): string {
  const parts = [
    `${proven}/${size} proven`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(other > 0 ? [`${other} left out`] : []),
    ...(updating > 0 ? [`${updating} under way`] : []),
  ];
  return `${parts.join(', ')}: ${state}`;
}
