import { FlotillaError } from '../../error.ts';
import { groupsNamedIn, type GroupSource } from '../../selector/index.ts';
import type { GroupRow } from '../../store/row.ts';
import type { CoreState } from './core-state.ts';
import type { Turn } from './turn.ts';

/** Where `N@` finds its groups. A later change reaches no job and no rollout: they keep the ids that were matched. */
export function groupSource({ groups }: Pick<CoreState, 'groups'>): GroupSource {
  return {
    expression: (name) => groups.get(name)?.expression,
    names: () => [...groups.keys()].toSorted(),
  };
}

export function groupOf({ groups }: Pick<CoreState, 'groups'>, name: string): GroupRow {
  const group = groups.get(name);
  if (group !== undefined) return group;
  throw new FlotillaError('usage', 'group-unknown', `there is no group ${name}`, {
    seen: name,
    suggestion: 'flotilla group list',
  });
}

/** What names the group directly, and would mean other devices, or none at all, without it. */
export function usersOf(state: Pick<CoreState, 'groups' | 'consumers' | 'schedules'>, name: string): string[] {
  const names = (expression: string): boolean => groupsNamedIn(expression).includes(name);
  const groups = [...state.groups.values()].filter(({ expression }) => names(expression));
  const consumers = [...state.consumers.values()].filter(({ filter }) => names(filter.selector ?? ''));
  const schedules = [...state.schedules.values()].filter((each) => each.state !== 'done' && names(each.job.selector));
  return [
    ...groups.map((group) => `group ${group.name}`).toSorted(),
    ...consumers.map((consumer) => `consumer ${consumer.name}`).toSorted(),
    ...schedules.map((schedule) => `schedule ${schedule.name}`).toSorted(),
  ];
}

export function putGroup(turn: Turn, group: GroupRow): void {
  turn.set(turn.state.groups, group.name, group);
  turn.write({ kind: 'group', group });
}

export function removeGroup(turn: Turn, name: string): void {
  turn.delete(turn.state.groups, name);
  turn.write({ kind: 'group-removed', name });
}
