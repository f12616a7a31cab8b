import type {
  CertificateDocument,
  ExtensionsDocument,
  InspectedObject,
  Inspection,
  NameDocument,
  Pkcs12Document,
  PrivateKeyDocument,
  PublicKeyDocument,
  RequestDocument,
  RevocationListDocument,
} from '../../pki/inspect/index.ts';
import { formatAge, formatBytes, formatTime, plural } from '../human.ts';
import { paint } from '../paint.ts';
import { formatFields, formatTable, type TableOption } from '../table.ts';
import { certificateState } from './certificate.ts';

type Fields = Record<string, string | number | undefined>;

const kindNames: Readonly<Record<InspectedObject['kind'], string>> = {
  certificate: 'certificate',
  request: 'signing request',
  'revocation-list': 'revocation list',
  'private-key': 'private key',
  'public-key': 'public key',
  pkcs12: 'PKCS#12',
};

/** A block for each object of a file, with how long ago and how long still. */
export function formatInspection(inspection: Inspection, nowMs: number, option: TableOption = {}): string {
  const { file, bytes, encoding, mode, objects } = inspection;
  const color = option.color ?? false;
  const place = file === '-' ? 'standard input' : file;
  const head = `${place}: ${encoding}, ${formatBytes(bytes)}${mode === undefined ? '' : `, mode ${mode}`}`;
  const exposed = mode !== undefined && /[4-7].$|[4-7]$/.test(mode) && objects.some(({ kind }) => kind === 'private-key' || kind === 'pkcs12'); // prettier-ignore
  const warning = exposed ? `${paint('red', 'others may read this secret: chmod 600', color)}\n` : '';
  return `${head}\n${warning}\n${formatObjects(objects, nowMs, option)}`;
}

function formatObjects(objects: readonly InspectedObject[], nowMs: number, option: TableOption): string {
  const blocks = objects.map((object, at) => {
    const number = objects.length === 1 ? '' : ` ${at + 1} of ${objects.length}`;
    const title = paint('bold', `${kindNames[object.kind]}${number}`, option.color ?? false);
    return `${title}\n${formatObject(object, nowMs, option)}`;
  });
  return blocks.join('\n');
}

function formatObject(object: InspectedObject, nowMs: number, option: TableOption): string {
  switch (object.kind) {
    case 'certificate':
      return formatFields(certificateFields(object, nowMs));
    case 'request':
      return formatFields(requestFields(object));
    case 'revocation-list':
      return formatList(object, nowMs, option);
    case 'private-key':
      return formatFields(privateKeyFields(object));
    case 'public-key':
      return formatFields(keyFields(object.publicKey));
    case 'pkcs12':
      return formatPkcs12(object, nowMs, option);
  }
}

function certificateFields(one: CertificateDocument, nowMs: number): Fields {
  const { operator, signedBy, privateKey } = one;
  return {
    role: one.role,
    fleet: one.fleetId,
    device: one.deviceId,
    operator: operator === undefined ? undefined : `${operator.name} (${operator.role})`,
    subject: one.subject,
    issuer: `${one.issuer}${one.selfSigned ? ' (self-signed)' : ''}`,
    'signed by': signedBy === undefined || one.selfSigned ? undefined : `certificate ${signedBy + 1} of this file`,
    serial: one.serialHex,
    version: one.version,
    state: certificateState(one, nowMs),
    begins: `${formatTime(one.notBeforeMs)} (${formatAge(one.notBeforeMs, nowMs)})`,
    ends: `${formatTime(one.notAfterMs)} (${formatAge(one.notAfterMs, nowMs)})`,
    ...keyFields(one.publicKey),
    'private key': privateKey === undefined ? undefined : `object ${privateKey + 1} of this file`,
    'signed with': one.signatureAlgorithm,
    ...extensionFields(one),
    sha256: one.fingerprintSha256Hex,
    sha1: one.fingerprintSha1Hex,
  };
}

function requestFields(one: RequestDocument): Fields {
  return {
    subject: one.subject,
    ...keyFields(one.publicKey),
    'signed with': one.signatureAlgorithm,
    proof: one.signatureHolds ? 'holds: its sender has the key' : 'does NOT hold: its sender may not have the key',
    ...extensionFields(one),
  };
}

function privateKeyFields({ encrypted, encryption, publicKey }: PrivateKeyDocument): Fields {
  return {
    encrypted: encrypted ? (encryption ?? 'yes') : 'no',
    ...(publicKey === undefined ? { key: 'give --passphrase-file to see which' } : keyFields(publicKey)),
  };
}

function keyFields({ kind, exponent, fingerprintSha256Hex }: PublicKeyDocument): Fields {
  return {
    key: `${kind}${exponent === undefined ? '' : `, exponent ${exponent}`}`,
    'key sha256': fingerprintSha256Hex,
  };
}

function extensionFields(one: ExtensionsDocument): Fields {
  const critical = new Set(one.extensions.filter((extension) => extension.critical).map(({ name }) => name));
  const marked = (name: string, text: string | undefined) =>
    text === undefined ? undefined : `${text}${critical.has(name) ? ' (critical)' : ''}`;
  const { basicConstraints: basic, nameConstraints } = one;
  const shown = new Set([
    'subjectAltName', 'keyUsage', 'extendedKeyUsage', 'basicConstraints', 'nameConstraints', 'subjectKeyIdentifier',
    'authorityKeyIdentifier', 'crlDistributionPoints', 'authorityInfoAccess', 'certificatePolicies',
  ]); // prettier-ignore
  const others = one.extensions.filter(({ name }) => !shown.has(name));
  return {
    names: marked('subjectAltName', listNames(one.subjectAltNames)),
    authority: marked('basicConstraints', basic === undefined ? undefined : describeAuthority(basic)),
    'key usage': marked('keyUsage', one.keyUsage?.join(', ')),
    purpose: marked('extendedKeyUsage', one.extendedKeyUsage?.join(', ')),
    'may name': marked('nameConstraints', listNames(nameConstraints?.permitted ?? [])),
    'may not name': marked('nameConstraints', listNames(nameConstraints?.excluded ?? [])),
    'key id': one.subjectKeyId,
    "issuer's key id": one.authorityKeyId,
    'crl at': one.crlDistributionPoints?.join(', '),
    'more at': one.authorityInfoAccess?.map(({ method, location }) => `${method} ${location}`).join(', '),
    policies: marked('certificatePolicies', one.certificatePolicies?.join(', ')),
    'also has': others.map(({ name, critical: hard }) => `${name}${hard ? ' (critical)' : ''}`).join(', ') || undefined,
    odd: one.problems.join('; ') || undefined,
  };
}

function listNames(names: readonly NameDocument[]): string | undefined {
  return names.map(({ type, value }) => `${type} ${value}`).join(', ') || undefined;
}

function describeAuthority({ ca, pathLength }: { ca: boolean; pathLength?: number }): string {
  if (!ca) return 'no';
  return pathLength === undefined ? 'yes, without a limit' : `yes, with at most ${pathLength} below it`;
}

const shownEntries = 20;

function formatList(list: RevocationListDocument, nowMs: number, option: TableOption): string {
  const { nextUpdateMs, signedBy, revoked } = list;
  const fields = formatFields({
    issuer: list.issuer,
    'signed by': signedBy === undefined ? undefined : `certificate ${signedBy + 1} of this file`,
    'signed with': list.signatureAlgorithm,
    version: list.version,
    number: list.number,
    'made at': `${formatTime(list.thisUpdateMs)} (${formatAge(list.thisUpdateMs, nowMs)})`,
    'next by': nextUpdateMs === undefined ? 'never' : `${formatTime(nextUpdateMs)} (${formatAge(nextUpdateMs, nowMs)})`,
    state: nextUpdateMs !== undefined && nextUpdateMs < nowMs ? 'stale' : 'current',
    "issuer's key id": list.authorityKeyId,
    revoked: plural(list.revokedCount, 'certificate'),
    sha256: list.fingerprintSha256Hex,
  });
  if (revoked.length === 0) return fields;
  const table = formatTable(
    revoked.slice(0, shownEntries),
    [
      { title: 'SERIAL', value: ({ serialHex }) => serialHex },
      { title: 'REVOKED', value: ({ revokedAtMs }) => formatTime(revokedAtMs) },
      { title: 'REASON', value: ({ reason }) => reason },
    ],
    option,
  );
  const more = revoked.length > shownEntries ? `and ${revoked.length - shownEntries} more: --json has all\n` : '';
  return `${fields}\n${table}${more}`;
}

function formatPkcs12(one: Pkcs12Document, nowMs: number, option: TableOption): string {
  const { mac, encryption, opened, friendlyName, objects } = one;
  const fields = formatFields({
    name: friendlyName,
    mac: mac === undefined ? 'none' : `HMAC with ${mac.hash}, ${mac.rounds} rounds`,
    encryption: encryption.join('; ') || 'none',
    content: opened ? plural(objects.length, 'object') : 'give --passphrase-file to see it',
  });
  return objects.length === 0 ? fields : `${fields}\n${formatObjects(objects, nowMs, option)}`;
}
