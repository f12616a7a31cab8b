import { describe, expect, it } from 'vitest';
import { formatReportHtml } from '../../../src/cli/render/rollout-html.ts';
import { formatReportMarkdown } from '../../../src/cli/render/rollout-report.ts';
import type { RolloutReport } from '../../../src/client/contract/index.ts';
import { createFleet, fixed, simulatePolicy } from '../../../src/simulation/index.ts';

const startMs = Date.parse('2026-01-05T00:00:00Z');
const timers = { offered: 300, downloading: 600, verified: 600, installing: 600, rebooting: 900, testing: 900 };

function reportOf(model: Parameters<typeof simulatePolicy>[0]['model'] = {}): RolloutReport {
  return simulatePolicy({
    request: { release: 'meter/2.0.0/stable', selector: '*', maxFailures: 50, maxFailureShare: 1 },
    fleet: createFleet([], [{ count: 40, id: 'gw-{n}' }], { nowMs: startMs }),
    model,
    timers,
    seed: 1,
    startMs,
    limitSeconds: 86_400,
    bundleBytes: 1_000_000,
  }).report;
}

const hostile = '</td></table><script>alert(1)</script> "\' | `x` [a](javascript:b) \u001b[2J \u202e';

function hostileReport(): RolloutReport {
  const report = reportOf({ failures: [{ share: 0.1 }] });
  return {
    ...report,
    rollout: { ...report.rollout, release: hostile, selector: hostile, reason: hostile, startedBy: hostile },
    causes: report.causes.map((cause) => ({ ...cause, code: hostile, message: hostile, devices: [hostile] })),
    timeline: [{ atMs: report.atMs, state: 'halted', reason: hostile }],
    devices: report.devices.map((device) => ({ ...device, reason: { code: hostile, message: hostile } })),
  };
}

/** Of a document whose void elements are known: what is opened is closed, in order. */
function tags(html: string): string[] {
  const open: string[] = [];
  const seen: string[] = [];
  for (const [, slash, name = '', rest = ''] of html.matchAll(/<(\/?)([a-z][a-z0-9]*)([^>]*)>/g)) {
    if (slash === '/') expect(open.pop()).toBe(name);
    else {
      seen.push(name);
      if (!rest.endsWith('/') && name !== 'meta') open.push(name);
    }
  }
  expect(open).toEqual([]);
  return seen;
}

describe('the report as a page', () => {
  it('is well formed, asks for nothing, and every chart says in words what it shows', () => {
    const html = formatReportHtml(
      reportOf({ failures: [{ share: 0.1 }], offline: [{ share: 0.05, for: fixed(3_600_000) }] }),
    );
    expect(tags(html).filter((name) => name === 'svg')).toHaveLength(3);
    expect(tags(html)).not.toContain('script');
    expect(html).not.toMatch(/\b(src|href|url)\s*[=(]|https?:/);
    expect(html).toContain("default-src 'none'");
    expect(html).toContain('prefers-color-scheme: dark');
    for (const [svg] of html.matchAll(/<svg [^>]*>/g)) expect(svg).toMatch(/role="img" aria-label="[^"]{20,}"/);
    expect(html).toContain('aria-label="Progress: 36 of 40 targets proven and 4 failed after');
    expect(html.match(/<tr>/g)!.length).toBeGreaterThan(45);
    expect(html).not.toContain('NaN');
  });

  it('shows whatever a device says as text', () => {
    const report = hostileReport();
    const html = formatReportHtml(report);
    expect(tags(html)).not.toContain('script');
    expect(tags(html)).toEqual(tags(formatReportHtml({ ...report, ...withoutText(report) })));
    expect(html).not.toContain('\u001b');
    expect(html).not.toContain('\u202e');
  });

  it('can be made of a rollout of which nothing has happened yet', () => {
    const { progress: _, ...report } = reportOf();
    const bare = { ...report, durations: {}, timeline: [], causes: [], devices: [], progress: [], durationMs: 0 };
    expect(tags(formatReportHtml(bare))).toContain('svg');
    expect(formatReportMarkdown(bare)).toContain('No device has been updated.');
  });
});

describe('the report as Markdown', () => {
  it('has every part, and the numbers of the devices', () => {
    const text = formatReportMarkdown(reportOf({ failures: [{ share: 0.1, reason: 'http-500' }] }));
    const titles = text.split('\n').filter((line) => line.startsWith('#'));
    expect(titles.map((line) => line.replace(/^#+ /, '').split(':')[0])).toEqual([
      'Rollout r-simulated',
      'Phases',
      'Failures',
      'Timeline',
      'Bytes',
      'Durations',
      'Devices',
    ]);
    expect(text).toContain("40 targets of '\\*', 40 offered, 36 proven, 4 failed (36 committed, 4 rolled-back)");
    expect(text).toMatch(/\| rolled-back \| http-500 \| 4 \| gw-\d\d, gw-\d\d, gw-\d\d, gw-\d\d \|/);
  });

  it('lets nothing that a device says mark up', () => {
    const text = formatReportMarkdown(hostileReport());
    expect(text).not.toContain('<script');
    expect(text).not.toMatch(/[^\\]\[a[^\\]/);
    for (const line of text.split('\n').filter((each) => each.startsWith('|'))) {
      expect([6, 5, 2]).toContain(line.replaceAll('\\|', '').split('|').length - 2);
    }
  });
});

function withoutText(report: RolloutReport): Partial<RolloutReport> {
  return {
    rollout: { ...report.rollout, release: 'r', selector: 's', reason: 'x', startedBy: 'y' },
    causes: report.causes.map((cause) => ({ ...cause, code: 'c', message: 'm', devices: ['d'] })),
    timeline: report.timeline.map((each) => ({ ...each, reason: 'r' })),
    devices: report.devices.map((device) => ({ ...device, reason: { code: 'c', message: 'm' } })),
  };
}
