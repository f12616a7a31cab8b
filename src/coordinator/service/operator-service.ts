import { X509Certificate, randomBytes } from 'node:crypto';
import type {
  Credential,
  Operator,
  OperatorAdded,
  OperatorRequest,
  OperatorRevoke,
  OperatorRevoked,
  Self,
} from '../../client/contract/operator.ts';
import { FlotillaError } from '../../error.ts';
import { chooseProfile } from '../../config/profile-file.ts';
import { fitOperatorRequest, parseCsr, parseOperatorIdentity, signOperatorCertificate } from '../../pki/index.ts';
import type { OperatorRole } from '../../role.ts';
import type { CredentialRow, OperatorRow } from '../../store/row.ts';
import { putOperator } from '../core/operator-operation.ts';
import type { Turn } from '../core/turn.ts';
import { findCredential } from '../operator/judge-credential.ts';
import { coversRole, mayDo, rights } from '../operator/right.ts';
import { formatToken, hashSecret } from '../operator/token.ts';
import { audit, type ServiceContext } from './context.ts';

/** Credentials that have ended this long ago are forgotten when their operator gets another. */
const keepEndedMs = 30 * 86_400_000;
const maxCredentials = 100;

/** By name, the revoked ones too. */
export function listOperators(context: ServiceContext): Promise<Operator[]> {
  return context.core.submit(({ state }) =>
    [...state.operators.values()]
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((operator) => viewOperator(context, operator)),
  );
}

/** What the coordinator takes the caller for, and what that may do. */
export function showSelf(context: ServiceContext): Promise<Self> {
  const { actor, role, from, via, credential } = context;
  return context.core.submit(({ state }) => {
    const held = credential === undefined ? undefined : findCredential(state, credential);
    return {
      actor,
      role,
      from,
      via,
      rights: Object.entries(rights).map(([right, { purpose }]) => ({ right, purpose, mine: mayDo(role, right) })),
      ...(held === undefined ? {} : { credential: viewCredential(held.credential) }),
    };
  });
}

/** A new operator, or another credential of one: a certificate for the key of a CSR, or a token. */
export async function addOperator(context: ServiceContext, request: OperatorRequest): Promise<OperatorAdded> {
  const { name, csr, token } = request;
  if (context.via === 'token') {
    throw new FlotillaError('forbidden', 'token-may-not-issue', 'a token makes no operators', {
      seen: `${context.actor} came with the token ${context.credential}`,
      expected: 'a certificate, or the unix socket of the coordinator',
    });
  }
  if ((csr === undefined) === (token === undefined)) {
    throw new FlotillaError('usage', 'operator-credential', 'an operator gets a certificate or a token', {
      seen: csr === undefined ? 'neither a csr nor a token' : 'a csr and a token',
    });
  }
  const role = await context.core.submit((turn) => roleFor(turn, context, request));
  const made =
    csr === undefined ? makeToken(context, token!) : await makeCertificate(context, { ...request, csr, role });
  return context.core.submit((turn) => {
    const { proof, ...secret } = made;
    const known = turn.state.operators.get(name);
    const credential = { ...proof, issuedAtMs: turn.nowMs, issuedBy: context.actor };
    const before = (known?.credentials ?? []).filter(({ notAfterMs }) => notAfterMs > turn.nowMs - keepEndedMs);
    if (before.length >= maxCredentials) throw tooMany(name);
    const operator: OperatorRow = {
      name,
      role: roleFor(turn, context, { ...request, role }), // again: another one may have been faster
      createdAtMs: known?.createdAtMs ?? turn.nowMs,
      createdBy: known?.createdBy ?? context.actor,
      credentials: [...before, credential],
    };
    putOperator(turn, operator);
    const { id, kind, notAfterMs } = credential;
    audit(turn, context, 'operator.add', name, { role: operator.role, kind, credential: id, notAfterMs });
    return {
      operator: viewOperator(context, operator),
      credential: viewCredential(credential),
      fleetId: context.fleetId,
      authority: context.issuing.bundlePem,
      ...secret,
    };
  });
}

/** All that proves an operator, or one credential: refused from now on, and what is open with it ends. */
export function revokeOperator(
  context: ServiceContext,
  name: string,
  { reason, credential: only }: OperatorRevoke,
): Promise<OperatorRevoked> {
  return context.core.submit((turn) => {
    const known = turn.state.operators.get(name);
    if (known === undefined || (only !== undefined && !known.credentials.some(({ id }) => id === only))) {
      throw new FlotillaError('usage', 'operator-unknown', 'there is no such operator or credential', {
        seen: only === undefined ? name : `${only} of ${name}`,
        suggestion: 'flotilla operator list',
      });
    }
    const ends = ({ id, revokedAtMs }: CredentialRow): boolean =>
      revokedAtMs === undefined && (only === undefined || id === only);
    const revoked = known.credentials.filter(ends).map(({ id }) => id);
    const mark = { revokedAtMs: turn.nowMs, revokedBy: context.actor, revocationReason: reason };
    const operator: OperatorRow = {
      ...known,
      ...(only === undefined ? { revokedAtMs: known.revokedAtMs ?? turn.nowMs } : {}),
      credentials: known.credentials.map((one) => (ends(one) ? { ...one, ...mark } : one)),
    };
    const cutConnections = context.connections.count(revoked);
    turn.next('revocation');
    putOperator(turn, operator); // told to the listeners after the commit: they end what is open
    audit(turn, context, 'operator.revoke', name, { credentials: revoked, reason });
    return { operator: viewOperator(context, operator), revoked, cutConnections };
  });
}

/** The first operator of a fleet is the one that `flotilla init` made: on record once, and never again. */
export function adoptOperator(context: ServiceContext, certificatePem: string): Promise<void> {
  return context.core.submit((turn) => {
    if (turn.state.operators.size > 0) return;
    const { name, role, fleetId, serialHex, fingerprintSha256Hex, notBeforeMs, notAfterMs } = parseOperatorIdentity(
      new X509Certificate(certificatePem),
    );
    if (fleetId !== context.fleetId) return;
    const credential: CredentialRow = {
      id: serialHex,
      kind: 'certificate',
      proofSha256: fingerprintSha256Hex,
      issuedAtMs: turn.nowMs,
      issuedBy: 'init',
      notBeforeMs,
      notAfterMs,
    };
    putOperator(turn, { name, role, createdAtMs: turn.nowMs, createdBy: 'init', credentials: [credential] });
    audit(turn, context, 'operator.add', name, { role, kind: 'certificate', credential: serialHex, notAfterMs });
  });
}

/** Takes one use of a token that has a number of them, durably, before anything is done for it. */
export function spendUse(context: ServiceContext, id: string): Promise<void> {
  return context.core.submit((turn) => {
    const held = findCredential(turn.state, id);
    const left = held?.credential.usesLeft;
    if (held === undefined || left === undefined) return;
    if (left <= 0) throw new FlotillaError('forbidden', 'token-used-up', 'your token is used up', { seen: id });
    const { operator } = held;
    const credentials = operator.credentials.map((one) => (one.id === id ? { ...one, usesLeft: left - 1 } : one));
    putOperator(turn, { ...operator, credentials });
  });
}

type Made = Pick<OperatorAdded, 'certificate' | 'token'> & { proof: Omit<CredentialRow, 'issuedAtMs' | 'issuedBy'> };

async function makeCertificate(
  context: ServiceContext,
  { name, csr, days, role }: OperatorRequest & { csr: string; role: OperatorRole },
): Promise<Made> {
  const { clock, fleetId, issuing } = context;
  const { publicKey, commonName } = await parseCsr(csr);
  if (commonName !== undefined && commonName !== name) {
    throw new FlotillaError('usage', 'certificate-name-mismatch', 'the request is not for this operator', {
      seen: `CN=${commonName}`,
      expected: `CN=${name}`,
    });
  }
  const validity = { validityDays: fitOperatorRequest(chooseProfile(await context.loadProfiles(), 'operator'), days) };
  const option = { fleetId, name, role, publicKey, nowMs: clock.nowMs(), ...validity };
  const certificate = await signOperatorCertificate(issuing, option);
  const {
    serialHex: id,
    fingerprintSha256Hex,
    notBeforeMs,
    notAfterMs,
  } = parseOperatorIdentity(new X509Certificate(certificate));
  return {
    certificate,
    proof: {
      id,
      kind: 'certificate',
      issuer: issuing.id,
      proofSha256: fingerprintSha256Hex,
      notBeforeMs,
      notAfterMs,
    },
  };
}

function makeToken(
  { clock, maxTokenSeconds }: ServiceContext,
  { expiresSeconds, uses }: NonNullable<OperatorRequest['token']>,
): Made {
  if (expiresSeconds > maxTokenSeconds) {
    throw new FlotillaError('refused', 'token-too-long', 'no token is made for so long', {
      seen: `${expiresSeconds} s`,
      expected: `at most ${maxTokenSeconds} s: api: maxTokenSeconds of coordinator.yaml`,
    });
  }
  const id = randomBytes(8).toString('hex');
  const secret = randomBytes(32);
  const notBeforeMs = clock.nowMs();
  const notAfterMs = notBeforeMs + Math.round(expiresSeconds * 1000);
  const proof = { id, kind: 'token', proofSha256: hashSecret(secret), notBeforeMs, notAfterMs } as const;
  return { token: formatToken(id, secret), proof: { ...proof, ...(uses === undefined ? {} : { usesLeft: uses }) } };
}

/** The role that this credential is for: what the operator has, and nothing that its maker may not do. */
function roleFor({ state }: Turn, { actor, role: own }: ServiceContext, { name, role }: OperatorRequest): OperatorRole {
  const known = state.operators.get(name);
  const has = known?.revokedAtMs === undefined ? known?.role : undefined;
  const wanted = role ?? has;
  if (wanted === undefined) {
    throw new FlotillaError('usage', 'operator-role-missing', 'a new operator needs a role', {
      seen: known === undefined ? `no operator ${name}` : `${name}, revoked`,
      suggestion: 'name it with --role',
    });
  }
  if (has !== undefined && wanted !== has) {
    throw new FlotillaError('refused', 'operator-role-differs', `${name} has another role`, {
      seen: `the role ${wanted}`,
      expected: `the role ${has}`,
      suggestion: `flotilla operator revoke ${name}, then add it with the new role`,
    });
  }
  if (coversRole(own, wanted)) return wanted;
  throw new FlotillaError('forbidden', 'role-forbidden', 'you may not give what you do not have', {
    seen: `${actor} has the role ${own}`,
    expected: `a role that may all that ${wanted} may`,
  });
}

function viewOperator({ connections }: ServiceContext, operator: OperatorRow): Operator {
  const { credentials, ...facts } = operator;
  const open = connections.count(credentials.map(({ id }) => id));
  return { ...facts, credentials: credentials.map(viewCredential), connections: open };
}

/** All but what proves it. */
function viewCredential({ proofSha256: _, ...credential }: CredentialRow): Credential {
  return credential;
}

function tooMany(name: string): FlotillaError {
  return new FlotillaError('refused', 'operator-credentials-full', `${name} has too many credentials`, {
    expected: `at most ${maxCredentials} that have not ended a month ago`,
    suggestion: 'take another name for each program, and longer lives for tokens',
  });
}
