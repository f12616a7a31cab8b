import type { Replayed, Trial } from '../../simulation/index.ts';
import { formatDuration, formatTime, plural } from '../human.ts';
import { paint, styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import { formatTable, type TableOption } from '../table.ts';
import { formatCounts } from './job.ts';
import { causeRows, durationRows, durationTitles, milestoneText, phaseRows } from './rollout-report.ts';

/** Of the timeline: a rollout that flickers would fill the screen. */
const maxMilestones = 20;

/** What would come of a policy, for a person. */
export function formatTrial(trial: Trial, option: TableOption = {}): string {
  const { report, ending, durationSeconds, seed, peakInFlight } = trial;
  const reason = report.rollout.reason === undefined ? '' : `: ${printable(report.rollout.reason)}`;
  const parts = [
    `${paint(styleOfState(ending), ending, option.color ?? false)}${reason}\n`,
    `${plural(report.targets, 'device')} after ${formatDuration(durationSeconds * 1000)} of virtual time; ` +
      `${report.touched} offered, ${report.succeeded} proven, ${report.failed} failed ` +
      `(${formatCounts(report.rollout.counts, option)}); at most ${peakInFlight} at once; seed ${seed}\n\n`,
    rowTable(
      ['PHASE', 'DEVICES', 'STATE', 'BEGAN', 'TOOK', 'RESULT', 'AT ONCE'],
      phaseRows(report).map((row, index) => [...row, String(trial.phasePeaks[index] ?? 0)]),
      option,
    ),
  ];
  if (report.causes.length > 0) {
    const titles = ['STATE', 'CAUSE', 'DEVICES', 'WHICH', 'MESSAGE'];
    parts.push('\n', rowTable(titles, causeRows(report.causes), option));
  }
  const durations = durationRows(report);
  if (durations.length > 0)
    parts.push(
      '\n',
      rowTable(
        durationTitles.map((title) => title.toUpperCase()),
        durations,
        option,
      ),
    );
  parts.push('\n', ...timelineLines(trial));
  return parts.join('');
}

export function formatReplay({ rollout, steps, differences, report }: Replayed): string {
  const state = `${report.rollout.state} (${formatCounts(report.rollout.counts)})`;
  if (differences.length === 0) return `${rollout}: ${plural(steps, 'step')} give the recorded outcome: ${state}\n`;
  const shown = differences.slice(0, 10).map((difference) => `  ${printable(difference)}\n`);
  const more = differences.length > shown.length ? `  … and ${differences.length - shown.length} more\n` : '';
  return `${rollout}: ${plural(steps, 'step')} do not give the recorded outcome, but ${state}\n${shown.join('')}${more}`;
}

function timelineLines({ report }: Trial): string[] {
  const { timeline } = report;
  const left = timeline.length - maxMilestones;
  const shown = left > 0 ? [...timeline.slice(0, maxMilestones / 2), ...timeline.slice(-maxMilestones / 2)] : timeline;
  return shown.flatMap((milestone, index) => [
    ...(left > 0 && index === maxMilestones / 2 ? [`… ${left} more …\n`] : []),
    `${formatTime(milestone.atMs)}  ${printable(milestoneText(milestone))}\n`,
  ]);
}

function rowTable(titles: readonly string[], rows: readonly string[][], option: TableOption): string {
  const last = titles.length - 1;
  const columns = titles.map((title, index) => ({
    title,
    value: (row: string[]) => row[index],
    shrink: index >= Math.min(3, last),
  }));
  return formatTable(rows, columns, option);
}
