/** What `cert inspect --json` says of each kind of object. The names are a contract: they are added to, never changed. */

export interface PublicKeyDocument {
  /** `EC P-256`, `RSA 2048`, `unknown` */
  kind: string;
  bits?: number;
  /** Of RSA; decimal. */
  exponent?: string;
  /** SHA-256 of the SubjectPublicKeyInfo: the same for a key, its request and its certificates. */
  fingerprintSha256Hex: string;
}

export interface NameDocument {
  type: string;
  value: string;
}

export interface ExtensionDocument {
  oid: string;
  name: string;
  critical: boolean;
}

/** The extensions that certificates and requests share. */
export interface ExtensionsDocument {
  subjectAltNames: NameDocument[];
  keyUsage?: string[];
  extendedKeyUsage?: string[];
  basicConstraints?: { ca: boolean; pathLength?: number };
  nameConstraints?: { permitted: NameDocument[]; excluded: NameDocument[] };
  subjectKeyId?: string;
  authorityKeyId?: string;
  crlDistributionPoints?: string[];
  authorityInfoAccess?: { method: string; location: string }[];
  certificatePolicies?: string[];
  extensions: ExtensionDocument[];
  /** What of the extensions could not be read, or stands there twice. */
  problems: string[];
}

export interface CertificateDocument extends ExtensionsDocument {
  kind: 'certificate';
  /** What it is in a fleet. */
  role: 'root' | 'issuing' | 'coordinator' | 'device' | 'operator' | 'other';
  fleetId?: string;
  deviceId?: string;
  operator?: { name: string; role: string };
  version: number;
  serialHex: string;
  subject: string;
  issuer: string;
  /** Its own key signed it. */
  selfSigned: boolean;
  /** Index in `objects` of the certificate that signed it, when that is in the same file. */
  signedBy?: number;
  /** Index in `objects` of its private key, when that is in the same file. */
  privateKey?: number;
  /** ISO 8601, UTC. */
  notBefore: string;
  notAfter: string;
  notBeforeMs: number;
  notAfterMs: number;
  publicKey: PublicKeyDocument;
  signatureAlgorithm: string;
  fingerprintSha256Hex: string;
  fingerprintSha1Hex: string;
}

export interface RequestDocument extends ExtensionsDocument {
  kind: 'request';
  subject: string;
  publicKey: PublicKeyDocument;
  signatureAlgorithm: string;
  /** Its own key signed it: its sender holds the key. */
  signatureHolds: boolean;
  /** Dotted, of attributes that are no extensions. */
  attributes: string[];
}

export interface RevocationListDocument {
  kind: 'revocation-list';
  issuer: string;
  version: number;
  /** Decimal. */
  number?: string;
  thisUpdate: string;
  nextUpdate?: string;
  thisUpdateMs: number;
  nextUpdateMs?: number;
  authorityKeyId?: string;
  signatureAlgorithm: string;
  /** Index in `objects` of the certificate that signed it, when that is in the same file. */
  signedBy?: number;
  revokedCount: number;
  /** In the order of the list. */
  revoked: { serialHex: string; revokedAt: string; revokedAtMs: number; reason: string }[];
  extensions: ExtensionDocument[];
  fingerprintSha256Hex: string;
}

/** Of a private key only the public half is ever told. */
export interface PrivateKeyDocument {
  kind: 'private-key';
  encrypted: boolean;
  /** How, when it is. */
  encryption?: string;
  /** Absent when it is encrypted and no passphrase was given. */
  publicKey?: PublicKeyDocument;
}

export interface PublicKeyObjectDocument {
  kind: 'public-key';
  publicKey: PublicKeyDocument;
}

export interface Pkcs12Document {
  kind: 'pkcs12';
  mac?: { hash: string; rounds: number };
  /** Of each of its parts; `none` for one in the open. */
  encryption: string[];
  /** False when no passphrase was given: then `objects` is empty. */
  opened: boolean;
  objects: InspectedObject[];
  /** Of the bag that holds the key, or the first certificate. */
  friendlyName?: string;
}

export type InspectedObject =
  | CertificateDocument
  | RequestDocument
  | RevocationListDocument
  | PrivateKeyDocument
  | PublicKeyObjectDocument
  | Pkcs12Document;

export interface Inspection {
  /** Of this document. */
  version: 1;
  /** `-` for standard input. */
  file: string;
  bytes: number;
  encoding: 'PEM' | 'DER';
  /** `0600`; absent for pipes. */
  mode?: string;
  objects: InspectedObject[];
}
