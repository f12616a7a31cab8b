import type { Group, GroupAdded, GroupRequest } from '../../client/contract/group.ts';
import { FlotillaError } from '../../error.ts';
import { parseGroup } from '../../selector/index.ts';
import type { GroupRow } from '../../store/index.ts';
import type { CoreState } from '../core/core-state.ts';
import { groupOf, groupSource, putGroup, removeGroup as dropGroup, usersOf } from '../core/group-operation.ts';
import { audit, type ServiceContext } from './context.ts';
import { matchAccepted, type FleetView } from './target.ts';

/** In order of name. */
export function listGroups({ core }: ServiceContext): Promise<Group[]> {
  return core.submit((turn) =>
    [...turn.state.groups.values()]
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((group) => viewGroup(turn, group)),
  );
}

export function showGroup({ core }: ServiceContext, name: string): Promise<Group> {
  return core.submit((turn) => viewGroup(turn, groupOf(turn.state, name)));
}

function viewGroup(view: FleetView, group: GroupRow): Group {
  return { ...group, matched: matchAccepted(view, `N@${group.name}`).length, usedBy: usersOf(view.state, group.name) };
}

/** @throws FlotillaError for an expression that is not valid, and where it would make another group so */
export function addGroup(context: ServiceContext, request: GroupRequest): Promise<GroupAdded> {
  const { name, expression, replace, evenIfUsed } = request;
  return context.core.submit((turn) => {
    const { state, nowMs } = turn;
    const before = state.groups.get(name);
    if (before !== undefined && replace !== true) throw taken(before);
    checkExpression(state, name, expression);
    if (before !== undefined && evenIfUsed !== true) requireUnused(state, name, 'changed');
    const matchedBefore = before === undefined ? undefined : matchAccepted(turn, `N@${name}`).length;
    const group: GroupRow = {
      name,
      expression,
      changedBy: context.actor,
      createdAtMs: before?.createdAtMs ?? nowMs,
      changedAtMs: nowMs,
    };
    putGroup(turn, group);
    audit(turn, context, before === undefined ? 'group.add' : 'group.change', name, {
      expression,
      ...(before === undefined ? {} : { before: before.expression }),
    });
    return { ...viewGroup(turn, group), ...(matchedBefore === undefined ? {} : { matchedBefore }) };
  });
}

/** A group that names this one may be led into a circle, or become too large: then the change is refused. */
function checkExpression(state: CoreState, name: string, expression: string): void {
  const source = groupSource(state);
  parseGroup(name, expression, source);
  const changed = {
    ...source,
    expression: (other: string) => (other === name ? expression : source.expression(other)),
  };
  for (const other of state.groups.values()) {
    if (other.name !== name) parseGroup(other.name, other.expression, changed);
  }
}

export function removeGroup(context: ServiceContext, name: string): Promise<{ removed: string }> {
  return context.core.submit((turn) => {
    const { expression } = groupOf(turn.state, name);
    requireUnused(turn.state, name, 'removed');
    dropGroup(turn, name);
    audit(turn, context, 'group.remove', name, { expression });
    return { removed: name };
  });
}

function taken({ name, expression }: GroupRow): FlotillaError {
  return new FlotillaError('refused', 'group-exists', `there is a group ${name} already`, {
    seen: expression,
    expected: 'a new name',
    suggestion: `see flotilla group show ${name}; --replace changes it`,
  });
}

function requireUnused(state: CoreState, name: string, verb: 'changed' | 'removed'): void {
  const users = usersOf(state, name);
  if (users.length === 0) return;
  throw new FlotillaError('refused', 'group-used', `others name ${name}: it is not ${verb}`, {
    seen: users.join(', '),
    expected: 'a group that nothing names',
    suggestion:
      verb === 'changed'
        ? 'they would mean other devices from now on; --yes if that is wanted'
        : 'change or remove those first',
  });
}
