import { describe, expect, it } from 'vitest';
import { formatRollout } from '../../../src/cli/render/rollout.ts';
import { formatRolloutBlock } from '../../../src/cli/render/rollout-progress.ts';
import { RolloutProgress } from '../../../src/cli/rollout-progress.ts';
import type { RolloutDevice } from '../../../src/client/contract/index.ts';
import { nowMs, rollout } from './sample.ts';

function device(deviceId: string, phase: number, state: RolloutDevice['state'], code?: string): RolloutDevice {
  return {
    deviceId,
    phase,
    state,
    sinceMs: nowMs - 60_000,
    attempts: 1,
    ...(code === undefined ? {} : { reason: { code, message: code } }),
  };
}

const running = {
  ...rollout,
  state: 'running' as const,
  currentPhase: 1,
  startedAtMs: nowMs - 120_000,
  phases: [
    { size: 2, state: 'passed' as const },
    { size: 8, state: 'running' as const },
  ],
  counts: { committed: 4, 'rolled-back': 2, downloading: 2, queued: 2 },
  devices: [
    device('gw-1', 0, 'committed'),
    device('gw-2', 0, 'already'),
    device('gw-3', 1, 'committed'),
    device('gw-4', 1, 'committed'),
    device('gw-5', 1, 'rolled-back', 'health-failed'),
    device('gw-6', 1, 'rolled-back', 'health-failed'),
    device('gw-7', 1, 'rejected', 'wrong-key'),
    device('gw-8', 1, 'downloading'),
    device('gw-9', 1, 'queued'),
    device('gw-10', 1, 'queued'),
  ],
};

describe('a rollout that is followed', () => {
  it('shows phases, pace and causes', () => {
    expect(formatRolloutBlock(new RolloutProgress(running), nowMs)).toEqual([
      `rollout ${rollout.id} of gateway/2.0.0/stable: running, 2m`,
      '  phase 1  ████████████████████████  2/2 proven: passed',
      '  phase 2  ██████×××××××××▓▓▓░░░░░░  2/8 proven, 2 failed, 1 left out, 1 under way: running',
      '  4 committed, 2 rolled-back, 2 downloading, 2 queued; 3.5 a minute; done in 51s at this rate',
      '  2 rolled-back: health-failed (gw-5, gw-6)',
      '  1 rejected: wrong-key (gw-7)',
      'Ctrl-C leaves the rollout running',
    ]);
  });

  it('takes what comes', () => {
    const progress = new RolloutProgress({ ...running, devices: [] });
    for (const each of running.devices) progress.take({ kind: 'device', device: each });
    progress.take({ kind: 'device', device: device('gw-8', 1, 'committed') });
    progress.take({ kind: 'rollout', rollout: { ...running, state: 'halted' } });
    expect(progress.phases()[1]).toMatchObject({ proven: 3, updating: 0 });
    expect(progress.leftMs(nowMs)).toBeUndefined();
    expect(progress.rollout.state).toBe('halted');
  });

  it('leaves room on the screen when there are many phases and causes', () => {
    const phases = Array.from({ length: 40 }, () => ({ size: 1, state: 'waiting' as const }));
    const devices = Array.from({ length: 40 }, (_, n) => device(`gw-${n}`, n, 'failed', `cause-${n}`));
    const lines = formatRolloutBlock(new RolloutProgress({ ...running, phases, devices, currentPhase: 20 }), nowMs);
    expect(lines).toHaveLength(18);
    expect(lines[1]).toContain('phase 19');
    expect(lines.at(-2)).toBe('  … and 35 more causes');
  });
});

describe('rollout status', () => {
  it('draws phases on a terminal alone, and groups failures by cause on both', () => {
    const piped = formatRollout(running, nowMs);
    expect(piped).toContain('phase 2: 8 devices, running\n\n2 rolled-back: health-failed (gw-5, gw-6)\n');
    expect(piped).not.toContain('█');
    expect(formatRollout(running, nowMs, { width: 200 })).toContain('phase 2  ██████×××××××××▓▓▓░░░░░░  2/8 proven');
  });
});
