/**
 * Who a certificate names. For a certificate that TLS has already verified against the fleet's authority: the chain
 * and the dates are not judged here. Uses node's own X509Certificate alone, so a gateway pays microseconds for it.
 */
import { X509Certificate } from 'node:crypto';
import { FlotillaError } from '../error.ts';
import { ExtendedKeyUsage, type OperatorRole, isFleetId, isOperatorRole } from './profile.ts';

export interface CertificateFacts {
  /** Lower-case hex. */
  serialHex: string;
  fingerprintSha256Hex: string;
  notBeforeMs: number;
  notAfterMs: number;
}

export interface DeviceIdentity extends CertificateFacts {
  fleetId: string;
  deviceId: string;
}

export interface OperatorIdentity extends CertificateFacts {
  fleetId: string;
  name: string;
  role: OperatorRole;
}

// Each is matched against the whole text of the subjectAltName extension, so a second name of any kind can't hide
// behind the first; node quotes a name that holds a comma or a control character, and a quote matches nothing here.
// A profile may give a device hosts beside its own name: they come behind it, and nothing of another kind does.
const deviceNamePattern =
  /^URI:flotilla:\/\/([a-z0-9-]{1,32})\/device\/([a-z0-9][a-z0-9._-]{0,62})(?:, (?:DNS:[A-Za-z0-9._-]+|IP Address:[0-9A-Fa-f.:]+))*$/;
const operatorNamePattern =
  /^URI:flotilla:\/\/([a-z0-9-]{1,32})\/operator\/([a-z]{1,16})\/([a-z0-9][a-z0-9._-]{0,62})$/;

/**
 * The device that a peer certificate names: the subjectAltName begins with `flotilla://<fleetId>/device/<deviceId>` and
 * holds no other URI, the subject is that CN alone, and of the usages that mean something to others it has clientAuth
 * alone. Anything else is refused.
 */
export function parseDeviceIdentity(certificate: Uint8Array | X509Certificate): DeviceIdentity {
  const identity = readDeviceIdentity(load(certificate));
  if (typeof identity !== 'string') return identity;
  throw new FlotillaError('forbidden', 'pki-not-a-device', 'the certificate names no device', {
    seen: identity,
    expected: 'one URI flotilla://<fleet>/device/<id>, CN=<id>, extended key usage clientAuth alone',
  });
}

/** The operator that a peer certificate names, as strictly as parseDeviceIdentity. */
export function parseOperatorIdentity(certificate: Uint8Array | X509Certificate): OperatorIdentity {
  const identity = readOperatorIdentity(load(certificate));
  if (typeof identity !== 'string') return identity;
  throw new FlotillaError('forbidden', 'pki-not-an-operator', 'the certificate names no operator', {
    seen: identity,
    expected: 'one URI flotilla://<fleet>/operator/<role>/<name>, CN=<name>, extended key usage clientAuth alone',
  });
}

/** The identity, or the text of what is wrong. */
export function readDeviceIdentity(certificate: X509Certificate): DeviceIdentity | string {
  const [, fleetId, deviceId] = deviceNamePattern.exec(certificate.subjectAltName ?? '') ?? [];
  if (fleetId === undefined || deviceId === undefined || !isFleetId(fleetId)) return describeNames(certificate);
  return peerProblem(certificate, deviceId) ?? { fleetId, deviceId, ...factsOf(certificate) };
}

/** The identity, or the text of what is wrong. */
export function readOperatorIdentity(certificate: X509Certificate): OperatorIdentity | string {
  const [, fleetId, role, name] = operatorNamePattern.exec(certificate.subjectAltName ?? '') ?? [];
  if (fleetId === undefined || role === undefined || name === undefined) return describeNames(certificate);
  if (!isFleetId(fleetId) || !isOperatorRole(role)) return describeNames(certificate);
  return peerProblem(certificate, name) ?? { fleetId, role, name, ...factsOf(certificate) };
}

/** Private enterprises: object ids that only a product of theirs understands. */
const privateUsageArc = '1.3.6.1.4.1.';

function peerProblem(certificate: X509Certificate, commonName: string): string | undefined {
  if (certificate.ca) return 'a certificate of an authority';
  // Revocation goes by it, and tools write such numbers in more ways than one.
  if (/^-|^0*$/.test(certificate.serialNumber)) return `serial number ${certificate.serialNumber.slice(0, 48)}`;
  if (certificate.subject !== `CN=${commonName}`) return `subject ${JSON.stringify(certificate.subject).slice(0, 120)}`;
  const usage = certificate.keyUsage ?? [];
  const ofOthers = usage.filter((oid) => !oid.startsWith(privateUsageArc));
  if (ofOthers.length !== 1 || ofOthers[0] !== ExtendedKeyUsage.clientAuth) {
    return `extended key usage ${usage.join(', ').slice(0, 120) || 'absent'}`;
  }
  return undefined;
}

function describeNames(certificate: X509Certificate): string {
  return `subjectAltName ${JSON.stringify(certificate.subjectAltName ?? 'absent').slice(0, 200)}`;
}

/** For every kind of peer. */
export function factsOf(certificate: X509Certificate): CertificateFacts {
  return {
    serialHex: certificate.serialNumber.toLowerCase(),
    fingerprintSha256Hex: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    notBeforeMs: certificate.validFromDate.getTime(),
    notAfterMs: certificate.validToDate.getTime(),
  };
}

function load(certificate: Uint8Array | X509Certificate): X509Certificate {
  if (certificate instanceof X509Certificate) return certificate;
  try {
    return new X509Certificate(certificate);
  } catch (error) {
    throw new FlotillaError('forbidden', 'pki-certificate-malformed', 'the peer certificate is malformed', {
      cause: error,
    });
  }
}
