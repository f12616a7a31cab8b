import { describe, expect, it } from 'vitest';
import { certificateState, formatCertificates, formatRevoked } from '../../../src/cli/render/certificate.ts';
import { formatStatus } from '../../../src/cli/render/coordinator.ts';
import {
  flattenGrains,
  formatChanged,
  formatDevice,
  formatDevices,
  formatWatchRow,
} from '../../../src/cli/render/device.ts';
import { formatEvent } from '../../../src/cli/render/event.ts';
import { formatFindings } from '../../../src/cli/render/finding.ts';
import {
  formatDryJob,
  formatJob,
  formatJobProgress,
  formatJobs,
  formatJobSummary,
} from '../../../src/cli/render/job.ts';
import { formatRelease, formatReleases } from '../../../src/cli/render/release.ts';
import {
  formatDryRollout,
  formatProof,
  formatRollout,
  formatRollouts,
  formatRolloutStep,
} from '../../../src/cli/render/rollout.ts';
import { formatExplanation, formatMatch } from '../../../src/cli/render/select.ts';
import { formatWhy } from '../../../src/cli/render/why.ts';
import { JobProgress } from '../../../src/cli/follow-job.ts';
import { certificate, device, event, job, nowMs, release, rollout, why } from './sample.ts';

describe('devices', () => {
  it('are a table with a count', () => {
    const lanes = [{ lane: 3, lagEvents: 120, asOfMs: nowMs - 7_200_000 }];
    const offline = {
      ...device,
      id: 'gw-2',
      connected: false,
      tags: {},
      freshness: { asOfMs: nowMs - 7_200_000, lanes },
    };
    expect(formatDevices([device, offline], nowMs)).toBe(
      'DEVICE  STATE     LINK       SINCE      DATA                VERSION  SLOT  ADDRESS          TAGS\n' +
        'gw-001  accepted  connected  3m20s ago  now                 1.0.0    a     192.0.2.7:50112  ring=canary\n' +
        'gw-2    accepted  offline    3m20s ago  2h ago, 120 behind  1.0.0    a     192.0.2.7:50112\n' +
        '2 devices, 1 connected\n',
    );
    expect(formatDevices([], nowMs)).toBe('no devices\n');
  });

  it('show their grains with the keys that a selector takes, and nothing that moves the cursor', () => {
    const shown = formatDevice(device, nowMs);
    expect(shown).toContain('  kernel:release: 6.6.31\n');
    expect(shown).toContain('nothing waits on the device\n');
    expect(shown).toContain('7 rows never came, 5 of them given up there (disk-pressure), last 1m ago\n');
    expect(shown).toContain("100 events since the agent's start, 310 bytes written for each\n");
    expect(shown).toContain('  addresses: 192.0.2.7, 10.0.0.1\n');
    expect(shown).toContain('  evil: x\\x1b[2J\n');
    expect(shown).not.toContain('\u001b');
    expect(flattenGrains({ b: { d: 1, c: null }, a: true })).toEqual([
      ['a', 'true'],
      ['b:c', 'null'],
      ['b:d', '1'],
    ]);
  });

  it('show how the last update of their agent stands', () => {
    const agentUpdate = {
      updateId: 'a-1',
      release: 'flotilla-agent/0.2.0/stable',
      version: '0.2.0',
      bundleUuid: 'u',
      state: 'rolled-back',
      atMs: nowMs - 60_000,
      expiresAtMs: nowMs,
      reason: { code: 'trial-exhausted', message: 'it did not prove itself in 3 starts' },
    } as const;
    expect(formatDevice({ ...device, agentUpdate }, nowMs)).toContain(
      'flotilla-agent/0.2.0/stable rolled-back (1m ago, update a-1): it did not prove itself in 3 starts (trial-exhausted)\n',
    );
  });

  it('are one line each when watched', () => {
    expect(formatWatchRow({ kind: 'device', device }, nowMs)).toBe(
      '2026-11-22 21:30:00Z  gw-001  accepted  connected  1.0.0  ring=canary\n',
    );
    expect(formatWatchRow({ kind: 'removed', id: 'gw-1' }, nowMs)).toBe('2026-11-22 21:30:00Z  gw-1  removed\n');
  });

  it('say what changed and what was so already', () => {
    expect(formatChanged('accepted', { changed: ['a', 'b'], unchanged: ['c'] })).toBe(
      'accepted 2 devices: a, b\nalready so: c\n',
    );
    expect(formatChanged('accepted', { changed: [], unchanged: [] })).toBe('no device matched\n');
  });
});

describe('jobs', () => {
  it('show output indented, stderr marked, escapes made visible', () => {
    expect(formatJob(job, nowMs)).toContain(
      'gw-001: succeeded (0.2s)\n  one\n  two\ngw-002: failed (exit 1)\n  ! no\\x1b[31m way\n  (7 more bytes were not kept)\n',
    );
    expect(formatJob(job, nowMs)).toContain(`sh -c 'echo it'\\''s'`);
  });

  it('are summed up in one line', () => {
    expect(formatJobSummary(job)).toBe('job j-5k2f: 2 devices, 1 succeeded, 1 failed in 5.0s\n');
    expect(formatJobs([job], nowMs).split('\n')[1]).toContain('1 succeeded, 1 failed');
    expect(formatDryJob({ ...job, action: { kind: 'command', argv: ['reboot'] } })).toBe(
      'would run reboot on 2 devices\ngw-001\ngw-002\n',
    );
  });

  it('show while they run who is still out, and at most eight of them', () => {
    const progress = new JobProgress(12);
    for (let index = 0; index < 10; index += 1) progress.take({ deviceId: `gw-${index}`, state: 'queued' });
    progress.take({ deviceId: 'gw-0', state: 'started', startedAtMs: nowMs - 3000 });
    const lines = formatJobProgress({ ...job, matched: 12 }, progress, nowMs);
    expect(lines[0]).toBe('job j-5k2f: 0 of 12 done after 5.0s (1 started, 9 queued, 2 waiting)');
    expect(lines[1]).toBe('  gw-0  running for 3.0s');
    expect(lines.at(-2)).toBe('  … and 2 more');
  });
});

describe('rollouts', () => {
  it('show the evidence of what is proven and the reason of what is not', () => {
    const shown = formatRollout(rollout, nowMs);
    expect(shown).toContain('phase 1: 2 devices, failed\nphase 2: 1 device, waiting\n');
    expect(shown).toContain('slot a → b, boot bbbbbbbb, bundle 0b5c1f0e, bytes equal, health 1/1');
    expect(shown).toContain('health-failed: http answered 500');
    expect(formatRollouts([rollout], nowMs)).toContain('1 committed, 1 rolled-back, 1 waiting');
  });

  it('name a restart of the same boot for what it is', () => {
    const [proven] = rollout.devices ?? [];
    if (proven?.evidence?.after === undefined) throw new Error('the sample has evidence');
    const same = { ...proven, evidence: { ...proven.evidence, after: { ...proven.evidence.after, bootId: 'aaaa' } } };
    expect(formatProof(same)).toContain('no new boot');
  });

  it('show each step in a line and a dry run by phase', () => {
    const [, failed] = rollout.devices ?? [];
    if (failed === undefined) throw new Error('the sample has devices');
    expect(formatRolloutStep(failed, nowMs)).toBe(
      '2026-11-22 21:30:00Z  gw-002  rolled-back  health-failed: http answered 500\n',
    );
    expect(formatDryRollout(rollout)).toBe(
      'would roll out gateway/2.0.0/stable to 3 devices\nphase 1: 2 devices: gw-001, gw-002\nphase 2: 1 device: gw-003\n',
    );
  });
});

describe('certificates', () => {
  it.each([
    [{}, 'valid'],
    [{ notAfterMs: nowMs - 1 }, 'expired'],
    [{ notAfterMs: nowMs + 86_400_000 }, 'ends-soon'],
    [{ notBeforeMs: nowMs + 1 }, 'not-yet'],
    [{ revokedAtMs: nowMs, notAfterMs: nowMs - 1 }, 'revoked'],
  ])('with %j are %s', (change, state) => {
    expect(certificateState({ ...certificate, ...change }, nowMs)).toBe(state);
  });

  it('are a table, and say what a revocation cut', () => {
    expect(formatCertificates([certificate], nowMs)).toContain('5f1c    gw-001  valid  now     in 364d');
    expect(formatRevoked({ revoked: [certificate], cutConnections: 1 })).toBe(
      'revoked 5f1c of gw-001\n1 connection cut\n',
    );
  });
});

describe('the rest', () => {
  it('shows releases with digests', () => {
    expect(formatReleases([release], nowMs)).toContain('gateway/2.0.0/stable  12 MiB  1m ago');
    expect(formatRelease(release)).toContain(`rootfs.img  11 MiB  ${'ef'.repeat(32)}`);
  });

  it('shows matches and the tree of an explanation', () => {
    expect(formatMatch({ selector: '*', ids: ['a'], count: 1 })).toBe('a\n1 device\n');
    const leaf = (text: string, verdict: boolean) => ({
      text,
      kind: 'term',
      matched: 2,
      verdict,
      reason: 'site is harbour',
      children: [],
    });
    const tree = {
      text: 'x and y',
      kind: 'and',
      matched: 1,
      verdict: false,
      children: [leaf('x', true), leaf('y', false)],
    };
    expect(formatExplanation(tree)).toBe(
      '✗ x and y  (1 device)\n├─ ✓ x  (2 devices): site is harbour\n└─ ✗ y  (2 devices): site is harbour\n',
    );
  });

  it('shows an event in a line, cut only on a terminal', () => {
    const line = '347  2026-11-22 21:30:00Z  gw-001  flotilla.job j-5k2f  {"state":"finished"}\n';
    expect(formatEvent(event)).toBe(line);
    expect(formatEvent(event, { width: 70 }).length).toBeLessThanOrEqual(71);
    expect(formatEvent({ ...event, deviceId: '', key: '' })).toContain('coordinator  flotilla.job  {');
  });

  it('shows every rule of why, then the conclusion', () => {
    expect(formatWhy(why)).toBe(
      'gw-009 in rollout r-81ac of gateway/2.0.0/stable\n' +
        '  ok       known      seen 3m20s ago\n' +
        '  blocks   connected  offline for 2h5m\n' +
        'gw-009 waits until it connects again\n',
    );
  });

  it('shows findings with their mend', () => {
    expect(formatFindings([{ id: 'keys', verdict: 'fail', seen: 'open', mend: 'chmod' }])).toBe(
      'fail  keys  open\n            mend: chmod\n1 failed, 0 warnings\n',
    );
  });

  it('shows what the coordinator does', () => {
    const status = {
      fleetId: 'f',
      instanceId: '0f',
      version: '0.1.0',
      pid: 1,
      startedAtMs: nowMs - 60_000,
      listen: { host: '::', port: 7443 },
      api: { certificate: { host: '::', port: 7444 } },
      gateways: [{ pid: 2, connections: 3 }],
      devices: { total: 3, connected: 3, byState: { accepted: 3 } },
      alerts: [],
      alertCount: 0,
      deadLetters: [{ layer: 'decode', type: 'flotilla.job', count: 2, oldestAtMs: nowMs - 60_000 }],
      store: { path: '/x', events: 5, lastOffset: 5 },
      jobs: { running: 0 },
      rollouts: { running: 1 },
      blobDirectory: '/b',
    };
    expect(formatStatus(status, nowMs)).toContain(
      'gateways:     pid 2: 3 links\ndevices:      3, 3 connected (3 accepted)\n',
    );
    expect(formatStatus(status, nowMs)).toContain('deadletters:  2: decode flotilla.job 2 (oldest 1m ago)\n');
  });
});
