import { describe, expect, it } from 'vitest';
import { isMetered } from '../../../src/agent/updater/metered-link.ts';
import { judgeGate, type Gate, type GateFacts } from '../../../src/agent/updater/update-gate.ts';
import { overdue, rateOf } from '../../../src/agent/updater/update-limit.ts';
import type { DeviceUpdateState, Update } from '../../../src/agent/updater/update.ts';
import type { UpdateRules } from '../../../src/config/agent-config.ts';
import { defaultUpdateRules } from '../../../src/config/agent-default.ts';

const noonMs = Date.UTC(2026, 10, 26, 12);
const night = { cron: '0 2 * * *', durationSeconds: 7_200, zone: 'device' };
const lunch = { cron: '0 12 * * *', durationSeconds: 3_600, zone: 'UTC' };

const stateOf: Record<Gate, DeviceUpdateState> = { download: 'offered', install: 'verified', reboot: 'rebooting' };

function judge(
  gate: Gate,
  given: { rules?: Partial<UpdateRules>; update?: Partial<Update> } & Partial<Omit<GateFacts, 'source'>> = {},
) {
  const { rules, update, ...facts } = given;
  const now = { nowMs: noonMs, bootId: 'b', uptimeMs: 50_000 };
  const record: Update = {
    rolloutId: 'r1',
    bundle: {
      product: 'p',
      version: '2',
      bundleUuid: 'u2',
      sizeBytes: 1_000_000,
      sha256: '',
      partBytes: 262_144,
      partSha256: [],
    },
    expiresAtMs: 0,
    state: stateOf[gate],
    attempts: {},
    enteredAtMs: 0,
    before: { bootId: 'b' },
    health: [],
    downloadedBytes: 0,
    timer: { bootId: 'b', uptimeMs: 50_000, spentMs: 0, waitedMs: {} },
    ...update,
  };
  return judgeGate(gate, record, {
    now,
    source: { rules: { ...defaultUpdateRules, ...rules }, testSeconds: 0, rebootSeconds: 0 },
    zone: 'UTC',
    deferral: undefined,
    rebootHold: undefined,
    grains: {},
    ...facts,
  });
}

describe('the gates of an update', () => {
  it('are open when nobody has said anything', () => {
    for (const gate of ['download', 'install', 'reboot'] as const) expect(judge(gate)).toBeUndefined();
  });

  it('wait for the window of the owner, and for that of the rollout as well', () => {
    const windows = { download: [night], install: [night], reboot: [lunch] };
    expect(judge('install', { rules: { windows } })).toEqual({
      code: 'window-install',
      message: expect.stringContaining('2026-11-27T02:00:00.000Z'),
      untilMs: Date.UTC(2026, 10, 27, 2),
    });
    expect(judge('download', { rules: { windows } })?.code).toBe('window-download');
    expect(judge('reboot', { rules: { windows } })).toBeUndefined();
    const conduct = { rebootWindows: [night] };
    expect(judge('reboot', { rules: { windows }, update: { conduct } })?.untilMs).toBe(Date.UTC(2026, 10, 27, 2));
    // One that is open is enough of a list.
    expect(judge('install', { update: { conduct: { installWindows: [night, lunch] } } })).toBeUndefined();
  });

  it("read a window in the device's own zone", () => {
    const windows = { download: [], install: [night], reboot: [] };
    expect(judge('install', { rules: { windows }, zone: 'Pacific/Honolulu' })).toBeUndefined(); // 2:00 there
    expect(judge('install', { rules: { windows }, zone: undefined })).toMatchObject({ code: 'window-install' });
    expect(judge('install', { rules: { windows }, zone: undefined })).not.toHaveProperty('untilMs');
  });

  it('let nothing be installed before it was approved, by the owner or the rollout', () => {
    expect(judge('download', { rules: { approval: 'required' } })).toBeUndefined();
    expect(judge('install', { rules: { approval: 'required' } })?.code).toBe('needs-approval');
    expect(judge('install', { update: { conduct: { needsApproval: true } } })?.code).toBe('needs-approval');
    expect(judge('install', { rules: { approval: 'required' }, update: { approvedAtMs: 1 } })).toBeUndefined();
  });

  it('hold what a deferral holds: the next step, not one that has begun, and not for longer than it may', () => {
    const deferral = { untilMs: noonMs + 3_600_000, reason: 'busy' };
    const wait = { code: 'deferred', message: 'busy', untilMs: deferral.untilMs };
    for (const gate of ['download', 'install', 'reboot'] as const) expect(judge(gate, { deferral })).toEqual(wait);
    expect(judge('download', { deferral, update: { state: 'downloading' } })).toBeUndefined();
    expect(judge('install', { deferral: { ...deferral, untilMs: noonMs } })).toBeUndefined();
    const timer = { bootId: 'b', uptimeMs: 50_000, spentMs: 0, waitedMs: { deferred: 86_390_000 } };
    expect(judge('install', { deferral, update: { timer } })?.untilMs).toBe(noonMs + 10_000);
    expect(judge('install', { deferral, update: { timer, conduct: { deferLimitSeconds: 60 } } })).toBeUndefined();
    expect(judge('install', { deferral, update: { conduct: { deferLimitSeconds: 0 } } })).toBeUndefined();
  });

  it('let a program hold a restart up, within the limit', () => {
    expect(judge('reboot', { rebootHold: 'brewing' })).toMatchObject({ code: 'reboot-held', message: 'brewing' });
    expect(judge('install', { rebootHold: 'brewing' })).toBeUndefined();
    const timer = { bootId: 'b', uptimeMs: 50_000, spentMs: 0, waitedMs: { 'reboot-held': 3_600_000 } };
    expect(judge('reboot', { rebootHold: 'brewing', update: { timer } })).toBeUndefined();
  });

  it('wait for another link where this one costs money', () => {
    const when = { 'network:type': ['lte', 'nb-iot'] };
    const grains = { network: { type: 'lte' } };
    const delta = { fromUuid: 'u1', sizeBytes: 5_000, sha256: '', partBytes: 262_144, partSha256: [] };
    const asked = (metered: UpdateRules['metered'], update: Partial<Update> = {}) =>
      judge('download', { rules: { metered: metered! }, grains, update })?.code;
    expect(asked({ when, download: 'never' }, { delta })).toBe('metered');
    expect(asked({ when, download: 'delta-only' })).toBe('metered');
    expect(asked({ when, download: 'delta-only' }, { delta })).toBeUndefined();
    expect(asked({ when, download: 'up-to', maxBytes: 999_999 })).toBe('metered');
    expect(asked({ when, download: 'up-to', maxBytes: 1_000_000 })).toBeUndefined();
    // Also one that has begun.
    expect(asked({ when, download: 'never' }, { state: 'downloading' })).toBe('metered');
    expect(judge('download', { rules: { metered: { when, download: 'never' } } })).toBeUndefined();
  });

  it('end a wait for a person as rejected, one for a window as cancelled, and none for a deferral', () => {
    const source = { rules: defaultUpdateRules, testSeconds: 0, rebootSeconds: 0 };
    const now = { nowMs: noonMs, bootId: 'b', uptimeMs: 0 };
    const over = (code: 'needs-approval' | 'window-install' | 'deferred', waitedMs: number) => {
      const timer = { bootId: 'b', uptimeMs: 0, spentMs: 0, waitedMs: { [code]: waitedMs } };
      const record = { state: 'verified', wait: { code, message: 'm' }, timer, attempts: {} } as unknown as Update;
      return overdue(record, source, now);
    };
    expect(over('needs-approval', 7 * 86_400_000 - 1)).toBeUndefined();
    expect(over('needs-approval', 7 * 86_400_000)).toMatchObject({ type: 'refused', reason: { code: 'not-approved' } });
    expect(over('window-install', 14 * 86_400_000)).toMatchObject({ type: 'waited-out' });
    expect(over('deferred', 86_400_000)).toBeUndefined();
  });
});

describe('the rate of a download', () => {
  it('is the lower one of what the owner and what the rollout lets it have', () => {
    const rules = (maxBytesPerSecond?: number) => ({
      download: maxBytesPerSecond === undefined ? {} : { maxBytesPerSecond },
    });
    expect(rateOf({}, rules())).toBeUndefined();
    expect(rateOf({}, rules(5))).toBe(5);
    expect(rateOf({ conduct: { maxBytesPerSecond: 3 } }, rules())).toBe(3);
    expect(rateOf({ conduct: { maxBytesPerSecond: 3 } }, rules(5))).toBe(3);
    expect(rateOf({ conduct: { maxBytesPerSecond: 9 } }, rules(5))).toBe(5);
  });
});

describe('a metered link', () => {
  it('is one that has all its grains', () => {
    const when = { 'network:type': ['lte'], roaming: ['true'] };
    expect(isMetered({ when }, { network: { type: 'lte' }, roaming: true })).toBe(true);
    expect(isMetered({ when }, { network: { type: 'lte' }, roaming: false })).toBe(false);
    expect(isMetered({ when }, { network: { type: ['eth', 'lte'] }, roaming: true })).toBe(true);
    expect(isMetered({ when }, {})).toBe(false);
    expect(isMetered({ when: { 'a:b:c': ['1'] } }, { a: { b: 'x' } })).toBe(false);
  });
});
