/** Whether a credential still stands for an operator: asked at every request, and again while one is under way. */
import { FlotillaError } from '../../error.ts';
import type { CredentialRow, OperatorRow } from '../../store/row.ts';

export interface Holding {
  operator: OperatorRow;
  credential: CredentialRow;
}

/** The operators on record, by name, and whose each credential is. */
export interface OperatorRecord {
  readonly operators: ReadonlyMap<string, OperatorRow>;
  /** Name of the operator, by credential id. */
  readonly credentials: ReadonlyMap<string, string>;
}

/** The row of a credential, whatever became of it. */
export function findCredential({ operators, credentials }: OperatorRecord, id: string): Holding | undefined {
  const operator = operators.get(credentials.get(id) ?? '');
  const credential = operator?.credentials.find((one) => one.id === id);
  return operator === undefined || credential === undefined ? undefined : { operator, credential };
}

/** Throws what its holder may be told: who it was is proved by then. */
export function judgeCredential({ operator, credential }: Holding, nowMs: number): void {
  const { kind, revokedAtMs, notBeforeMs, notAfterMs, usesLeft } = credential;
  const what = `the ${kind} of ${operator.name}`;
  const again = `ask an admin for another one: flotilla operator add ${operator.name}`;
  if (revokedAtMs !== undefined || operator.revokedAtMs !== undefined) {
    const seen = `${what}, revoked${revokedAtMs === undefined ? '' : ` ${new Date(revokedAtMs).toISOString()}`}`;
    throw new FlotillaError('forbidden', 'operator-revoked', 'you are no operator of this fleet any more', { seen });
  }
  if (nowMs < notBeforeMs || nowMs > notAfterMs) {
    const verb = nowMs > notAfterMs ? 'ended' : 'begins';
    const at = new Date(nowMs > notAfterMs ? notAfterMs : notBeforeMs).toISOString();
    throw new FlotillaError('forbidden', `${kind}-expired`, `your ${kind} is not valid now`, {
      seen: `${what} ${verb} ${at}`,
      suggestion: again,
    });
  }
  if (usesLeft === 0) {
    throw new FlotillaError('forbidden', 'token-used-up', 'your token is used up', { seen: what, suggestion: again });
  }
}
