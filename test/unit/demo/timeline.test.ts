import { describe, expect, it } from 'vitest';
import { commandText } from '../../../src/demo/demo-cli.ts';
import { timelineOf } from '../../../src/demo/timeline.ts';

describe('the time line of the demo', () => {
  it('puts commands, what devices told, boots and power cuts into one order', () => {
    const moments = timelineOf({
      typed: [{ text: 'flotilla rollout start', atMs: 10, exitCode: 0, durationMs: 1 }],
      events: [
        {
          offset: 1,
          deviceId: 'hm-01',
          instanceId: '',
          lane: 0,
          seq: 1,
          type: 'flotilla.update',
          key: 'r',
          timestampMs: 30,
          receivedAtMs: 31,
          payload: { rolloutId: 'r', bundleUuid: 'u2', state: 'downloading', attempt: 2 },
        },
        {
          offset: 2,
          deviceId: 'hm-01',
          instanceId: '',
          lane: 2,
          seq: 1,
          type: 'flotilla.grains',
          key: '',
          timestampMs: 1,
          receivedAtMs: 1,
          payload: {},
        },
      ],
      boards: new Map([
        [
          'hm-01',
          [{ event: 'boot', timeMs: 5, bootId: '12345678-9', slot: 'a', bootCount: 0, uuid: 'u1', why: 'power-on' }],
        ],
      ]),
      cuts: [],
      versions: new Map([
        ['u1', '1.0.0'],
        ['u2', '2.0.0'],
      ]),
    });
    expect(moments).toEqual([
      { atMs: 5, deviceId: 'hm-01', text: 'boot 12345678 (power-on): slot a, 1.0.0' },
      { atMs: 10, text: '$ flotilla rollout start' },
      { atMs: 30, deviceId: 'hm-01', text: '2.0.0 downloading, entered 2 times' },
    ]);
  });

  it('shows commands as a shell takes them', () => {
    expect(commandText(['run', 'G@site:harbour and not I@ring:canary', '--', 'cat', "it's"])).toBe(
      `flotilla run 'G@site:harbour and not I@ring:canary' -- cat 'it'\\''s'`,
    );
  });
});
