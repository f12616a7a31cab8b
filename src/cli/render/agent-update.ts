import type { UpdateRecord, UpdateStatus } from '../../door/index.ts';
import { formatAge, formatBytes, formatTime } from '../human.ts';
import { styleOfState } from '../paint.ts';
import { printable } from '../printable.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

/** What is under way at a device, and what it waits for. */
export function formatUpdateStatus(status: UpdateStatus, nowMs: number): string {
  const { configured, update, deferral, productHealth } = status;
  const deferred =
    deferral === undefined ? undefined : `until ${formatTime(deferral.untilMs)}: ${printable(deferral.reason)}`;
  const health =
    productHealth === undefined
      ? undefined
      : `${productHealth.ok ? 'ok' : 'failed'}${productHealth.reason === undefined ? '' : `: ${printable(productHealth.reason)}`}`;
  if (update === undefined) {
    const none = configured ? 'none has come yet' : 'this device takes none: its agent.yaml has no update: section';
    return formatFields({ update: none, deferred, product: health });
  }
  const { version, rolloutId, state, sinceMs, attempt, wait, reason, sizeBytes, downloadedBytes } = update;
  const { approvedAtMs, needsApproval } = update;
  const until = wait?.untilMs === undefined ? '' : `, until ${formatTime(wait.untilMs)}`;
  return formatFields({
    update: `${version} of rollout ${rolloutId}`,
    state: `${state} since ${formatTime(sinceMs)} (${formatAge(sinceMs, nowMs)}), attempt ${attempt}`,
    waits: wait === undefined ? undefined : `${printable(wait.message)} (${wait.code})${until}`,
    reason: reason === undefined ? undefined : `${printable(reason.message)} (${reason.code})`,
    fetched: `${formatBytes(downloadedBytes)} of ${formatBytes(sizeBytes)}`,
    approval:
      approvedAtMs !== undefined
        ? `given ${formatTime(approvedAtMs)}`
        : needsApproval
          ? 'needed: flotilla agent update approve'
          : undefined,
    deferred,
    product: health,
  });
}

export function formatUpdateHistory(updates: readonly UpdateRecord[], option: TableOption = {}): string {
  return formatTable(
    updates,
    [
      { title: 'ENDED', value: ({ evidence }) => formatTime(evidence.decidedAtMs) },
      { title: 'VERSION', value: ({ version }) => version },
      { title: 'STATE', value: ({ state }) => state, style: ({ state }) => styleOfState(state) },
      { title: 'PROOF', value: formatProof, shrink: true },
    ],
    option,
  );
}

/** Why it ended like that: its reason, or what proves it. */
function formatProof({ reason, wait, evidence }: UpdateRecord): string {
  if (wait !== undefined) return `waits: ${wait.message} (${wait.code})`;
  if (reason !== undefined) return `${reason.code}: ${reason.message}`;
  const { before, after, health, hooks = [], slotDigestMatches } = evidence;
  if (after === undefined) return '-';
  const parts = [`slot ${before.slot ?? '?'} → ${after.slot ?? '?'}`, `boot ${after.bootId.slice(0, 8)}`];
  if (slotDigestMatches !== undefined) parts.push(slotDigestMatches ? 'bytes equal' : 'bytes differ');
  if (health.length > 0) parts.push(`health ${health.filter(({ ok }) => ok).length}/${health.length}`);
  if (hooks.length > 0) parts.push(`hooks ${hooks.filter(({ outcome }) => outcome === 'ok').length}/${hooks.length}`);
  return parts.join(', ');
}
