import { nameRollout, type RolloutReport } from '../../client/contract/index.ts';
import { formatTime } from '../human.ts';
import { escapeHtml } from './escape-html.ts';
import { durationChart, phaseChart, progressChart } from './rollout-chart.ts';
import {
  bytesLines,
  causeRows,
  deviceRow,
  durationRows,
  durationTitles,
  milestoneText,
  outcomeLines,
  phaseRows,
} from './rollout-report.ts';

const style = `
:root { color-scheme: light dark; --ink: #1b2733; --faint: #5b6673; --line: #c3ccd5; --paper: #ffffff;
  --good: #2e7d32; --bad: #c62828; --late: #b26a00; --off: #9aa7b4; --busy: #1565c0; --soft: #7fa9dc; --pale: #c9dbf2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6ebf0; --faint: #a3afbb; --line: #3a4653; --paper: #14191f;
    --good: #66bb6a; --bad: #ef6c6c; --late: #ffb74d; --off: #6b7785; --busy: #64b5f6; --soft: #3f78b3; --pale: #274a6e; }
}
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.outcome { font-weight: 600; } .outcome.completed { color: var(--good); } .outcome.halted, .outcome.aborted { color: var(--bad); }
figure { margin: 1rem 0; } figcaption { color: var(--faint); } svg { width: 100%; height: auto; }
.line { fill: none; stroke-width: 2; } .line.good { stroke: var(--good); } .line.bad { stroke: var(--bad); stroke-dasharray: 5 3; }
.axis { stroke: var(--line); } .grid { stroke: var(--line); stroke-dasharray: 2 3; } .note { fill: var(--faint); font-size: 12px; }
.fill.good { fill: var(--good); } .fill.bad { fill: var(--bad); } .fill.late { fill: var(--late); } .fill.off { fill: var(--off); }
.fill.busy { fill: var(--busy); } .fill.soft { fill: var(--soft); } .fill.faint { fill: var(--pale); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: 0.9rem; } caption { text-align: left; color: var(--faint); }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem 0.25rem 0; border-bottom: 1px solid var(--line); }
`;

/** One page that stands alone: nothing is fetched, nothing runs, and what came from a device is text. */
export function formatReportHtml(report: RolloutReport): string {
  const { rollout } = report;
  const [outcome = '', ...lines] = outcomeLines(report);
  const title = `Rollout ${rollout.id}: ${nameRollout(rollout)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p class="outcome ${escapeHtml(rollout.state)}">${escapeHtml(outcome)}</p>
${lines.map((line) => `<p>${escapeHtml(line)}</p>`).join('\n')}
${progressChart(report)}
${phaseChart(report)}
<h2>Phases</h2>
${table('Phases', ['Phase', 'Devices', 'State', 'Began', 'Took', 'Result'], phaseRows(report))}
<h2>Failures</h2>
${report.causes.length === 0 ? '<p>None.</p>' : table('Devices that did not succeed, by cause', ['State', 'Cause', 'Devices', 'Which', 'Message'], causeRows(report.causes))}
<h2>Timeline</h2>
${table(
  'What happened to the rollout',
  ['Time', 'What'],
  report.timeline.map((milestone) => [formatTime(milestone.atMs), milestoneText(milestone)]),
)}
<h2>Bytes</h2>
<ul>${bytesLines(report)
    .map((line) => `<li>${escapeHtml(line)}</li>`)
    .join('')}</ul>
<h2>Durations</h2>
${durationChart(report)}
${table('How long each step took', durationTitles, durationRows(report))}
<h2>Devices</h2>
${table('Every target with its evidence', ['Device', 'Phase', 'State', 'Since', 'Tries', 'Evidence'], report.devices.map(deviceRow))}
</main>
</body>
</html>
`;
}

function table(caption: string, titles: readonly string[], rows: readonly string[][]): string {
  const head = titles.map((title) => `<th scope="col">${escapeHtml(title)}</th>`).join('');
  const body = rows.map((cells) => `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`);
  return `<div class="scroll"><table><caption>${escapeHtml(caption)}</caption><thead><tr>${head}</tr></thead><tbody>${body.join('\n')}</tbody></table></div>`;
}
