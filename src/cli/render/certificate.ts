import type { Certificate, Revoked } from '../../client/contract/index.ts';
import type { CertificateDescription } from '../../pki/certificate.ts';
import { formatAge, formatTime, plural } from '../human.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';
import type { Style } from '../paint.ts';

const dayMs = 86_400_000;

/** valid, ends-soon (within 30 days), expired, not-yet, revoked, replaced, unproven (renewed, and the device has not come in with it yet). */
export function certificateState(
  certificate: Pick<Certificate, 'notBeforeMs' | 'notAfterMs'> &
    Partial<Pick<Certificate, 'revokedAtMs' | 'replacedBy' | 'renews' | 'provenAtMs'>>,
  nowMs: number,
): string {
  if (certificate.revokedAtMs !== undefined) return 'revoked';
  if (certificate.replacedBy !== undefined) return 'replaced';
  if (nowMs > certificate.notAfterMs) return 'expired';
  if (nowMs < certificate.notBeforeMs) return 'not-yet';
  if (certificate.renews !== undefined && certificate.provenAtMs === undefined) return 'unproven';
  return certificate.notAfterMs - nowMs < 30 * dayMs ? 'ends-soon' : 'valid';
}

const styles: Record<string, Style> = {
  valid: 'green',
  'ends-soon': 'yellow',
  'not-yet': 'yellow',
  unproven: 'yellow',
  replaced: 'dim',
  expired: 'red',
  revoked: 'red',
};

export function formatCertificates(
  certificates: readonly Certificate[],
  nowMs: number,
  option: TableOption = {},
): string {
  if (certificates.length === 0) return 'no certificates\n';
  return formatTable(
    certificates,
    [
      { title: 'SERIAL', value: (one) => one.serial },
      { title: 'DEVICE', value: (one) => one.deviceId },
      {
        title: 'STATE',
        value: (one) => certificateState(one, nowMs),
        style: (one) => styles[certificateState(one, nowMs)],
      },
      { title: 'ISSUED', value: (one) => formatAge(one.issuedAtMs, nowMs) },
      { title: 'ENDS', value: (one) => formatAge(one.notAfterMs, nowMs) },
      { title: 'REASON', value: (one) => one.revocationReason ?? replacement(one), shrink: true },
    ],
    option,
  );
}

function replacement({ replacedBy }: Pick<Certificate, 'replacedBy'>): string | undefined {
  return replacedBy === undefined ? undefined : `by ${replacedBy}`;
}

/** What stands in one certificate, and what the coordinator adds when it was asked. */
export function formatCertificate(
  shown: CertificateDescription &
    Partial<
      Pick<
        Certificate,
        'revokedAtMs' | 'revocationReason' | 'pem' | 'renews' | 'provenAtMs' | 'replacedBy' | 'replacedAtMs'
      >
    >,
  nowMs: number,
): string {
  const notBeforeMs = Date.parse(shown.notBefore);
  const notAfterMs = Date.parse(shown.notAfter);
  const { revokedAtMs, provenAtMs, replacedBy, replacedAtMs = 0, renews } = shown;
  const fields = formatFields({
    kind: shown.kind,
    serial: shown.serialHex,
    fleet: shown.fleetId,
    device: shown.deviceId,
    operator: shown.operator === undefined ? undefined : `${shown.operator.name} (${shown.operator.role})`,
    state: certificateState({ ...shown, notBeforeMs, notAfterMs }, nowMs),
    revoked: revokedAtMs === undefined ? undefined : `${formatTime(revokedAtMs)}, ${shown.revocationReason ?? '-'}`,
    renews,
    proven: provenAtMs === undefined ? undefined : formatTime(provenAtMs),
    replaced: replacedBy === undefined ? undefined : `${formatTime(replacedAtMs)}, by ${replacedBy}`,
    subject: shown.subject,
    issuer: shown.issuer,
    names: shown.subjectAltNames.join(', ') || undefined,
    usage: shown.extendedKeyUsage.join(', ') || undefined,
    key: shown.publicKey,
    valid: `${shown.notBefore} to ${shown.notAfter} (${formatAge(notAfterMs, nowMs)})`,
    sha256: shown.fingerprintSha256Hex,
  });
  return shown.pem === undefined ? fields : `${fields}\n${shown.pem.trimEnd()}\n`;
}

export function formatRevoked({ revoked, cutConnections }: Revoked): string {
  if (revoked.length === 0) return 'nothing to revoke: already done\n';
  const lines = revoked.map(({ serial, deviceId }) => `revoked ${serial} of ${deviceId}\n`).join('');
  return `${lines}${plural(cutConnections, 'connection')} cut\n`;
}
