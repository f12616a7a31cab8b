import { describe, expect, it } from 'vitest';
import type { RolloutRequest } from '../../../src/client/contract/rollout.ts';
import { offerRules } from '../../../src/coordinator/rollout/offer-rule.ts';
import { ids, newUuid, oldUuid, RolloutBench, timers } from './rollout-bench.ts';

const all: RolloutRequest['phases'] = [{ size: 'rest' }];
const minuteMs = 60_000;
const patient = { offered: 1_000_000 };

/** The rules that say no to this device now, by name. */
function noes(bench: RolloutBench, id: string): string[] {
  return [...offerRules(bench.state, bench.device(id), bench.facts, bench.nowMs)]
    .filter(({ result }) => result !== 'ok')
    .map(({ rule }) => rule);
}

function detail(bench: RolloutBench, id: string, rule: string): string {
  const rules = [...offerRules(bench.state, bench.device(id), bench.facts, bench.nowMs)];
  return rules.find((each) => each.rule === rule)!.detail();
}

describe('each rule alone', () => {
  it('rollout: it is paused', () => {
    const bench = new RolloutBench(ids(2), { phases: all }, ids(2)).open();
    bench.feed({ kind: 'pause', reason: 'lunch' });
    bench.world.get('d00')!.connected = true;
    expect(noes(bench, 'd00')).toEqual(['rollout']);
    expect(detail(bench, 'd00', 'rollout')).toBe('r1 is paused: lunch');
  });

  it('phase: its phase has not begun', () => {
    const bench = new RolloutBench(ids(2), { phases: [{ size: '1' }, { size: 'rest' }] }, ['d00']).open();
    expect(bench.device('d01').phase).toBe(0);
    bench.world.get('d00')!.connected = true;
    expect(noes(bench, 'd00')).toEqual(['phase']);
  });

  it('connected, running, quarantine, registered', () => {
    const bench = new RolloutBench(ids(4), { phases: all }, ids(4)).open();
    expect(noes(bench, 'd00')).toEqual(['connected']);
    for (const id of ids(4)) bench.world.get(id)!.connected = true;
    bench.world.get('d01')!.running.bundleUuid = newUuid;
    expect(noes(bench, 'd01')).toEqual(['running']);
    bench.world.get('d02')!.quarantinedBundles.push(newUuid);
    expect(noes(bench, 'd02')).toEqual(['quarantine']);
    bench.world.delete('d03');
    expect(noes(bench, 'd03')).toEqual(['registered']);
  });

  it('pin: an operator holds the device where it is', () => {
    const bench = new RolloutBench(ids(1), { phases: all }, ids(1)).open();
    bench.world.get('d00')!.tags['update-hold'] = 'trial of 1.0';
    bench.presence('d00', true);
    expect(bench.device('d00')).toMatchObject({
      state: 'cancelled',
      reason: { code: 'device-pinned', message: 'held by the tag update-hold: trial of 1.0' },
    });
  });

  it('conduct: its agent does not know of install windows', () => {
    const install = [{ cron: '0 2 * * *', durationSeconds: 3600, zone: 'device' }];
    const bench = new RolloutBench(ids(2), { phases: all, windows: { install } });
    bench.oldAgents.add('d00');
    bench.open();
    expect(bench.device('d00')).toMatchObject({ state: 'cancelled', reason: { code: 'agent-too-old' } });
    expect(bench.requested('update.offer')).toEqual(['d01']);
    expect(JSON.stringify(bench.effects)).toContain('"conduct":{"installWindows"');
  });

  it('turn: another rollout has it first', () => {
    const bench = new RolloutBench(ids(2), { phases: all, supersede: 'queue' }, [], 'd00');
    bench.holders.set('d00', 'r0');
    bench.open();
    expect(bench.requested('update.offer')).toEqual(['d01']);
    expect(noes(bench, 'd00')).toEqual(['turn']);
    expect(detail(bench, 'd00', 'turn')).toBe('r0 has it first');
    bench.holders.delete('d00');
    bench.feed({ kind: 'presence', deviceId: 'd00' });
    expect(bench.requested('update.offer')).toEqual(['d01', 'd00']);
  });

  it('window: no offer is made while none is open, by a clock that may jump', () => {
    const offer = [{ cron: '0 2 * * *', durationSeconds: 3600, zone: 'UTC' }];
    const bench = new RolloutBench(ids(2), { phases: all, maxInFlight: 1, windows: { offer } }).open();
    expect(noes(bench, 'd00')).toEqual(['window']);
    expect(detail(bench, 'd00', 'window')).toContain('closed until 1970-01-01T02:00:00.000Z');
    bench.feed({ kind: 'tick' }, 120 * minuteMs - 1);
    expect(bench.requested('update.offer')).toEqual([]);
    bench.feed({ kind: 'tick' }, 120 * minuteMs);
    expect(bench.requested('update.offer')).toEqual(['d00']);
    bench.feed({ kind: 'tick' }, 60 * minuteMs); // the clock was set back
    bench.update('d00');
    expect(bench.requested('update.offer')).toEqual(['d00']);
    bench.feed({ kind: 'tick' }, 500 * minuteMs); // and jumps over the whole window
    expect(bench.requested('update.offer')).toEqual(['d00']);
    bench.feed({ kind: 'tick' }, 1440 * minuteMs + 150 * minuteMs);
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01']);
  });

  it('window: each device by its own zone', () => {
    const offer = [{ cron: '0 2 * * *', durationSeconds: 3600, zone: 'device' }];
    const zones: Record<string, string> = { d00: 'Europe/Berlin', d01: 'America/New_York', d02: 'Europe/Berlin' };
    const bench = new RolloutBench(
      ids(3),
      { phases: all, timers: patient, windows: { offer } },
      [],
      undefined,
      (id) => ({
        timezone: zones[id],
      }),
    );
    bench.open();
    bench.feed({ kind: 'tick' }, 61 * minuteMs); // 02:01 in Berlin (+1)
    expect(bench.requested('update.offer')).toEqual(['d00', 'd02']);
    expect(noes(bench, 'd01')).toEqual(['window']);
    expect(detail(bench, 'd01', 'window')).toContain('the device is in America/New_York');
    bench.feed({ kind: 'tick' }, 421 * minuteMs); // 02:01 in New York (-5)
    expect(bench.requested('update.offer')).toEqual(['d00', 'd02', 'd01']);
  });

  it('window: a device that tells no zone is refused at the start', () => {
    const offer = [{ cron: '0 2 * * *', durationSeconds: 3600, zone: 'device' }];
    expect(() => new RolloutBench(ids(1), { windows: { offer } })).toThrow(
      expect.objectContaining({ code: 'rollout-zone-unknown' }),
    );
  });

  it('in-flight: as many as may be', () => {
    const bench = new RolloutBench(ids(3), { phases: all, maxInFlight: 2 }).open();
    expect(noes(bench, 'd02')).toEqual(['in-flight']);
    expect(detail(bench, 'd02', 'in-flight')).toBe('2 of at most 2 are being updated');
  });

  it('in-flight-per: as many of one site as may be, and no site holds up another', () => {
    const site = (id: string) => ({ site: Number(id.slice(1)) < 3 ? 'harbour' : 'hill' });
    const bench = new RolloutBench(
      ids(5),
      { phases: all, maxInFlightPer: { place: 'G@site', count: 1 } },
      [],
      undefined,
      site,
    ).open();
    expect(bench.requested('update.offer')).toEqual(['d00', 'd03']);
    expect(noes(bench, 'd01')).toEqual(['in-flight-per']);
    bench.update('d03');
    expect(bench.requested('update.offer')).toEqual(['d00', 'd03', 'd04']);
    bench.update('d00');
    expect(bench.requested('update.offer')).toEqual(['d00', 'd03', 'd04', 'd01']);
  });

  it('rate: so many offers in any minute, whatever their seconds', () => {
    const bench = new RolloutBench(ids(5), { phases: all, timers: patient, perMinute: 2 }).open();
    expect(bench.requested('update.offer')).toHaveLength(2);
    expect(noes(bench, 'd02')).toEqual(['rate']);
    bench.feed({ kind: 'tick' }, minuteMs - 1);
    expect(bench.requested('update.offer')).toHaveLength(2);
    bench.feed({ kind: 'tick' }, minuteMs);
    expect(bench.requested('update.offer')).toHaveLength(4);
  });

  it('rate: a ramp grows with proven successes alone', () => {
    const ramp = { from: 1, factor: 2, successes: 1 };
    const bench = new RolloutBench(ids(9), { phases: all, ramp, perMinute: 4, maxFailures: 9 }).open();
    expect(bench.requested('update.offer')).toHaveLength(1);
    bench.update('d00');
    expect(bench.requested('update.offer')).toHaveLength(2);
    bench.rollBack('d01');
    expect(bench.requested('update.offer')).toHaveLength(2);
    expect(detail(bench, 'd02', 'rate')).toBe('2 of at most 2 offers in the last minute (ramp: 1 are proven)');
    bench.feed({ kind: 'tick' }, minuteMs);
    expect(bench.requested('update.offer')).toHaveLength(4);
  });

  it('retries: a device that failed waits in the penalty box', () => {
    const retry = { perDevice: 1, perPhase: 9, backoffSeconds: 60 };
    const bench = new RolloutBench(ids(1), { phases: all, retry }).open();
    bench.tell('d00', 'failed', { reason: { code: 'disk-full', message: 'no room' } });
    expect(bench.device('d00')).toMatchObject({ state: 'queued', retries: 1, notBeforeMs: minuteMs });
    expect(noes(bench, 'd00')).toEqual(['retries']);
    expect(detail(bench, 'd00', 'retries')).toContain('1 of 1 retries are used; in the penalty box until');
  });
});

describe('retries', () => {
  const retry = { perDevice: 2, perPhase: 3, backoffSeconds: 60 };

  it('are offered again after the back-off, twice as long each time, and count as a failure once they are used', () => {
    const bench = new RolloutBench(ids(2), { phases: all, retry, maxFailures: 1 }, ['d01']).open();
    bench.tell('d00', 'failed');
    bench.feed({ kind: 'tick' }, minuteMs - 1);
    expect(bench.requested('update.offer')).toEqual(['d00']);
    bench.feed({ kind: 'tick' }, minuteMs);
    expect(bench.requested('update.offer')).toEqual(['d00', 'd00']);
    // By the number the device tells a second try from the first offer that comes once more.
    const attempts = bench.effects.flatMap((effect) =>
      effect.kind === 'request' ? [(effect.request.payload as { attempt?: number }).attempt] : [],
    );
    expect(attempts).toEqual([undefined, 2]);
    bench.tell('d00', 'failed');
    expect(bench.device('d00').notBeforeMs).toBe(minuteMs + 2 * minuteMs);
    bench.feed({ kind: 'tick' }, 3 * minuteMs);
    expect(bench.state.document.state).toBe('running');
    bench.tell('d00', 'failed', { reason: { code: 'x', message: 'for good' } });
    expect(bench.device('d00')).toMatchObject({ state: 'failed', retries: 2 });
    expect(bench.state.document).toMatchObject({ state: 'halted', phases: [{ retries: 2 }] });
  });

  it('are not forgotten when the clock is set back at the end of the back-off', () => {
    const bench = new RolloutBench(ids(1), { phases: all, retry }).open();
    bench.tell('d00', 'failed');
    bench.feed({ kind: 'pause', reason: 'x' });
    bench.feed({ kind: 'tick' }, minuteMs);
    bench.feed({ kind: 'resume' }, minuteMs - 1);
    expect(bench.requested('update.offer')).toHaveLength(1);
    bench.feed({ kind: 'tick' }, minuteMs);
    expect(bench.requested('update.offer')).toHaveLength(2);
  });

  it('keep to the budget of the phase', () => {
    const bench = new RolloutBench(ids(3), { phases: all, retry: { ...retry, perPhase: 1 }, maxFailures: 3 }).open();
    bench.tell('d00', 'failed');
    bench.tell('d01', 'failed');
    expect(bench.device('d00').state).toBe('queued');
    expect(bench.device('d01').state).toBe('failed');
  });

  it('are not given to a device that rejected or reverted it, nor to one that may be bricked', () => {
    const bench = new RolloutBench(ids(4), { phases: all, retry, maxFailures: 4, maxFailureShare: 1 }).open();
    bench.tell('d00', 'rejected');
    bench.rollBack('d01');
    bench.tell('d02', 'installing');
    bench.feed({ kind: 'tick' }, timers.installing * 1000);
    expect(ids(3).map((id) => bench.device(id).state)).toEqual(['rejected', 'rolled-back', 'timed-out']);
    expect(bench.device('d03').state).toBe('queued'); // silent in offered: nothing was written
  });

  it('take no word about the attempt that was cancelled for one about the next', () => {
    const bench = new RolloutBench(ids(1), { phases: all, retry }).open();
    bench.tell('d00', 'downloading');
    bench.feed({ kind: 'tick' }, timers.downloading * 1000);
    expect(bench.requested('update.cancel')).toEqual(['d00']);
    const again = timers.downloading * 1000 + minuteMs;
    bench.feed({ kind: 'tick' }, again);
    expect(bench.requested('update.offer')).toEqual(['d00', 'd00']);
    bench.tell('d00', 'downloading');
    bench.tell('d00', 'cancelled');
    expect(bench.device('d00').state).toBe('offered');
    bench.tell('d00', 'offered');
    bench.tell('d00', 'downloading');
    expect(bench.device('d00').state).toBe('downloading');
    bench.tell('d00', 'cancelled');
    expect(bench.device('d00').state).toBe('cancelled');
  });

  it('go on with a device that was told to cancel too late', () => {
    const bench = new RolloutBench(ids(1), { phases: all, retry }).open();
    bench.tell('d00', 'verified');
    bench.feed({ kind: 'tick' }, timers.verified * 1000);
    expect(bench.device('d00').state).toBe('queued');
    bench.update('d00');
    expect(bench.device('d00').state).toBe('committed');
    expect(bench.state.document.state).toBe('completed');
  });
});

describe('a gate', () => {
  const two = (gate: NonNullable<RolloutRequest['phases']>[number]['gate'], size = '4'): Partial<RolloutRequest> => ({
    phases: [{ size, ...(gate === undefined ? {} : { gate }) }, { size: 'rest' }],
    maxFailures: 100,
    maxFailureShare: 1,
  });

  it('passes at exactly its share of successes, of those that ended', () => {
    const bench = new RolloutBench(ids(6), two({ success: 0.75 })).open();
    bench.rollBack('d00');
    for (const id of ['d01', 'd02']) bench.update(id);
    expect(bench.state.document.currentPhase).toBe(0);
    bench.update('d03');
    expect(bench.state.document.currentPhase).toBe(1);
  });

  it('fails below it, says the numbers, and opens no phase', () => {
    const bench = new RolloutBench(ids(6), two({ success: 0.8 })).open();
    bench.rollBack('d00');
    for (const id of ['d01', 'd02', 'd03']) bench.update(id);
    expect(bench.state.document).toMatchObject({
      state: 'halted',
      currentPhase: 0,
      reason: 'phase 1: 3 of 4 ended devices are proven (75 %); at least 80 % must be',
    });
  });

  it('does not count who was cancelled or removed', () => {
    const bench = new RolloutBench(ids(6), two({ success: 1 })).open();
    bench.feed({ kind: 'removed', deviceId: 'd00' });
    for (const id of ['d01', 'd02', 'd03']) bench.update(id);
    expect(bench.state.document.currentPhase).toBe(1);
  });

  it('waits for who is away only if they could still pass it', () => {
    const bench = new RolloutBench(ids(6), two({ success: 0.75 }), ['d03', 'd04', 'd05']).open();
    expect(bench.device('d03').phase).toBe(0);
    bench.rollBack('d00');
    for (const id of ['d01', 'd02']) bench.update(id);
    expect(bench.state.document).toMatchObject({ state: 'running', currentPhase: 0 });
    bench.presence('d03', true);
    bench.update('d03');
    expect(bench.state.document.currentPhase).toBe(1);
  });

  it('halts above its share of failures, once the sample is there', () => {
    const bench = new RolloutBench(ids(6), two({ failure: 0.25, minSample: 3 })).open();
    bench.rollBack('d00');
    bench.update('d01');
    expect(bench.state.document.state).toBe('running');
    bench.update('d02');
    expect(bench.state.document).toMatchObject({
      state: 'halted',
      reason: expect.stringContaining('at most 25 % may'),
    });
    bench.feed({ kind: 'resume' });
    bench.update('d03');
    expect(bench.state.document).toMatchObject({ state: 'running', currentPhase: 1 });
  });

  it('lets through exactly its share of failures', () => {
    const bench = new RolloutBench(ids(6), two({ failure: 0.25 })).open();
    for (const id of ['d01', 'd02', 'd03']) bench.update(id);
    bench.rollBack('d00');
    expect(bench.state.document).toMatchObject({ state: 'running', currentPhase: 1 });
  });

  it('waits for an approval after all else, and goes on when it comes', () => {
    const bench = new RolloutBench(ids(3), two({ approval: 'admin' }, '1')).open();
    bench.feed({ kind: 'approve', by: 'operator:early' });
    bench.update('d00');
    expect(bench.state.document.phases[0]!.state).toBe('approval');
    bench.feed({ kind: 'tick' }, 10 * 86_400_000);
    expect(bench.requested('update.offer')).toEqual(['d00']);
    bench.feed({ kind: 'approve', by: 'operator:anna' });
    expect(bench.state.document.phases[0]).toMatchObject({ state: 'passed', approvedBy: 'operator:anna' });
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01', 'd02']);
  });

  it('that can never be passed is refused at the start', () => {
    const refused = expect.objectContaining({ code: 'rollout-gate' });
    expect(() => new RolloutBench(ids(6), two({ minSample: 5 }))).toThrow(refused);
    expect(() => new RolloutBench(ids(6), { phases: [{ size: 'rest', gate: { approval: 'admin' } }] })).toThrow(
      refused,
    );
  });

  it('of the last phase decides whether the rollout is a success', () => {
    const bench = new RolloutBench(ids(2), {
      phases: [{ size: 'rest', gate: { success: 1 } }],
      maxFailures: 9,
      maxFailureShare: 1,
    }).open();
    bench.update('d00');
    bench.rollBack('d01');
    expect(bench.state.document.state).toBe('halted');
  });
});

describe('what follows a failure', () => {
  const begin = (onFailure: RolloutRequest['onFailure']) => {
    const bench = new RolloutBench(ids(4), {
      phases: [{ size: '3' }, { size: 'rest' }],
      maxInFlight: 2,
      ...(onFailure === undefined ? {} : { onFailure }),
    }).open();
    bench.tell('d01', 'downloading');
    bench.rollBack('d00');
    return bench;
  };

  it('pause: nobody is cancelled but who has not begun', () => {
    const bench = begin('pause');
    expect(bench.state.document.state).toBe('halted');
    expect(bench.state.document.counts).toEqual({ 'rolled-back': 1, downloading: 1, queued: 1, waiting: 1 });
  });

  it('cancel-queued: who is on the way goes on', () => {
    const bench = begin('cancel-queued');
    expect(bench.state.document.state).toBe('aborted');
    expect(bench.requested('update.cancel')).toEqual([]);
    bench.update('d01');
    expect(bench.state.document.counts).toEqual({ 'rolled-back': 1, committed: 1, cancelled: 2 });
  });

  it('cancel-all: who is on the way is told', () => {
    expect(begin('cancel-all').requested('update.cancel')).toEqual(['d01']);
  });

  it('rollbackTo: every device that was offered it gets the other release', () => {
    const bench = begin({ rollbackTo: 'meter/1.0.0' });
    expect(bench.effects).toContainEqual({
      kind: 'roll-back',
      rolloutId: 'r1',
      release: 'meter/1.0.0',
      deviceIds: ['d00', 'd01'],
      reason: '1 of 1 ended devices failed; the limit is 1',
    });
  });
});

describe('a rollout that is superseded', () => {
  it('lets go who has not begun, and tells who has', () => {
    const bench = new RolloutBench(ids(3), { phases: all, maxInFlight: 1 }).open();
    bench.feed({ kind: 'supersede', deviceIds: ['d00', 'd01'], by: 'r2' });
    expect(bench.device('d01')).toMatchObject({ state: 'cancelled', reason: { code: 'superseded' } });
    expect(bench.requested('update.cancel')).toEqual(['d00']);
    expect(bench.device('d02').state).toBe('queued');
    bench.tell('d00', 'cancelled');
    expect(bench.requested('update.offer')).toEqual(['d00', 'd02']);
  });
});

describe('a device that comes back', () => {
  it('is offered the release though all behind it were looked at, and many come back at once', () => {
    const many = ids(100);
    const bench = new RolloutBench(many, { phases: all, maxInFlight: 200 }, many).open();
    bench.feed({ kind: 'pause', reason: 'x' });
    for (const id of many) bench.presence(id, true);
    bench.feed({ kind: 'resume' });
    expect(bench.requested('update.offer')).toHaveLength(100);
    const late = new RolloutBench(many, { phases: all, maxInFlight: 1 }, many.slice(1)).open();
    for (const id of many.slice(1)) late.presence(id, true);
    for (const id of many) late.update(id);
    expect(late.state.document).toMatchObject({ state: 'completed', counts: { committed: 100 } });
    expect(oldUuid).not.toBe(newUuid);
  });
});

describe('a continuous rollout', () => {
  const policy: Partial<RolloutRequest> = { phases: [{ size: '1' }, { size: 'rest' }], continuous: true };
  const late = (bench: RolloutBench, id: string) => {
    bench.world.set(id, structuredClone(bench.world.get('d00')!));
    bench.world.get(id)!.running = { bootId: `${id}-boot-1`, slot: 'a', bundleUuid: oldUuid };
    bench.feed({ kind: 'join', devices: [{ deviceId: id }] });
  };

  it('gives late joiners nothing before its gates are passed, then the same as all others', () => {
    const bench = new RolloutBench(ids(3), policy).open();
    late(bench, 'd90');
    expect(bench.device('d90')).toMatchObject({ phase: 1, state: 'waiting' });
    expect(bench.requested('update.offer')).toEqual(['d00']);
    bench.update('d00');
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01', 'd02', 'd90']);
    for (const id of ['d01', 'd02', 'd90']) bench.update(id);
    expect(bench.state.document.state).toBe('running');
    late(bench, 'd91');
    expect(bench.requested('update.offer').at(-1)).toBe('d91');
    bench.rollBack('d91');
    expect(bench.state.document).toMatchObject({ state: 'halted', counts: { committed: 4, 'rolled-back': 1 } });
    expect(bench.state.document.phases[1]!.size).toBe(4);
  });

  it('takes nobody twice, and nobody into one that is not', () => {
    const bench = new RolloutBench(ids(3), policy).open();
    const before = bench.state;
    bench.feed({ kind: 'join', devices: [{ deviceId: 'd00' }] });
    expect(bench.state.devices).toBe(before.devices);
    const fixed = new RolloutBench(ids(3)).open();
    fixed.feed({ kind: 'join', devices: [{ deviceId: 'd90' }] });
    expect(fixed.state.devices).toHaveLength(3);
  });

  it('keeps caps and zones of those that join', () => {
    const cap = { place: 'G@site', count: 1 };
    const bench = new RolloutBench(ids(2), { ...policy, phases: all, maxInFlightPer: cap }, [], undefined, (id) => ({
      site: id,
    })).open();
    bench.world.set('d90', structuredClone(bench.world.get('d00')!));
    bench.feed({ kind: 'join', devices: [{ deviceId: 'd90', group: 'd00' }] });
    expect(noes(bench, 'd90')).toEqual(['in-flight-per']);
    bench.update('d00');
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01', 'd90']);
  });
});

describe('a gate of health', () => {
  const healthy = (gate: NonNullable<RolloutRequest['phases']>[number]['gate']): Partial<RolloutRequest> => ({
    phases: [{ size: '4', soakSeconds: 3600, ...(gate === undefined ? {} : { gate }) }, { size: 'rest' }],
  });
  const soaked = (bench: RolloutBench, act: () => void) => {
    for (const id of ids(4)) bench.update(id);
    act();
    bench.feed({ kind: 'tick' }, 3_600_000);
    return bench.state.document;
  };

  it('stops when too many proven devices are away, though the others are there', () => {
    const bench = new RolloutBench(ids(8), healthy({ connected: 0.9 })).open();
    const ended = soaked(bench, () => bench.presence('d00', false));
    expect(ended).toMatchObject({
      state: 'halted',
      reason:
        'phase 1: 3 of 4 proven devices are connected (75 %); at least 90 % of the 100 % of those that were not updated must be',
    });
  });

  it('does not blame the release for a network that is down for all', () => {
    const bench = new RolloutBench(ids(8), healthy({ connected: 0.9 })).open();
    const ended = soaked(bench, () => {
      for (const id of ['d00', 'd04', 'd05']) bench.presence(id, false);
    });
    expect(ended).toMatchObject({ state: 'running', currentPhase: 1 });
  });

  it('stops when proven devices lose their connections more often than before and than the others', () => {
    const flap = (bench: RolloutBench, id: string, times: number) => {
      for (let count = 0; count < times; count += 1) {
        bench.presence(id, false);
        bench.presence(id, true);
      }
    };
    const bench = new RolloutBench(ids(8), healthy({ lostConnections: 2 })).open();
    const ended = soaked(bench, () => {
      flap(bench, 'd00', 5);
      flap(bench, 'd04', 1);
    });
    expect(ended).toMatchObject({ state: 'halted', reason: expect.stringContaining('lost 1.25 connections an hour') });
    const equal = new RolloutBench(ids(8), healthy({ lostConnections: 2 })).open();
    const same = soaked(equal, () => {
      flap(equal, 'd00', 5);
      flap(equal, 'd04', 3);
    });
    expect(same).toMatchObject({ state: 'running', currentPhase: 1 });
  });
});
