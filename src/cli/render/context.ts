import { formatAddress } from '../../client/remote-endpoint.ts';
import type { ContextView } from '../change-context.ts';
import { formatAge } from '../human.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';

export function formatContexts(views: readonly ContextView[], nowMs: number, option: TableOption = {}): string {
  if (views.length === 0) return 'no contexts\n';
  return formatTable(
    views,
    [
      { title: '', value: ({ current }) => (current ? '*' : ' ') },
      { title: 'NAME', value: ({ name }) => name },
      { title: 'COORDINATOR', value: (view) => formatAddress(view) },
      { title: 'FLEET', value: ({ fleetId }) => fleetId },
      { title: 'AS', value: whoOf },
      {
        title: 'ENDS',
        value: ({ operator }) => (operator === undefined ? undefined : formatAge(operator.notAfterMs, nowMs)),
        style: ({ operator }) => (operator !== undefined && operator.notAfterMs < nowMs ? 'red' : undefined),
      },
    ],
    option,
  );
}

export function formatContext(view: ContextView, nowMs: number): string {
  const { operator } = view;
  return formatFields({
    name: view.current ? `${view.name} (current)` : view.name,
    coordinator: formatAddress(view),
    fleet: view.fleetId,
    as: whoOf(view),
    ends: operator === undefined ? undefined : formatAge(operator.notAfterMs, nowMs),
    authority: view.authority,
    certificate: view.certificate,
    key: view.key,
    token: view.certificate === undefined ? (view.tokenFile ?? 'from FLOTILLA_TOKEN') : undefined,
    problem: view.problem,
  });
}

function whoOf({ operator, certificate }: ContextView): string {
  if (operator !== undefined) return `${operator.name} (${operator.role})`;
  return certificate === undefined ? 'a token' : 'no operator';
}
