import type { DeviceUpdate, UpdateRecord, UpdateStatus } from '../../door/index.ts';
import { formatAge, formatBytes, formatTime } from '../human.ts';
import { styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

/** What is under way at a device, and what it waits for. */
export function formatUpdateStatus(status: UpdateStatus, nowMs: number): string {
  const { configured, update, agentUpdate, deferral, productHealth } = status;
  const deferred =
    deferral === undefined ? undefined : `until ${formatTime(deferral.untilMs)}: ${printable(deferral.reason)}`;
  const health =
    productHealth === undefined
      ? undefined
      : `${productHealth.ok ? 'ok' : 'failed'}${productHealth.reason === undefined ? '' : `: ${printable(productHealth.reason)}`}`;
  const agent = agentUpdate === undefined ? {} : agentFields(agentUpdate, nowMs);
  if (update === undefined) {
    const none = configured ? 'none has come yet' : 'this device takes none: its agent.yaml has no update: section';
    return formatFields({ update: none, deferred, product: health, ...agent });
  }
  const { version, rolloutId, wait, reason, sizeBytes, downloadedBytes, approvedAtMs, needsApproval } = update;
  const until = wait?.untilMs === undefined ? '' : `, until ${formatTime(wait.untilMs)}`;
  return formatFields({
    update: `${version} of rollout ${rolloutId}`,
    state: formatState(update, nowMs),
    waits: wait === undefined ? undefined : `${printable(wait.message)} (${wait.code})${until}`,
    reason: formatReason(reason),
    fetched: `${formatBytes(downloadedBytes)} of ${formatBytes(sizeBytes)}`,
    approval:
      approvedAtMs !== undefined
        ? `given ${formatTime(approvedAtMs)}`
        : needsApproval
          ? 'needed: flotilla agent update approve'
          : undefined,
    deferred,
    product: health,
    ...agent,
  });
}

function agentFields(update: DeviceUpdate, nowMs: number): Record<string, string | undefined> {
  const { version, rolloutId, reason } = update;
  return {
    agent: `${version} by update ${rolloutId}`,
    'agent state': formatState(update, nowMs),
    'agent reason': formatReason(reason),
  };
}

function formatState({ state, sinceMs, attempt }: DeviceUpdate, nowMs: number): string {
  return `${state} since ${formatTime(sinceMs)} (${formatAge(sinceMs, nowMs)}), attempt ${attempt}`;
}

function formatReason(reason: DeviceUpdate['reason']): string | undefined {
  return reason === undefined ? undefined : `${printable(reason.message)} (${reason.code})`;
}

export function formatUpdateHistory(updates: readonly UpdateRecord[], option: TableOption = {}): string {
  return formatTable(
    updates,
    [
      { title: 'ENDED', value: ({ evidence }) => formatTime(evidence.decidedAtMs) },
      { title: 'VERSION', value: ({ version }) => version },
      { title: 'SOURCE', value: ({ source = 'rollout' }) => source },
      { title: 'STATE', value: ({ state }) => state, style: ({ state }) => styleOfState(state) },
      { title: 'PROOF', value: formatProof, shrink: true },
    ],
    option,
  );
}

/** Why it ended like that: its reason, or what proves it. */
function formatProof({ source, reason, wait, evidence }: UpdateRecord): string {
  if (wait !== undefined) return `waits: ${wait.message} (${wait.code})`;
  if (reason !== undefined) return `${reason.code}: ${reason.message}`;
  const { before, after, health, hooks = [], slotDigestMatches } = evidence;
  if (after === undefined) return '-';
  const parts =
    source === 'agent'
      ? [`agent ${before.version ?? '?'} → ${after.version ?? '?'}`]
      : [`slot ${before.slot ?? '?'} → ${after.slot ?? '?'}`, `boot ${after.bootId.slice(0, 8)}`];
  if (slotDigestMatches !== undefined) parts.push(slotDigestMatches ? 'bytes equal' : 'bytes differ');
  if (health.length > 0) parts.push(`health ${health.filter(({ ok }) => ok).length}/${health.length}`);
  if (hooks.length > 0) parts.push(`hooks ${hooks.filter(({ outcome }) => outcome === 'ok').length}/${hooks.length}`);
  return parts.join(', ');
}
