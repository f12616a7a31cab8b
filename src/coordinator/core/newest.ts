/**
 * A turn carries out hundreds of inputs, and what they change is often the same: the counts of a job, a device of it on
 * its way from queued to finished. Only what stands at the end is stored and told.
 */
import type { MemberRow } from '../../store/row.ts';
import type { Write } from '../../store/write.ts';
import type { Change } from './core-state.ts';

/** Without those that a later one of the same turn replaces whole; in order. */
export function newestWrites(writes: Write[]): Write[] {
  if (writes.length < 2) return writes;
  const seen = new Map<string, number>();
  const kept: Write[] = [];
  for (let index = writes.length - 1; index >= 0; index -= 1) {
    const write = writes[index] as Write;
    const name = nameOf(write);
    const later = name === undefined ? undefined : seen.get(name);
    if (later !== undefined) {
      kept[later] = withOutput(kept[later] as Write, write);
      continue;
    }
    if (name !== undefined) seen.set(name, kept.length);
    kept.push(write);
  }
  return kept.toReversed();
}

/** Without those that a later one of the same turn makes old news; in order. */
export function newestChanges(changes: readonly Change[]): Change[] {
  const seen = new Set<string>();
  const kept: Change[] = [];
  for (let index = changes.length - 1; index >= 0; index -= 1) {
    const change = changes[index] as Change;
    const name = change.kind === 'event' ? 'event' : change.kind === 'job' ? `job ${change.document.id}` : undefined;
    if (name !== undefined && seen.has(name)) continue;
    if (name !== undefined) seen.add(name);
    kept.push(change);
  }
  return kept.toReversed();
}

/** Of the row that it replaces; undefined for what is more than that. */
function nameOf(write: Write): string | undefined {
  switch (write.kind) {
    case 'job':
      return `job ${write.job.id}`;
    case 'rollout':
      return `rollout ${write.rollout.id}`;
    case 'job-device':
      return `job-device ${write.member.parentId} ${write.member.position}`;
    case 'rollout-device':
      return `rollout-device ${write.member.parentId} ${write.member.position}`;
    case 'request':
      return `request ${write.request.row}`;
    case 'request-seq':
      return `request-seq ${write.deviceId}`;
    case 'cursor':
      return `cursor ${write.cursor.deviceId} ${write.cursor.instanceId} ${write.cursor.lane}`;
    default:
      return undefined;
  }
}

/** A row of a job keeps the output that an earlier write brought: only one of them has it. */
function withOutput(later: Write, earlier: Write): Write {
  if (later.kind !== 'job-device' || earlier.kind !== 'job-device') return later;
  const { output } = earlier.member;
  if (output === undefined || later.member.output !== undefined) return later;
  const member: MemberRow = { ...later.member, output };
  return { kind: 'job-device', member };
}
