/**
 * Name constraints of an issuing authority (RFC 5280, 4.2.1.10): what names it may give at all, held by whoever
 * verifies a chain. Only what is permitted can be said, of DNS names and of the host of URIs.
 *
 *   NameConstraints ::= SEQUENCE { permittedSubtrees [0] SEQUENCE OF SEQUENCE { base GeneralName } }
 *   GeneralName: [2] dNSName, [6] uniformResourceIdentifier, both IA5String
 */
import 'reflect-metadata';
import { isIP } from 'node:net';
import { Extension, X509Certificate as ParsedCertificate } from '@peculiar/x509';
import forge from 'node-forge';
import { FlotillaError } from '../error.ts';

export interface NameConstraint {
  /** `example.org` also permits every name below it; empty: DNS names are not constrained. */
  permittedDns: string[];
  /** Hosts of URIs, exactly: of `flotilla://<fleetId>/…` it is the fleet's id. Empty: not constrained. */
  permittedUri: string[];
}

export const nameConstraintOid = '2.5.29.30';
const dnsTag = 2;
const uriTag = 6;
const { Class, Type } = forge.asn1;

export function encodeNameConstraint({ permittedDns, permittedUri }: NameConstraint): Uint8Array<ArrayBuffer> {
  const subtree = (tag: number) => (name: string) =>
    forge.asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [
      forge.asn1.create(Class.CONTEXT_SPECIFIC, tag, false, name),
    ]);
  const subtrees = [...permittedDns.map(subtree(dnsTag)), ...permittedUri.map(subtree(uriTag))];
  const permitted = forge.asn1.create(Class.CONTEXT_SPECIFIC, 0, true, subtrees);
  const whole = forge.asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, [permitted]);
  return Uint8Array.from(Buffer.from(forge.asn1.toDer(whole).getBytes(), 'binary'));
}

/** Undefined for anything that `encodeNameConstraint` does not write: what is not understood must not be ignored. */
export function decodeNameConstraint(der: Uint8Array): NameConstraint | undefined {
  const result: NameConstraint = { permittedDns: [], permittedUri: [] };
  try {
    const whole = forge.asn1.fromDer(Buffer.from(der).toString('binary'));
    const [permitted, ...more] = whole.value as forge.asn1.Asn1[];
    if (more.length > 0 || permitted?.tagClass !== Class.CONTEXT_SPECIFIC || tagOf(permitted) !== 0) {
      return undefined;
    }
    for (const subtree of permitted.value as forge.asn1.Asn1[]) {
      const [base, ...bounds] = subtree.value as forge.asn1.Asn1[];
      if (bounds.length > 0 || base === undefined || typeof base.value !== 'string') return undefined;
      if (tagOf(base) === dnsTag) result.permittedDns.push(base.value);
      else if (tagOf(base) === uriTag) result.permittedUri.push(base.value);
      else return undefined;
    }
    return result;
  } catch {
    return undefined;
  }
}

/** Of a context-specific element, whose numbers have no names. */
function tagOf({ type }: forge.asn1.Asn1): number {
  return type;
}

export interface NamesOfCertificate {
  commonName: string;
  /** DNS names, addresses and URIs, as they stand in the subjectAltName. */
  hosts: readonly string[];
  uris: readonly string[];
}

/** The first name that a certificate below such an authority must not have, or undefined. */
export function constraintProblem(
  { permittedDns, permittedUri }: NameConstraint,
  { commonName, hosts, uris }: NamesOfCertificate,
): string | undefined {
  if (permittedUri.length > 0) {
    const odd = uris.find((uri) => !permittedUri.includes(hostOf(uri)));
    if (odd !== undefined) return `URI:${odd}`;
  }
  if (permittedDns.length === 0) return undefined;
  const dns = hosts.filter((host) => isIP(host) === 0);
  // Without a DNS name a verifier takes a CN with a dot for one (OpenSSL: NAME_CONSTRAINTS_check_CN).
  const asDns = dns.length === 0 && commonName.includes('.') ? [commonName] : dns;
  const odd = asDns.find((name) => !permittedDns.some((permitted) => isBelow(name, permitted)));
  return odd === undefined ? undefined : `DNS:${odd}`;
}

function hostOf(uri: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/:?#]*)/i.exec(uri)?.[1] ?? '';
}

function isBelow(name: string, permitted: string): boolean {
  const lower = name.toLowerCase();
  const base = permitted.toLowerCase().replace(/^\./, '');
  return (!permitted.startsWith('.') && lower === base) || lower.endsWith(`.${base}`);
}

export function constraintExtension(constraint: NameConstraint): Extension {
  return new Extension(nameConstraintOid, true, encodeNameConstraint(constraint));
}

/** Of an authority's certificate. @throws FlotillaError for constraints that we can't hold */
export function readNameConstraint(pem: string): NameConstraint | undefined {
  const extension = new ParsedCertificate(pem).getExtension(nameConstraintOid);
  if (extension === null) return undefined;
  const constraint = decodeNameConstraint(new Uint8Array(extension.value));
  if (constraint !== undefined) return constraint;
  throw new FlotillaError('refused', 'pki-name-constraint', 'the authority has name constraints of an unknown kind', {
    expected: 'permitted DNS names and URIs alone',
  });
}

/** For people: `none`, or `DNS:example.org, URI:harbour-k3f9x2`. */
export function constraintText(constraint: NameConstraint | undefined): string {
  if (constraint === undefined) return 'none';
  const { permittedDns, permittedUri } = constraint;
  return [...permittedDns.map((name) => `DNS:${name}`), ...permittedUri.map((name) => `URI:${name}`)].join(', ');
}
