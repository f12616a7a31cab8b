/** Tokens and manifests: who may enroll. What is done with them when a device comes: enroll-service.ts. */
import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import type {
  EnrollmentTokenMade,
  EnrollmentTokenRequest,
  EnrollmentTokenView,
  ManifestImport,
  ManifestImported,
  PreregistrationView,
} from '../../client/contract/enrollment.ts';
import { formatEnrollmentToken } from '../../enrollment/enrollment-token.ts';
import { FlotillaError } from '../../error.ts';
import type { EnrollmentTokenRow, PreregistrationRow } from '../../store/row.ts';
import { putPreregistration, putToken, removePreregistration } from '../core/enroll-operation.ts';
import type { Turn } from '../core/turn.ts';
import { audit, type ServiceContext } from './context.ts';

export async function addToken(context: ServiceContext, request: EnrollmentTokenRequest): Promise<EnrollmentTokenMade> {
  const { enrollment } = context;
  if (enrollment === undefined) {
    throw new FlotillaError('refused', 'enrollment-off', 'this coordinator takes no enrollments', {
      seen: 'no enrollment: in coordinator.yaml',
      expected: 'enrollment: with a listener',
      suggestion: 'add enrollment: {listen: {host: 0.0.0.0, port: 7445}} to coordinator.yaml and start it again',
    });
  }
  const secret = randomBytes(32).toString('base64url');
  const { lifeSeconds, maxUses, idPattern, pending, tags, grains, note } = request;
  const row = await context.core.submit((turn) => {
    const token: EnrollmentTokenRow = {
      id: context.newId('t'),
      secretSha256: hashSecret(secret),
      createdAtMs: turn.nowMs,
      createdBy: context.actor,
      expiresAtMs: turn.nowMs + lifeSeconds * 1000,
      maxUses,
      uses: 0,
      state: pending === true ? 'pending' : 'accepted',
      tags,
      grains,
      ...(idPattern === undefined ? {} : { idPattern }),
      ...(note === undefined ? {} : { note }),
    };
    putToken(turn, token);
    const { secretSha256: _, ...told } = token;
    audit(turn, context, 'enrollment-token.add', token.id, told);
    return token;
  });
  const text = formatEnrollmentToken({
    fleetId: context.fleetId,
    host: request.host ?? enrollment.host,
    port: request.port ?? enrollment.port,
    link: { host: request.host ?? enrollment.host, port: context.listen.port },
    authorities: [rootOf(context.issuing.bundlePem)],
    id: row.id,
    secret,
  });
  return { token: viewToken(row, context.clock.nowMs()), text };
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** The self-signed one: it stays when issuing authorities are changed. */
function rootOf(bundlePem: string): Uint8Array {
  const certificates = (bundlePem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []).map(
    (pem) => new X509Certificate(pem),
  );
  const root = certificates.find((certificate) => certificate.subject === certificate.issuer) ?? certificates.at(-1);
  if (root === undefined) throw new FlotillaError('ours', 'authority-missing', 'the fleet has no authority');
  return root.raw;
}

/** The newest first. */
export function listTokens({ core }: ServiceContext): Promise<EnrollmentTokenView[]> {
  return core.submit(({ state, nowMs }) =>
    [...state.enrollmentTokens.values()]
      .toSorted((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1))
      .map((token) => viewToken(token, nowMs)),
  );
}

/** It lets nobody in any more; the devices that it has let in stay. */
export function revokeToken(context: ServiceContext, id: string): Promise<EnrollmentTokenView> {
  return context.core.submit((turn) => {
    const token = turn.state.enrollmentTokens.get(id);
    if (token === undefined) {
      throw new FlotillaError('usage', 'enrollment-token-unknown', `there is no enrollment token ${id}`, {
        seen: id,
        suggestion: 'flotilla enroll token list',
      });
    }
    const revoked = token.revokedAtMs === undefined ? { ...token, revokedAtMs: turn.nowMs } : token;
    if (revoked !== token) {
      putToken(turn, revoked);
      audit(turn, context, 'enrollment-token.revoke', id, { uses: token.uses });
    }
    return viewToken(revoked, turn.nowMs);
  });
}

function viewToken(token: EnrollmentTokenRow, nowMs: number): EnrollmentTokenView {
  const { secretSha256: _, state, revokedAtMs, ...rest } = token;
  const standing =
    revokedAtMs !== undefined
      ? 'revoked'
      : token.uses >= token.maxUses
        ? 'used-up'
        : token.expiresAtMs <= nowMs
          ? 'expired'
          : 'active';
  return { ...rest, state: standing, pending: state === 'pending' };
}

/** All of them or none. A row that says the same again changes nothing. */
export function importManifest(context: ServiceContext, { devices }: ManifestImport): Promise<ManifestImported> {
  return context.core.submit((turn) => {
    refuseTwins(turn, devices);
    const result: ManifestImported = { added: [], changed: [], unchanged: [] };
    for (const { pending, ...device } of devices) {
      const before = turn.state.preregistrations.get(device.deviceId);
      const row: PreregistrationRow = {
        ...device,
        ...(pending === true ? { pending } : {}),
        createdAtMs: before?.createdAtMs ?? turn.nowMs,
        createdBy: before?.createdBy ?? context.actor,
        ...(before?.enrolledAtMs === undefined ? {} : { enrolledAtMs: before.enrolledAtMs }),
      };
      if (before === undefined) result.added.push(row.deviceId);
      else if (isSame(before, row)) {
        result.unchanged.push(row.deviceId);
        continue;
      } else result.changed.push(row.deviceId);
      putPreregistration(turn, row);
    }
    const { added, changed } = result;
    if (added.length + changed.length > 0) {
      const detail = { added: added.length, changed: changed.length };
      audit(turn, context, 'manifest.import', '', detail, [...added, ...changed]);
    }
    return result;
  });
}

/** A key is of one device, in the file and with what is known already. */
function refuseTwins(turn: Turn, devices: ManifestImport['devices']): void {
  const ids = new Set(devices.map(({ deviceId }) => deviceId));
  const owners = new Map<string, string>();
  for (const { deviceId, keySha256 } of devices) {
    if (keySha256 === undefined) continue;
    const known = turn.state.keyOwners.get(keySha256);
    const owner = owners.get(keySha256) ?? (known !== undefined && !ids.has(known) ? known : undefined);
    if (owner !== undefined && owner !== deviceId) {
      throw new FlotillaError('refused', 'manifest-key-taken', 'a key is named for two devices', {
        seen: `${keySha256.slice(0, 16)}… for ${owner} and ${deviceId}`,
        expected: 'a key of its own for each device',
        suggestion: `flotilla enroll manifest list; flotilla enroll manifest remove ${owner}`,
      });
    }
    owners.set(keySha256, deviceId);
  }
  if (ids.size === devices.length) return;
  throw new FlotillaError('usage', 'manifest-id-twice', 'a device stands in the manifest twice');
}

function isSame(a: PreregistrationRow, b: PreregistrationRow): boolean {
  const facts = ({ hardwareSerial, keySha256, tags, grains, pending }: PreregistrationRow): string =>
    JSON.stringify([hardwareSerial, keySha256, sorted(tags), sorted(grains), pending]);
  return facts(a) === facts(b);
}

const sorted = (record: Record<string, string>): [string, string][] =>
  Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));

/** In order of id. */
export function listManifest({ core }: ServiceContext): Promise<PreregistrationView[]> {
  return core.submit(({ state }) =>
    [...state.preregistrations.values()].toSorted((a, b) => (a.deviceId < b.deviceId ? -1 : 1)),
  );
}

/** They are expected no more; those that came stay in the fleet. */
export function removeFromManifest(context: ServiceContext, ids: readonly string[]): Promise<{ removed: string[] }> {
  return context.core.submit((turn) => {
    const unknown = ids.find((id) => !turn.state.preregistrations.has(id));
    if (unknown !== undefined) {
      throw new FlotillaError('usage', 'preregistration-unknown', `no manifest names ${unknown}`, {
        seen: unknown,
        suggestion: 'flotilla enroll manifest list',
      });
    }
    const removed = [...new Set(ids)];
    for (const id of removed) removePreregistration(turn, id);
    audit(turn, context, 'manifest.remove', '', { removed: removed.length }, removed);
    return { removed };
  });
}
