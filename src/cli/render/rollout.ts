import { nameRollout, type Rollout, type RolloutDevice } from '../../client/contract/index.ts';
import { formatAge, formatBytes, formatDuration, formatTime, plural } from '../human.ts';
import { paint, styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';
import { RolloutProgress } from '../rollout-progress.ts';
import { formatCounts } from './job.ts';
import { formatFailures, formatPhaseBars } from './rollout-progress.ts';

const total = (rollout: Rollout) => rollout.phases.reduce((sum, phase) => sum + phase.size, 0);

export function formatRollouts(rollouts: readonly Rollout[], nowMs: number, option: TableOption = {}): string {
  if (rollouts.length === 0) return 'no rollouts\n';
  return formatTable(
    rollouts,
    [
      { title: 'ROLLOUT', value: (rollout) => rollout.id },
      { title: 'RELEASE', value: (rollout) => printable(nameRollout(rollout)), shrink: true },
      { title: 'STATE', value: (rollout) => rollout.state, style: (rollout) => styleOfState(rollout.state) },
      { title: 'PHASE', value: (rollout) => `${rollout.currentPhase + 1}/${rollout.phases.length}` },
      { title: 'DEVICES', value: total, align: 'right' },
      { title: 'RESULT', value: (rollout) => formatCounts(rollout.counts) },
      { title: 'STARTED', value: (rollout) => formatAge(rollout.startedAtMs, nowMs) },
      { title: 'SELECTOR', value: (rollout) => rollout.selector, shrink: true },
    ],
    option,
  );
}

/** Everything of one rollout: policy, phases, each device with its evidence or its reason. */
export function formatRollout(rollout: Rollout, nowMs: number, option: TableOption = {}): string {
  const color = option.color ?? false;
  const { policy } = rollout;
  const fields = formatFields({
    rollout: rollout.id,
    release: rollout.release === undefined ? undefined : `${rollout.release} (bundle ${rollout.bundleUuid})`,
    action: rollout.action === undefined ? undefined : printable(nameRollout(rollout)),
    jobs: rollout.action?.kind !== 'job' && rollout.action?.kind !== 'config' ? undefined : `${rollout.id}-job`,
    selector: rollout.selector,
    state: rollout.state,
    reason: rollout.reason,
    started: `${formatTime(rollout.startedAtMs)} by ${rollout.startedBy} (${formatAge(rollout.startedAtMs, nowMs)})`,
    ended: rollout.endedAtMs === undefined ? undefined : formatTime(rollout.endedAtMs),
    policy:
      `halt at ${plural(policy.maxFailures, 'failure')} or ${policy.maxFailureShare * 100}% of at least ${policy.minSample}; ` +
      `${policy.maxInFlight} in flight; deadline ${formatDuration(policy.deadlineSeconds * 1000)}`,
    devices: `${total(rollout)}: ${formatCounts(rollout.counts)}`,
  });
  const phases = rollout.phases
    .map(
      ({ size, state }, index) =>
        `phase ${index + 1}: ${plural(size, 'device')}, ${paint(styleOfState(state), state, color)}\n`,
    )
    .join('');
  const devices = rollout.devices ?? [];
  // On a terminal the phases are drawn; what reads this from a pipe has them in words.
  const progress = new RolloutProgress(rollout);
  const drawn = option.width === undefined ? phases : linesOf(formatPhaseBars(progress));
  const failures = linesOf(formatFailures(progress));
  return `${fields}\n${drawn}${failures === '' ? '' : `\n${failures}`}${devices.length === 0 ? '' : `\n${formatRolloutDevices(devices, nowMs, option)}`}`;
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function formatRolloutDevices(devices: readonly RolloutDevice[], nowMs: number, option: TableOption): string {
  return formatTable(
    devices,
    [
      { title: 'DEVICE', value: (device) => device.deviceId },
      { title: 'PHASE', value: (device) => device.phase + 1, align: 'right' },
      { title: 'STATE', value: (device) => device.state, style: (device) => styleOfState(device.state) },
      { title: 'SINCE', value: (device) => formatAge(device.sinceMs, nowMs) },
      { title: 'TRIES', value: (device) => device.attempts, align: 'right' },
      { title: 'EVIDENCE', value: formatProof, shrink: true },
    ],
    option,
  );
}

/** Why a device is where it is: its reason, or slot, boot id, and health from its evidence. */
export function formatProof(device: RolloutDevice): string {
  if (device.wait !== undefined) return `waits: ${device.wait.message} (${device.wait.code})`;
  if (device.reason !== undefined) return `${device.reason.code}: ${device.reason.message}`;
  if (device.proof !== undefined) return formatStepProof(device.proof);
  const { evidence } = device;
  if (evidence === undefined) {
    return device.progressBytes === undefined ? '-' : `${formatBytes(device.progressBytes)} fetched`;
  }
  const { before, after, health, slotDigestMatches } = evidence;
  if (after === undefined) return '-';
  const parts = [
    `slot ${before.slot ?? '?'} → ${after.slot ?? '?'}`,
    after.bootId === before.bootId ? 'no new boot' : `boot ${after.bootId.slice(0, 8)}`,
    `bundle ${after.bundleUuid?.slice(0, 8) ?? '?'}`,
  ];
  if (slotDigestMatches !== undefined) parts.push(slotDigestMatches ? 'bytes equal' : 'bytes differ');
  if (health.length > 0) parts.push(`health ${health.filter(({ ok }) => ok).length}/${health.length}`);
  return parts.join(', ');
}

function formatStepProof(proof: NonNullable<RolloutDevice['proof']>): string {
  if (proof.kind === 'job')
    return proof.exitCode === undefined ? proof.jobId : `exit ${proof.exitCode}, ${proof.jobId}`;
  if (proof.kind === 'agent-update') return `agent ${proof.version}, ${proof.updateId}`;
  const before = proof.replaces === undefined ? '' : `${proof.replaces.slice(-8)} → `;
  return `certificate ${before}${proof.serial.slice(-8)}, in use since ${formatTime(proof.connectedAtMs)}`;
}

/** One line when a device moves. */
export function formatRolloutStep(device: RolloutDevice, nowMs: number, option: TableOption = {}): string {
  const proof = formatProof(device);
  const tail = proof === '-' ? '' : `  ${printable(proof)}`;
  const state = paint(styleOfState(device.state), device.state, option.color ?? false);
  return `${formatTime(nowMs)}  ${device.deviceId}  ${state}${tail}\n`;
}

export function formatRolloutSummary(rollout: Rollout, option: TableOption = {}): string {
  const state = paint(styleOfState(rollout.state), rollout.state, option.color ?? false);
  const reason = rollout.reason === undefined ? '' : ` (${printable(rollout.reason)})`;
  return `rollout ${rollout.id}: ${state}${reason}; ${plural(total(rollout), 'device')}, ${formatCounts(rollout.counts, option)}\n`;
}

/** What `rollout start --dry-run` would do: each phase and who is in it. */
export function formatDryRollout(rollout: Rollout): string {
  const phases = rollout.phases.map(({ size }, index) => {
    const ids = (rollout.devices ?? []).filter(({ phase }) => phase === index).map(({ deviceId }) => deviceId);
    return `phase ${index + 1}: ${plural(size, 'device')}${ids.length > 0 ? `: ${ids.join(', ')}` : ''}\n`;
  });
  return `would roll out ${printable(nameRollout(rollout))} to ${plural(total(rollout), 'device')}\n${phases.join('')}`;
}
