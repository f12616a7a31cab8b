/** The one place where certificates are signed. */
import 'reflect-metadata';
import { type KeyObject, createPublicKey, randomBytes } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralNames,
  KeyUsageFlags,
  KeyUsagesExtension,
  PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { isIP } from 'node:net';
import { FlotillaError } from '../error.ts';
import { validateHost } from './host.ts';
import { validatePublicKey } from './public-key.ts';
import {
  type OperatorRole,
  ExtendedKeyUsage,
  alwaysNotAfterMs,
  alwaysNotBeforeMs,
  backdateMs,
  coordinatorServerName,
  defaultDeviceValidityDays,
  defaultOperatorValidityDays,
  deviceUri,
  msPerDay,
  operatorUri,
  validateDeviceId,
  validateFleetId,
  validateOperatorName,
} from './profile.ts';
import { createKey } from './key.ts';
import { constraintProblem, constraintText, readNameConstraint } from './name-constraint.ts';

const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const signing = { name: 'ECDSA', hash: 'SHA-256' } as const;
const serialBytes = 16;
const maxValidityDays = 36_500;

/** A certificate that may sign others, and its key. */
export interface Authority {
  fleetId: string;
  commonName: string;
  certificatePem: string;
  privateKey: KeyObject;
}

export interface IssuedPair {
  certificatePem: string;
  privateKey: KeyObject;
}

/** The coordinator's server certificate: every host, and always `coordinator.<fleetId>.flotilla`; 1970 to 9999. */
export async function issueCoordinatorCertificate(
  issuing: Authority,
  option: { fleetId: string; hosts: readonly string[] },
): Promise<IssuedPair> {
  requireFleet(issuing, option.fleetId);
  const serverName = coordinatorServerName(option.fleetId);
  const names: JsonGeneralNames = [{ type: 'dns', value: serverName }];
  for (const host of new Set(option.hosts)) {
    validateHost(host);
    if (host !== serverName) names.push({ type: isIP(host) ? 'ip' : 'dns', value: host });
  }
  const privateKey = await createKey();
  const certificatePem = await signCertificate({
    issuer: issuing,
    commonName: serverName,
    publicKey: privateKey,
    notBeforeMs: alwaysNotBeforeMs,
    notAfterMs: alwaysNotAfterMs,
    extensions: leafExtensions([ExtendedKeyUsage.serverAuth], names),
  });
  return { certificatePem, privateKey };
}

interface OperatorOption {
  fleetId: string;
  name: string;
  role: OperatorRole;
  nowMs: number;
  validityDays?: number;
}

/** A key and a certificate for a person or a script that uses the API from afar. */
export async function issueOperatorCertificate(issuing: Authority, option: OperatorOption): Promise<IssuedPair> {
  const privateKey = await createKey();
  const publicKey = createPublicKey(privateKey);
  return { certificatePem: await signOperatorCertificate(issuing, { ...option, publicKey }), privateKey };
}

/** The same for the public key of a CSR. PEM, the leaf alone. */
export async function signOperatorCertificate(
  issuing: Authority,
  option: OperatorOption & { publicKey: KeyObject },
): Promise<string> {
  requireFleet(issuing, option.fleetId);
  validateOperatorName(option.name);
  validatePublicKey(option.publicKey);
  const uri = operatorUri(option.fleetId, option.role, option.name);
  return signCertificate({
    issuer: issuing,
    commonName: option.name,
    publicKey: option.publicKey,
    ...validityFrom(option.nowMs, option.validityDays ?? defaultOperatorValidityDays),
    extensions: leafExtensions([ExtendedKeyUsage.clientAuth], [{ type: 'url', value: uri }]),
  });
}

export interface DeviceCertificateOption {
  fleetId: string;
  deviceId: string;
  publicKey: KeyObject;
  nowMs: number;
  validityDays?: number;
  /** Object ids; clientAuth alone when left out. */
  extendedKeyUsage?: readonly string[];
  /** Beside its own: `DNS:…`, `IP:…`. */
  names?: readonly string[];
}

/** A device's certificate for the public key of its CSR: CN, one URI, clientAuth alone. PEM, the leaf alone. */
export async function issueDeviceCertificate(issuing: Authority, option: DeviceCertificateOption): Promise<string> {
  requireFleet(issuing, option.fleetId);
  validateDeviceId(option.deviceId);
  validatePublicKey(option.publicKey);
  const uri = deviceUri(option.fleetId, option.deviceId);
  return signCertificate({
    issuer: issuing,
    commonName: option.deviceId,
    publicKey: option.publicKey,
    ...validityFrom(option.nowMs, option.validityDays ?? defaultDeviceValidityDays),
    extensions: leafExtensions(option.extendedKeyUsage ?? [ExtendedKeyUsage.clientAuth], [
      { type: 'url', value: uri },
      ...(option.names ?? []).map(generalName),
    ]),
  });
}

function generalName(name: string): JsonGeneralNames[number] {
  const value = name.replace(/^(?:DNS|IP):/, '');
  return { type: name.startsWith('IP:') ? 'ip' : 'dns', value };
}

export interface AuthorityRequest {
  /** Who signs; the new key itself for a root. */
  signer: { commonName: string; key: KeyObject };
  commonName: string;
  key: KeyObject;
  /** How many authorities may stand below this one. */
  pathLength: number;
  /** Name constraints. */
  extensions?: Extension[];
}

/** An authority's certificate, 1970 to 9999. For authority.ts. */
export async function signAuthorityCertificate(request: AuthorityRequest): Promise<string> {
  return signCertificate({
    issuer: { commonName: request.signer.commonName, privateKey: request.signer.key },
    commonName: request.commonName,
    publicKey: request.key,
    notBeforeMs: alwaysNotBeforeMs,
    notAfterMs: alwaysNotAfterMs,
    extensions: [
      new BasicConstraintsExtension(true, request.pathLength, true),
      // oxlint-disable-next-line no-bitwise
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(toPublicKey(request.key)),
      ...(request.extensions ?? []),
    ],
  });
}

interface CertificateRequest {
  issuer: { commonName: string; privateKey: KeyObject; certificatePem?: string };
  commonName: string;
  publicKey: KeyObject;
  notBeforeMs: number;
  notAfterMs: number;
  extensions: Extension[];
}

async function signCertificate(request: CertificateRequest): Promise<string> {
  requireWithin(request);
  const certificate = await X509CertificateGenerator.create({
    serialNumber: createSerialNumber(),
    subject: [{ CN: [request.commonName] }],
    issuer: [{ CN: [request.issuer.commonName] }],
    notBefore: new Date(request.notBeforeMs),
    notAfter: new Date(request.notAfterMs),
    publicKey: toPublicKey(request.publicKey),
    signingKey: request.issuer.privateKey.toCryptoKey(ecdsa, false, ['sign']),
    signingAlgorithm: signing,
    extensions: [
      ...request.extensions,
      await AuthorityKeyIdentifierExtension.create(toPublicKey(request.issuer.privateKey)),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}

/** A chain that every verifier would refuse must not be made: an authority may be constrained to some names. */
function requireWithin({ issuer, commonName, extensions }: CertificateRequest): void {
  const constraint = issuer.certificatePem === undefined ? undefined : readNameConstraint(issuer.certificatePem);
  if (constraint === undefined) return;
  const names = extensions.find((one) => one instanceof SubjectAlternativeNameExtension)?.names.items ?? [];
  const ofType = (...types: string[]): string[] =>
    names.filter(({ type }) => types.includes(type)).map(({ value }) => value);
  const problem = constraintProblem(constraint, { commonName, hosts: ofType('dns', 'ip'), uris: ofType('url') });
  if (problem === undefined) return;
  throw new FlotillaError('refused', 'pki-name-constraint', 'the issuing authority must not give this name', {
    seen: problem,
    expected: constraintText(constraint),
    suggestion: 'ask for another name, or rotate to an authority without this constraint: flotilla ca rotate',
  });
}

/** No subject key identifier: nothing is below a leaf, and a device sends its certificate at every connection. */
function leafExtensions(usage: readonly string[], names: JsonGeneralNames): Extension[] {
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([...usage], true),
    new SubjectAlternativeNameExtension(names),
  ];
}

/** 128 random bits as hex of always 16 significant bytes; a zero byte before them keeps the DER integer positive. */
function createSerialNumber(): string {
  for (;;) {
    const bytes = randomBytes(serialBytes);
    if (bytes[0] !== 0) return `00${bytes.toString('hex')}`;
  }
}

function toPublicKey(key: KeyObject): PublicKey {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return new PublicKey(publicKey.export({ type: 'spki', format: 'der' }));
}

/** From shortly before now, in whole seconds, for that many days. */
function validityFrom(nowMs: number, validityDays: number): { notBeforeMs: number; notAfterMs: number } {
  if (!(validityDays > 0 && validityDays <= maxValidityDays)) {
    throw new FlotillaError('usage', 'pki-validity', 'a certificate is not issued for such a time', {
      seen: `${validityDays} days`,
      expected: `more than 0 and at most ${maxValidityDays} days`,
    });
  }
  const notBeforeMs = Math.max(0, Math.floor((nowMs - backdateMs) / 1000) * 1000);
  return { notBeforeMs, notAfterMs: Math.floor((nowMs + validityDays * msPerDay) / 1000) * 1000 };
}

function requireFleet(issuing: Authority, fleetId: string): void {
  validateFleetId(fleetId);
  if (issuing.fleetId === fleetId) return;
  throw new FlotillaError('refused', 'pki-other-fleet', 'the issuing authority belongs to another fleet', {
    seen: issuing.fleetId,
    expected: fleetId,
  });
}
