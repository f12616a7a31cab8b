import type { OperatorRow } from '../../store/row.ts';
import type { Turn } from './turn.ts';

/** Credentials that the row no longer has are nobody's from then on. */
export function putOperator(turn: Turn, operator: OperatorRow): void {
  const { operators, credentials } = turn.state;
  const kept = new Set(operator.credentials.map(({ id }) => id));
  for (const { id } of operators.get(operator.name)?.credentials ?? []) {
    if (!kept.has(id)) turn.delete(credentials, id);
  }
  for (const id of kept) turn.set(credentials, id, operator.name);
  turn.set(operators, operator.name, operator);
  turn.write({ kind: 'operator', operator });
  turn.notify({ kind: 'operator', name: operator.name });
}
