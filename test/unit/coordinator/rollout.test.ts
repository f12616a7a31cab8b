import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RolloutRequest } from '../../../src/client/contract/rollout.ts';
import { judgeEvidence } from '../../../src/coordinator/rollout/judge-evidence.ts';
import { isOpen } from '../../../src/coordinator/rollout/target-device.ts';
import { updateStates, type Evidence, type Running } from '../../../src/protocol/event.ts';
import { evidence, ids, newUuid, oldUuid, RolloutBench, timers } from './rollout-bench.ts';

describe('a delta', () => {
  it('is offered beside the whole bundle to a device that runs what it was made from, and let be fetched', () => {
    const delta = {
      fromUuid: oldUuid,
      sizeBytes: 10,
      sha256: 'd'.repeat(64),
      partBytes: 262_144,
      partSha256: ['e'.repeat(64)],
    };
    const offered = (runs: string) => {
      const bench = new RolloutBench(ids(1));
      bench.deltas.push(delta);
      bench.world.get('d00')!.running = { bootId: 'boot', slot: 'a', bundleUuid: runs };
      bench.open();
      const offers = bench.effects.flatMap((effect) => (effect.kind === 'request' ? [effect.request.payload] : []));
      const granted = bench.effects.flatMap((effect) => (effect.kind === 'grant' ? [effect.sha256[0]] : []));
      return { offers, granted, deltaSha256: bench.device('d00').deltaSha256 };
    };
    expect(offered(oldUuid)).toMatchObject({ offers: [{ delta }], granted: ['a', 'd'], deltaSha256: delta.sha256 });
    const other = offered('33333333-0000-5000-8000-000000000000');
    expect(other).toMatchObject({ granted: ['a'], deltaSha256: undefined });
    expect(other.offers[0]).not.toHaveProperty('delta');
  });
});

describe('evidence', () => {
  const before: Running = { bootId: 'boot-1', slot: 'a', bundleUuid: oldUuid };
  const after: Running = { bootId: 'boot-2', slot: 'b', bundleUuid: newUuid };
  const good: Evidence = evidence(before, after);
  const judge = (over: Partial<Parameters<typeof judgeEvidence>[0]>) =>
    judgeEvidence({ evidence: good, bundleUuid: newUuid, bootIdAtOffer: 'boot-1', lastBoot: after, ...over }).proven;

  it('proves an update when boot, slot, bundle, health and our own record agree', () => {
    expect(judge({})).toBe(true);
    expect(judge({ evidence: { ...good, slotDigestMatches: true } })).toBe(true);
    expect(judge({ bootIdAtOffer: undefined })).toBe(true);
  });

  it('proves nothing when any of it is missing or says otherwise', () => {
    const { after: _, ...noAfter } = good;
    const lacking: Partial<Parameters<typeof judgeEvidence>[0]>[] = [
      { evidence: undefined },
      { evidence: noAfter },
      { evidence: evidence(before, { ...after, bundleUuid: oldUuid }) },
      { evidence: evidence(before, { bootId: 'boot-2', slot: 'b' }) },
      { evidence: evidence(before, { ...after, bootId: 'boot-1' }) }, // only the agent was restarted
      { evidence: evidence({ ...before, bootId: 'boot-0' }, after), bootIdAtOffer: 'boot-2' },
      { evidence: evidence(before, { ...after, slot: 'a' }) },
      { evidence: evidence({ bootId: 'boot-1' }, after) },
      { evidence: evidence(before, after, { health: [{ name: 'app', ok: false, durationMs: 1 }] }) },
      { evidence: { ...good, slotDigestMatches: false } },
      { lastBoot: undefined },
      { lastBoot: before },
      { lastBoot: { ...after, bootId: 'boot-3' } },
      { lastBoot: { ...after, bundleUuid: oldUuid } },
      { lastBoot: { ...after, slot: 'a' } },
    ];
    for (const each of lacking) expect(judge(each), JSON.stringify(each)).toBe(false);
  });
});

describe('planning a rollout', () => {
  const sizes = (bench: RolloutBench) => bench.state.document.phases.map(({ size }) => size);

  it('takes one canary, then a quarter, then the rest, connected devices first', () => {
    const bench = new RolloutBench(ids(12), {}, ['d00', 'd01']);
    expect(sizes(bench)).toEqual([1, 3, 8]);
    expect([...bench.state.devices].map(({ deviceId }) => deviceId).slice(0, 4)).toEqual(['d02', 'd03', 'd04', 'd05']);
    expect(bench.device('d00').phase).toBe(2);
  });

  it('puts the remainder into the last phase and leaves out phases that got nobody', () => {
    expect(sizes(new RolloutBench(ids(10), { phases: [{ size: '2' }, { size: '3' }] }))).toEqual([2, 8]);
    expect(sizes(new RolloutBench(ids(1)))).toEqual([1]);
    expect(sizes(new RolloutBench(ids(3), { phases: [{ size: '50%' }, { size: 'rest' }] }))).toEqual([1, 2]);
  });

  it('keeps to the selector of a phase, and refuses targets that fit none', () => {
    const bench = new RolloutBench(['a1', 'b1', 'b2'], { phases: [{ size: '5', selector: 'b*' }, { size: 'rest' }] });
    expect(sizes(bench)).toEqual([2, 1]);
    expect(bench.device('a1').phase).toBe(1);
    expect(() => new RolloutBench(['a1', 'b1'], { phases: [{ size: 'rest', selector: 'b*' }] })).toThrow(
      expect.objectContaining({ code: 'rollout-phase-too-narrow' }),
    );
  });

  it('refuses devices that another rollout has, and says which', () => {
    expect(() => new RolloutBench(ids(3), {}, [], 'd01')).toThrow(
      expect.objectContaining({ code: 'rollout-device-held', detail: expect.objectContaining({ seen: 'd01 (r0)' }) }),
    );
  });
});

describe('a rollout', () => {
  it('goes from phase to phase by proven successes and completes', () => {
    const bench = new RolloutBench(ids(6)).open();
    expect(bench.requested('update.offer')).toEqual(['d00']);
    bench.update('d00');
    expect(bench.device('d00').state).toBe('committed');
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01']);
    bench.update('d01');
    for (const id of ids(6).slice(2)) bench.update(id);
    expect(bench.state.document).toMatchObject({ state: 'completed', counts: { committed: 6 } });
    expect(bench.requested('update.offer')).toHaveLength(6);
  });

  it('counts a success without evidence as a failure and halts', () => {
    const bench = new RolloutBench(ids(4)).open();
    bench.tell('d00', 'committed');
    expect(bench.device('d00')).toMatchObject({ state: 'failed', reason: { code: 'evidence-insufficient' } });
    expect(bench.state.document.state).toBe('halted');
    expect(bench.requested('update.offer')).toEqual(['d00']);
  });

  it('halts when a canary rolls back: nobody else is touched, and the pair is quarantined', () => {
    const bench = new RolloutBench(ids(8), { phases: [{ size: '2' }, { size: 'rest' }] }).open();
    bench.rollBack('d00');
    expect(bench.state.document).toMatchObject({ state: 'halted', reason: expect.stringContaining('the limit is 1') });
    expect(bench.effects).toContainEqual({ kind: 'quarantine-bundle', deviceId: 'd00', bundleUuid: newUuid });
    expect(bench.requested('update.cancel')).toEqual(['d01']); // offered, not begun
    bench.tell('d01', 'cancelled');
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01']);
    expect(bench.state.document.counts).toEqual({ 'rolled-back': 1, cancelled: 1, waiting: 6 });
  });

  it('lets a canary that has begun end on its own after the halt', () => {
    const bench = new RolloutBench(ids(4), { phases: [{ size: '2' }, { size: 'rest' }] }).open();
    bench.tell('d01', 'installing');
    bench.rollBack('d00');
    expect(bench.requested('update.cancel')).toEqual([]);
    bench.tell('d01', 'rebooting');
    const after = bench.reboot('d01');
    bench.tell('d01', 'committed', { evidence: evidence({ bootId: 'd01-boot-1', slot: 'a' }, after) });
    expect(bench.device('d01').state).toBe('committed');
    expect(bench.state.document.state).toBe('halted');
  });

  it('goes on after a halt when an operator resumes, and halts again at the next failure', () => {
    const bench = new RolloutBench(ids(4)).open();
    bench.rollBack('d00');
    bench.feed({ kind: 'resume' });
    expect(bench.state.document.state).toBe('halted'); // the phase has not one success: its gate holds
    bench.feed({ kind: 'resume' });
    expect(bench.state.document).toMatchObject({ state: 'running', currentPhase: 1 });
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01']);
    bench.rollBack('d01');
    expect(bench.state.document.state).toBe('halted');
  });

  it('pauses: what runs goes on, nothing new is offered; judges its gates when it is resumed', () => {
    const bench = new RolloutBench(ids(3), { phases: [{ size: 'rest' }], maxInFlight: 1 }).open();
    bench.feed({ kind: 'pause', reason: 'lunch' });
    bench.update('d00');
    expect(bench.requested('update.offer')).toEqual(['d00']);
    bench.feed({ kind: 'resume' });
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01']);
    bench.feed({ kind: 'pause', reason: 'lunch' });
    bench.rollBack('d01');
    expect(bench.state.document.state).toBe('paused');
    bench.feed({ kind: 'resume' });
    expect(bench.state.document.state).toBe('halted');
  });

  it('aborts: who waits is cancelled, who was offered it is told, and the rest comes to its end', () => {
    const bench = new RolloutBench(ids(3), { phases: [{ size: '2' }, { size: 'rest' }] }).open();
    bench.tell('d01', 'installing');
    bench.feed({ kind: 'abort', reason: 'wrong one' });
    expect(bench.requested('update.cancel')).toEqual(['d00', 'd01']);
    expect(bench.device('d02').state).toBe('cancelled');
    bench.tell('d00', 'cancelled');
    bench.feed({ kind: 'tick' }, timers.installing * 1000);
    expect(bench.device('d01').state).toBe('timed-out');
    expect(bench.state.document.state).toBe('aborted');
  });

  it('does not offer what already runs, what was reverted before, and what is away', () => {
    const bench = new RolloutBench(ids(4), { phases: [{ size: 'rest' }] }, ['d02']);
    bench.world.get('d00')!.running.bundleUuid = newUuid;
    bench.world.get('d01')!.quarantinedBundles.push(newUuid);
    bench.open();
    expect(bench.device('d00').state).toBe('already');
    expect(bench.device('d01')).toMatchObject({ state: 'rejected', reason: { code: 'bundle-quarantined' } });
    expect(bench.device('d02').state).toBe('queued');
    expect(bench.requested('update.offer')).toEqual(['d03']);
    bench.presence('d02', true);
    expect(bench.requested('update.offer')).toEqual(['d03', 'd02']);
  });

  it('waits for a device that is away until the deadline, which is no failure', () => {
    const bench = new RolloutBench(ids(2), { phases: [{ size: 'rest' }], deadlineSeconds: 60 }, ['d01']).open();
    bench.update('d00');
    bench.feed({ kind: 'tick' }, 59_999);
    expect(bench.device('d01').state).toBe('queued');
    bench.feed({ kind: 'tick' }, 60_000);
    expect(bench.state.document).toMatchObject({ state: 'completed', counts: { committed: 1, 'timed-out': 1 } });
  });

  it('begins the next phase while a device of this one is away, but never without one success', () => {
    const away = new RolloutBench(ids(4), { phases: [{ size: '2' }, { size: 'rest' }] }, ['d01', 'd02', 'd03']).open();
    away.update('d00');
    expect(away.state.document.currentPhase).toBe(1);
    const none = new RolloutBench(ids(4), {}, ids(4)).open();
    expect(none.state.document.currentPhase).toBe(0);
    none.feed({ kind: 'tick' }, 10 * 86_400_000);
    expect(none.state.document).toMatchObject({
      state: 'halted',
      reason: expect.stringContaining('without one success'),
    });
  });

  it('lets the successes stand for the soak time before the next phase', () => {
    const bench = new RolloutBench(ids(3), { phases: [{ size: '1', soakSeconds: 30 }, { size: 'rest' }] }).open();
    bench.update('d00');
    expect(bench.state.document.phases[0]!.state).toBe('soaking');
    bench.feed({ kind: 'tick' }, 29_999);
    expect(bench.requested('update.offer')).toEqual(['d00']);
    bench.feed({ kind: 'tick' }, 30_000);
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01', 'd02']);
  });

  it('never has more in flight than it may', () => {
    const bench = new RolloutBench(ids(5), { phases: [{ size: 'rest' }], maxInFlight: 2 }).open();
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01']);
    bench.update('d01');
    expect(bench.requested('update.offer')).toEqual(['d00', 'd01', 'd02']);
  });

  for (const [state, seconds] of Object.entries(timers)) {
    it(`times out a device that says nothing more while ${state}, and names the state`, () => {
      const bench = new RolloutBench(ids(2)).open();
      if (state !== 'offered') bench.tell('d00', state as keyof typeof timers);
      bench.feed({ kind: 'tick' }, seconds * 1000 - 1);
      expect(bench.device('d00').state).toBe(state);
      bench.feed({ kind: 'tick' }, seconds * 1000);
      expect(bench.device('d00')).toMatchObject({ state: 'timed-out', reason: { code: `timed-out-${state}` } });
      expect(bench.state.document.state).toBe('halted');
    });
  }

  it('does not take a device for silent that puts the next step off, and does once its wait is over', () => {
    const bench = new RolloutBench(ids(2)).open();
    const wait = { code: 'deferred', message: 'a patient is connected', untilMs: 500_000 };
    bench.tell('d00', 'verified', { wait });
    expect(bench.device('d00').wait).toEqual(wait);
    bench.feed({ kind: 'tick' }, 500_000 + timers.verified * 1000 - 1);
    expect(bench.device('d00').state).toBe('verified');
    bench.feed({ kind: 'tick' }, 500_000 + timers.verified * 1000);
    expect(bench.device('d00')).toMatchObject({ state: 'timed-out', reason: { code: 'timed-out-verified' } });
    expect(bench.device('d00').wait).toBeUndefined();
  });

  it('counts silence as ever once the device has said that it goes on, and believes no wait for ever', () => {
    const bench = new RolloutBench(ids(2)).open();
    bench.tell('d00', 'verified', { wait: { code: 'needs-approval', message: 'nobody has', untilMs: 9e15 } });
    bench.tell('d00', 'verified');
    expect(bench.device('d00').wait).toBeUndefined();
    bench.tell('d00', 'rebooting', { wait: { code: 'window-reboot', message: 'closed', untilMs: 9e15 } });
    bench.feed({ kind: 'tick' }, 29 * 86_400_000);
    expect(bench.device('d00').state).toBe('rebooting');
    bench.feed({ kind: 'tick' }, 30 * 86_400_000 + timers.rebooting * 1000);
    expect(bench.device('d00').state).toBe('timed-out');
  });

  it('halts at a share of the ended devices, once enough have ended', () => {
    const bench = new RolloutBench(ids(40), {
      phases: [{ size: 'rest' }],
      maxFailures: 30,
      maxFailureShare: 0.25,
      minSample: 8,
    }).open();
    for (const id of ids(6)) bench.update(id);
    bench.rollBack('d06');
    expect(bench.state.document.state).toBe('running');
    bench.rollBack('d07'); // 2 of 8
    expect(bench.state.document).toMatchObject({ state: 'halted', reason: expect.stringContaining('25 %') });
  });

  it('ignores what is not about its bundle, or comes from a device that was never offered it', () => {
    const bench = new RolloutBench(ids(3)).open();
    const before = bench.state;
    expect(bench.tell('d02', 'committed', { evidence: evidence({ bootId: 'x' }, { bootId: 'y' }) })).toEqual([]);
    expect(bench.tell('d00', 'failed', { bundleUuid: oldUuid })).toEqual([]);
    expect(bench.state.devices).toBe(before.devices);
    expect(bench.state.document).toBe(before.document);
  });

  const devices = ids(6);
  const deviceId = fc.constantFrom(...devices);
  const input = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('tell' as const),
        deviceId,
        state: fc.constantFrom(...updateStates),
        attempt: fc.integer({ min: 1, max: 3 }),
        proof: fc.constantFrom('none', 'fake', 'full'),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('update' as const), deviceId }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('presence' as const), deviceId, connected: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('removed' as const), deviceId }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom('pause' as const, 'abort' as const), reason: fc.constant('x') }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('resume' as const) }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('tick' as const) }) },
  );

  it('counts no success without proof, ends each device once, and offers nothing while it is not running', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(input, fc.integer({ min: 0, max: 30_000 })), { maxLength: 60 }),
        fc.constantFrom<Partial<RolloutRequest>>(
          {},
          { maxFailures: 3 },
          { maxInFlight: 2, phases: [{ size: '2', soakSeconds: 5 }, { size: 'rest' }] },
        ),
        (inputs, request) => {
          const bench = new RolloutBench(devices, { deadlineSeconds: 100, ...request }, ['d03']).open();
          const proven = new Set<string>();
          const ended = new Map<string, string>();
          for (const [each, passedMs] of inputs) {
            bench.nowMs += passedMs;
            const { state } = bench.state.document;
            const offers = bench.requested('update.offer').length;
            if (each.kind === 'tell') {
              const running = bench.world.get(each.deviceId)!.running;
              const full = evidence({ bootId: `${each.deviceId}-boot-1`, slot: 'a' }, running);
              if (each.proof === 'full' && running.bundleUuid === newUuid && each.state === 'committed')
                proven.add(each.deviceId);
              const fake = evidence(running, running);
              bench.tell(each.deviceId, each.state, {
                attempt: each.attempt,
                ...(each.proof === 'none' ? {} : { evidence: each.proof === 'full' ? full : fake }),
              });
            } else if (each.kind === 'update') {
              proven.add(each.deviceId);
              bench.update(each.deviceId);
            } else if (each.kind === 'presence') bench.presence(each.deviceId, each.connected);
            else bench.feed(each);

            if (state !== 'running' && each.kind !== 'resume') {
              expect(bench.requested('update.offer')).toHaveLength(offers);
              expect(bench.state.document.state === 'running').toBe(false);
            }
            for (const device of bench.state.devices) {
              const before = ended.get(device.deviceId);
              if (before !== undefined) expect(device.state).toBe(before);
              if (!isOpen(device.state)) ended.set(device.deviceId, device.state);
              if (device.state === 'committed') {
                expect(proven).toContain(device.deviceId);
                expect(bench.world.get(device.deviceId)!.running.bundleUuid).toBe(newUuid);
              }
            }
            const counts: Record<string, number> = {};
            for (const device of bench.state.devices) counts[device.state] = (counts[device.state] ?? 0) + 1;
            expect(bench.state.document.counts).toEqual(counts);
          }
          const offered = bench.requested('update.offer');
          expect(new Set(offered).size).toBe(offered.length); // nobody is asked to install twice
        },
      ),
      { numRuns: 400 },
    );
  });
});
