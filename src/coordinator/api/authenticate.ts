/** Who asks over TLS: by the certificate that the handshake has proved, or by a token. Asked at every request. */
import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import { FlotillaError } from '../../error.ts';
import { readOperatorIdentity } from '../../pki/peer-identity.ts';
import { findCredential, judgeCredential, type Holding } from '../operator/judge-credential.ts';
import { addressKey } from '../operator/rate-limit.ts';
import { parseBearer, provesToken } from '../operator/token.ts';
import { spendUse } from '../service/operator-service.ts';
import type { ServiceContext } from '../service/context.ts';
import type { Authenticate, Authenticated } from './register-route.ts';
import { cost, type RemoteLimits } from './remote-limit.ts';

/** Connections of one operator at a time. */
const maxConnectionsEach = 64;

/**
 * @param prove finds what the request proves, or throws; a failure costs its address dearly
 */
export function createAuthenticate(
  context: ServiceContext,
  limits: RemoteLimits,
  prove: (request: FastifyRequest) => Holding,
): Authenticate {
  const { clock, connections } = context;
  return async (request) => {
    const nowMs = clock.monotonicMs();
    const from = request.raw.socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, '') ?? 'unknown';
    const address = addressKey(from);
    limits.address.take(address, cost.request, nowMs);
    let held: Holding;
    try {
      held = prove(request);
      judgeCredential(held, clock.nowMs());
    } catch (error) {
      limits.address.charge(address, cost.failure, nowMs);
      throw error;
    }
    const { operator, credential } = held;
    limits.caller.take(operator.name, cost.request, nowMs);
    const ended = bind(connections, request.raw.socket, held);
    if (credential.usesLeft !== undefined) await spendUse(context, credential.id);
    const actor = `operator:${operator.name}`;
    const caller = { actor, role: operator.role, from, via: credential.kind, credential: credential.id };
    return { caller, ended } satisfies Authenticated;
  };
}

function bind(
  connections: ServiceContext['connections'],
  socket: FastifyRequest['raw']['socket'],
  { operator, credential }: Holding,
): AbortSignal {
  const isNew = !connections.has(socket);
  if (isNew && connections.count(operator.credentials.map(({ id }) => id)) >= maxConnectionsEach) {
    throw new FlotillaError('refused', 'too-many-connections', 'you have too many connections open', {
      expected: `at most ${maxConnectionsEach} of one operator`,
    });
  }
  const ended = connections.bind(socket, credential.id);
  if (isNew) socket.once('close', () => connections.release(socket));
  if (ended !== undefined) return ended;
  throw new FlotillaError('usage', 'credential-changed', 'a connection is for one credential', {
    suggestion: 'open another connection for another token',
  });
}

/** The operator that a verified certificate names, where this very certificate is on record. */
export function proveByCertificate({ core, fleetId }: ServiceContext): (request: FastifyRequest) => Holding {
  const read = new WeakMap<X509Certificate | object, ReturnType<typeof readOperatorIdentity>>();
  return ({ raw, headers }) => {
    const socket = raw.socket as TLSSocket;
    let identity = read.get(socket);
    if (identity === undefined) {
      const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
      identity = certificate === undefined ? 'no certificate that was verified' : readOperatorIdentity(certificate);
      read.set(socket, identity);
    }
    if (typeof identity === 'string') throw notAnOperator(identity);
    if (identity.fleetId !== fleetId) throw notAnOperator(`an operator of the fleet ${identity.fleetId}`);
    if (headers.authorization !== undefined) {
      throw new FlotillaError(
        'usage',
        'credential-ambiguous',
        'this port takes certificates, and got a token as well',
        {
          suggestion: 'tokens go to api: tokenListen: of coordinator.yaml',
        },
      );
    }
    const held = findCredential(core.state, identity.serialHex);
    // The issuing key alone makes no operators: each one is a row, with the role that it had when it was made.
    const { fingerprintSha256Hex, name, role } = identity;
    if (held?.credential.proofSha256 === fingerprintSha256Hex && held.operator.name === name) {
      if (held.operator.role === role) return held;
      throw notAnOperator(`${name} as ${role}, which now is ${held.operator.role}`);
    }
    throw notAnOperator(`${name}, whose certificate ${identity.serialHex} is not on record`);
  };
}

/** The operator whose token the request brings. */
export function proveByToken({ core }: ServiceContext): (request: FastifyRequest) => Holding {
  return ({ headers }) => {
    const token = parseBearer(headers.authorization);
    const held = token === undefined ? undefined : findCredential(core.state, token.id);
    const proves = token !== undefined && held?.credential.kind === 'token';
    if (proves && provesToken(token.secret, held.credential.proofSha256)) return held;
    throw new FlotillaError('forbidden', 'token-refused', 'this is no token of this fleet', {
      seen: headers.authorization === undefined ? 'no Authorization header' : 'a token that is unknown or damaged',
      expected: 'Authorization: Bearer flotilla_…',
      suggestion: 'an admin makes one with flotilla operator add NAME --role ROLE --token',
    });
  };
}

function notAnOperator(seen: string): FlotillaError {
  return new FlotillaError('forbidden', 'not-an-operator', 'you are no operator of this fleet', {
    seen,
    expected: 'a certificate that flotilla operator add has made',
  });
}
