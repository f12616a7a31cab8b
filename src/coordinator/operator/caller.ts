import { FlotillaError } from '../../error.ts';
import type { OperatorRole } from '../../role.ts';
import { mayDo, rolesWith } from './right.ts';

/** Who asks, as the transport has proved it; never from anything that a request says of itself. */
export interface Caller {
  /** `local:<uid>` over the unix socket, `operator:<name>` from elsewhere. As it stands in the audit log. */
  readonly actor: string;
  readonly role: OperatorRole;
  /** `unix`, or the address of the peer. */
  readonly from: string;
  readonly via: 'socket' | 'certificate' | 'token';
  /** Serial number of the certificate, or id of the token. */
  readonly credential?: string;
}

/** @param right what the route needs; `undefined` (a route without a decision) lets nobody in */
export function authorize({ actor, role }: Caller, right: string | undefined): void {
  if (right !== undefined && mayDo(role, right)) return;
  const roles = right === undefined ? [] : rolesWith(right);
  throw new FlotillaError('forbidden', 'role-forbidden', 'your role may not do this', {
    seen: `${actor} has the role ${role}`,
    expected: roles.length === 0 ? 'nobody may' : `the role ${roles.join(' or ')}`,
    suggestion: 'ask an admin of this fleet',
  });
}
