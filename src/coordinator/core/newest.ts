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
  const seen = new SeenRows();
  const kept: Write[] = [];
  for (let index = writes.length - 1; index >= 0; index -= 1) {
    const write = writes[index] as Write;
    const later = seen.place(write, kept.length);
    if (later === undefined) kept.push(write);
    else kept[later] = withOutput(kept[later] as Write, write);
  }
  return kept.toReversed();
}

/** Without those that a later one of the same turn makes old news; in order. */
export function newestChanges(changes: readonly Change[]): Change[] {
  const jobs = new Set<string>();
  let hasEvent = false;
  const kept: Change[] = [];
  for (let index = changes.length - 1; index >= 0; index -= 1) {
    const change = changes[index] as Change;
    if (change.kind === 'event') {
      if (hasEvent) continue;
      hasEvent = true;
    } else if (change.kind === 'job') {
      if (jobs.has(change.document.id)) continue;
      jobs.add(change.document.id);
    }
    kept.push(change);
  }
  return kept.toReversed();
}

/** Where the row of a write stands already, by what names it: thousands of names a turn are put together for nothing. */
class SeenRows {
  readonly #documents = new Map<string, number>();
  readonly #members = new Map<string, Map<number, number>>();
  readonly #requests = new Map<number, number>();
  readonly #requestSeqs = new Map<string, number>();
  readonly #cursors = new Map<string, number>();

  /** The place of a later write of the same row; else undefined, and from now on that is `place`. */
  place(write: Write, place: number): number | undefined {
    switch (write.kind) {
      case 'job':
        return note(this.#documents, write.job.id, place);
      case 'rollout':
        return note(this.#documents, write.rollout.id, place);
      case 'job-device':
      case 'rollout-device': {
        const { parentId, position } = write.member;
        let members = this.#members.get(parentId);
        if (members === undefined) this.#members.set(parentId, (members = new Map<number, number>()));
        return note(members, position, place);
      }
      case 'request':
        return note(this.#requests, write.request.row, place);
      case 'request-seq':
        return note(this.#requestSeqs, write.deviceId, place);
      case 'cursor': {
        const { deviceId, instanceId, lane } = write.cursor;
        return note(this.#cursors, `${deviceId} ${instanceId} ${lane}`, place);
      }
      default:
        return undefined;
    }
  }
}

function note<Key>(seen: Map<Key, number>, key: Key, place: number): number | undefined {
  const known = seen.get(key);
  if (known === undefined) seen.set(key, place);
  return known;
}

/** A row of a job keeps the output that an earlier write brought: only one of them has it. */
function withOutput(later: Write, earlier: Write): Write {
  if (later.kind !== 'job-device' || earlier.kind !== 'job-device') return later;
  const { output } = earlier.member;
  if (output === undefined || later.member.output !== undefined) return later;
  const member: MemberRow = { ...later.member, output };
  return { kind: 'job-device', member };
}
