/** Actions that bring no release: the same phases, gates, caps, windows, retries; each with its own evidence. */
import { describe, expect, it } from 'vitest';
import type { RolloutAction, RolloutRequest } from '../../../src/client/contract/index.ts';
import type { JobDevice } from '../../../src/coordinator/job/job-state.ts';
import { digestJson } from '../../../src/coordinator/rollout/digest-json.ts';
import { jobStep } from '../../../src/coordinator/rollout/job-step.ts';
import { deadlineOf } from '../../../src/coordinator/rollout/rollout-timer.ts';
import type { StepReport } from '../../../src/coordinator/rollout/step-report.ts';
import { ids, newUuid, RolloutBench } from './rollout-bench.ts';

const all: RolloutRequest['phases'] = [{ size: 'rest' }];
const phased: RolloutRequest['phases'] = [{ size: '1' }, { size: 'rest' }];
const command: RolloutAction = { kind: 'job', job: { kind: 'command', argv: ['true'] } };
const settings: RolloutAction = { kind: 'config', name: 'app', document: { a: 1, b: 2 } };
const certificate: RolloutAction = { kind: 'certificate' };

/** Who was let begin, with the number of the try. */
function begun(bench: RolloutBench): string[] {
  return bench.effects.flatMap((effect) =>
    effect.kind === 'run-step' ? [`${effect.deviceId} ${effect.attempt}`] : [],
  );
}

function report(bench: RolloutBench, deviceId: string, told: StepReport): void {
  bench.feed({ kind: 'step', deviceId, report: told });
}

function held(bench: RolloutBench, id: string, serial: string, issuedAtMs: number, connectedAtMs = issuedAtMs): void {
  bench.certificates.set(id, { serial, issuedAtMs, connectedAtMs });
}

describe('an action', () => {
  it('goes by phases, caps and pauses as a release does', () => {
    const bench = new RolloutBench(ids(4), { action: command, phases: phased, maxInFlight: 2 }).open();
    expect(begun(bench)).toEqual(['d00 1']);
    report(bench, 'd00', { attempt: 1, state: 'running' });
    expect(bench.device('d00').state).toBe('running');
    expect(bench.state.document.counts).toEqual({ running: 1, waiting: 3 });
    bench.feed({ kind: 'pause', reason: 'lunch' });
    report(bench, 'd00', { attempt: 1, state: 'committed', proof: { kind: 'job', jobId: 'r1-job', exitCode: 0 } });
    expect(begun(bench)).toEqual(['d00 1']);
    bench.feed({ kind: 'resume' });
    expect(begun(bench)).toEqual(['d00 1', 'd01 1', 'd02 1']);
    report(bench, 'd01', { attempt: 1, state: 'committed' });
    expect(begun(bench)).toEqual(['d00 1', 'd01 1', 'd02 1', 'd03 1']);
    for (const id of ['d02', 'd03']) report(bench, id, { attempt: 1, state: 'committed' });
    expect(bench.state.document).toMatchObject({ state: 'completed', counts: { committed: 4 } });
  });

  it('halts at a failed gate, and takes back what has not begun', () => {
    const bench = new RolloutBench(ids(4), { action: command, phases: all, maxFailures: 1 }).open();
    report(bench, 'd01', { attempt: 1, state: 'running' });
    report(bench, 'd00', { attempt: 1, state: 'failed', reason: { code: 'job-failed', message: 'exit 1' } });
    expect(bench.state.document.state).toBe('halted');
    expect(bench.effects.flatMap((effect) => (effect.kind === 'cancel-step' ? [effect.deviceId] : []))).toEqual([
      'd02',
      'd03',
    ]);
    report(bench, 'd02', { attempt: 1, state: 'cancelled' });
    expect(bench.device('d02').state).toBe('cancelled');
  });

  it('counts what nobody knows as a failure, and never repeats it by itself', () => {
    const retry = { perDevice: 3, perPhase: 9, backoffSeconds: 1 };
    const bench = new RolloutBench(ids(2), { action: command, phases: all, retry, maxFailures: 2 }).open();
    report(bench, 'd00', { attempt: 1, state: 'unknown', reason: { code: 'job-unknown', message: 'not known' } });
    report(bench, 'd01', { attempt: 1, state: 'timed-out' });
    bench.feed({ kind: 'tick' }, 1_000_000_000);
    expect(begun(bench)).toEqual(['d00 1', 'd01 1']);
    expect(bench.state.document).toMatchObject({ state: 'halted', counts: { unknown: 1, 'timed-out': 1 } });
    // What it tells later is kept with it, once, and changes no count.
    report(bench, 'd00', {
      attempt: 1,
      state: 'unknown',
      reason: { code: 'job-unknown', message: 'not known; later the device reported: succeeded' },
    });
    report(bench, 'd00', { attempt: 1, state: 'committed' });
    expect(bench.device('d00')).toMatchObject({
      state: 'unknown',
      reason: { message: 'not known; later the device reported: succeeded' },
    });
  });

  it('tries a known failure again in the penalty box, as a try of its own', () => {
    const retry = { perDevice: 1, perPhase: 5, backoffSeconds: 10 };
    const bench = new RolloutBench(ids(1), { action: command, phases: all, retry }).open();
    report(bench, 'd00', { attempt: 1, state: 'failed', again: true });
    expect(bench.device('d00')).toMatchObject({ state: 'queued', retries: 1, notBeforeMs: 10_000 });
    bench.feed({ kind: 'tick' }, 10_000);
    expect(begun(bench)).toEqual(['d00 1', 'd00 2']);
    report(bench, 'd00', { attempt: 1, state: 'committed' }); // of the try that was given up
    expect(bench.device('d00').state).toBe('offered');
    report(bench, 'd00', { attempt: 2, state: 'failed', again: true });
    expect(bench.device('d00').state).toBe('failed');
  });

  it('is ended by its job, not by a timer of the rollout', () => {
    const bench = new RolloutBench(ids(1), { action: command, phases: all }).open();
    const presence = { connected: true, sinceMs: 0 };
    expect(bench.state.document.timers).toEqual({});
    expect(deadlineOf(bench.state.document, bench.device('d00'), presence)).toBeUndefined();
    const certificates = new RolloutBench(ids(1), { action: certificate, phases: all }).open();
    expect(certificates.state.document.timers).toEqual({ offered: 10, running: 60 });
  });

  it.each<[string, Partial<RolloutRequest>, string]>([
    ['both', { action: command, release: 'meter/2.0.0' }, 'rollout-action'],
    ['a way back', { action: command, onFailure: { rollbackTo: 'meter/1.0.0' } }, 'rollout-action-field'],
    ['timers of its job', { action: command, timers: { running: 5 } }, 'rollout-action-field'],
    ['windows of an installation', { action: certificate, windows: { install: [] } }, 'rollout-action-field'],
    ['what an update asks of a device', { action: settings, device: { needsApproval: true } }, 'rollout-action-field'],
    ['a timer that a release has not', { timers: { running: 5 } }, 'rollout-action-field'],
  ])('refuses %s', (_, request, code) => {
    expect(() => new RolloutBench(ids(1), request)).toThrow(expect.objectContaining({ code }));
  });
});

describe('settings', () => {
  it('are there already when the device has taken up just these, whatever the order of their keys', () => {
    const bench = new RolloutBench(ids(3), { action: settings, phases: all });
    bench.configs.set('d00', { sha256: digestJson({ b: 2, a: 1 }), takenUp: true, version: 4 });
    bench.configs.set('d01', { sha256: digestJson({ b: 2, a: 1 }), takenUp: false, version: 1 });
    bench.open();
    expect(bench.device('d00')).toMatchObject({ state: 'already', attempts: 0 });
    expect(begun(bench)).toEqual(['d01 1', 'd02 1']);
  });

  it('leave out who does not take them', () => {
    const bench = new RolloutBench(ids(1), { action: settings, phases: all });
    bench.oldAgents.add('d00');
    bench.open();
    expect(bench.device('d00')).toMatchObject({
      state: 'cancelled',
      reason: { code: 'agent-too-old', message: 'its agent does not take config.desired: update the agent first' },
    });
  });
});

describe('a new certificate', () => {
  it('counts when it is in use in a new session, and by nothing else', () => {
    const bench = new RolloutBench(ids(1), { action: certificate, phases: all });
    held(bench, 'd00', 'old', -1);
    bench.open();
    expect(begun(bench)).toEqual(['d00 1']);
    report(bench, 'd00', { state: 'running' });
    bench.nowMs = 5_000;
    bench.presence('d00', true); // the session of before, or one with the old certificate
    expect(bench.device('d00').state).toBe('running');
    held(bench, 'd00', 'other', -1); // another one, but of before the offer
    bench.presence('d00', true);
    expect(bench.device('d00').state).toBe('running');
    bench.presence('d00', false);
    held(bench, 'd00', 'new', 4_000, 5_000);
    bench.presence('d00', true);
    expect(bench.device('d00')).toMatchObject({
      state: 'committed',
      proof: { kind: 'certificate', serial: 'new', replaces: 'old', issuedAtMs: 4_000, connectedAtMs: 5_000 },
    });
    expect(bench.state.document.state).toBe('completed');
  });

  it('is there already when the device got one since the rollout began', () => {
    const bench = new RolloutBench(ids(2), { action: certificate, phases: all, maxInFlight: 1 });
    held(bench, 'd00', 'a', -1);
    held(bench, 'd01', 'b', -1);
    bench.open();
    held(bench, 'd01', 'c', 1_000); // by itself, while it waited
    bench.nowMs = 2_000;
    report(bench, 'd00', { state: 'failed', reason: { code: 'renewal-failed', message: 'key-used' } });
    bench.feed({ kind: 'resume' });
    expect(bench.device('d01')).toMatchObject({ state: 'already', attempts: 0 });
  });

  it('that does not come in in time is a time-out: being away is no excuse', () => {
    const bench = new RolloutBench(ids(1), { action: certificate, phases: all });
    held(bench, 'd00', 'old', -1);
    bench.open();
    report(bench, 'd00', { state: 'running' });
    bench.presence('d00', false);
    bench.feed({ kind: 'tick' }, 59_999);
    expect(bench.device('d00').state).toBe('running');
    bench.feed({ kind: 'tick' }, 60_000);
    expect(bench.device('d00')).toMatchObject({ state: 'timed-out', reason: { code: 'timed-out-running' } });
  });
});

describe('what a job means to a rollout', () => {
  type Part = Parameters<typeof jobStep>[0];
  const job: Part = { action: { kind: 'command', argv: ['true'] }, rollout: { id: 'r1', attempt: 2 } };
  const config: Part = { action: { kind: 'config', name: 'app', document: {} }, rollout: { id: 'r1', attempt: 1 } };
  const ended = (outcome: JobDevice['outcome'], over: Partial<JobDevice> = {}): JobDevice => ({
    deviceId: 'd00',
    state: 'finished',
    atMs: 0,
    ...(outcome === undefined ? {} : { outcome }),
    ...over,
  });

  it('tells apart what may be tried again and what is not known', () => {
    expect(jobStep(job, ended('succeeded', { exitCode: 0 }))).toEqual({
      attempt: 2,
      state: 'committed',
      proof: { kind: 'job', jobId: 'r1-job-2', exitCode: 0 },
    });
    expect(jobStep(job, ended('failed', { exitCode: 3 }))).toMatchObject({
      state: 'failed',
      again: true,
      reason: { code: 'job-failed', message: 'exit 3' },
    });
    expect(jobStep(job, ended('expired'))).toMatchObject({ state: 'timed-out', again: true });
    for (const outcome of ['timed-out', 'unknown', 'rejected', 'cancelled'] as const) {
      const told = jobStep(job, ended(outcome))!;
      expect(told.state).toBe(outcome);
      expect(told).not.toHaveProperty('again');
    }
    expect(jobStep(job, { ...ended(undefined), state: 'delivered' })).toBeUndefined();
    expect(jobStep(job, { ...ended(undefined), state: 'started' })).toEqual({ attempt: 2, state: 'running' });
  });

  it('takes settings that the product refuses for a failure of the settings', () => {
    expect(jobStep(config, ended('rejected', { reason: 'port 99999' }))).toMatchObject({
      state: 'failed',
      reason: { code: 'settings-refused', message: 'port 99999' },
    });
    expect(jobStep(config, ended('failed'))).not.toHaveProperty('again');
    expect(jobStep(config, { ...ended(undefined), state: 'delivered' })).toMatchObject({ state: 'running' });
  });
});

describe('another agent', () => {
  const agent: RolloutAction = { kind: 'agent-update', release: 'flotilla-agent/2.0.0/stable' };

  it('is not brought where it runs, where it was gone back from, or while another update of the agent goes on', () => {
    const bench = new RolloutBench(ids(4), { action: agent, phases: all });
    bench.agents.add('d00');
    bench.world.get('d01')!.quarantinedBundles = [newUuid];
    bench.agentUpdates.set('d02', 'a-7');
    bench.open();
    expect(begun(bench)).toEqual(['d03 1']);
    expect(bench.state.document.counts).toEqual({ already: 1, rejected: 1, queued: 1, offered: 1 });
    expect(bench.device('d01').reason).toMatchObject({ code: 'bundle-quarantined' });
    bench.agentUpdates.delete('d02');
    bench.feed({ kind: 'presence', deviceId: 'd02' });
    expect(begun(bench)).toEqual(['d03 1', 'd02 1']);
  });

  it('counts as a failure when the device goes back from it, which is not tried again', () => {
    const retry = { perDevice: 2, perPhase: 9, backoffSeconds: 1 };
    const bench = new RolloutBench(ids(2), { action: agent, phases: phased, maxFailures: 1, retry }).open();
    const reason = { code: 'trial-exhausted', message: 'it did not prove itself' };
    report(bench, 'd00', { attempt: 1, state: 'rolled-back', reason });
    expect(bench.device('d00')).toMatchObject({ state: 'rolled-back', reason });
    expect(bench.state.document.state).toBe('halted');
  });

  it('has its time from its last word', () => {
    expect(new RolloutBench(ids(1), { action: agent, phases: all }).state.document.timers).toMatchObject({
      running: 7_200,
    });
    const bench = new RolloutBench(ids(1), { action: agent, phases: all, timers: { running: 60 } }).open();
    const { deviceId } = bench.device('d00');
    const limit = () => deadlineOf(bench.state.document, bench.device(deviceId), { connected: true, sinceMs: 0 })!.atMs;
    bench.nowMs = 1_000;
    report(bench, deviceId, { attempt: 1, state: 'running' });
    expect(limit()).toBe(61_000);
    bench.nowMs = 31_000;
    report(bench, deviceId, { attempt: 1, state: 'running' });
    expect(limit()).toBe(91_000);
    expect(bench.device(deviceId).sinceMs).toBe(1_000);
  });
});
