/**
 * The corpus of bad certificates: how each is made, and what has to be said of it. test/vectors/pki holds one making of
 * it (its keys were thrown away); tests that need a certificate with its key make their own.
 */
import { DerTag, contextTag } from '../../src/pki/der/read-der.ts';
import { bits, element, integer, objectId, octets, sequence } from '../../src/pki/der.ts';
import * as draft from './certificate-draft.ts';

export const badFleet = 'f1';
const id = 'gw-001';
const dayMs = 86_400_000;
const { draftNowMs, ecKey, rsaKey, signDraft } = draft;

export interface BadCertificate {
  name: string;
  /** How it was made. */
  made: string;
  /** DER: the certificate, then those that it came with. */
  chain: Buffer[];
  /** With its key, where a device can present it; the intermediates of its chain are not sent. */
  key?: draft.DraftKey;
  /** Codes of `cert verify --purpose device`, at 2026-06-01, in the order of the reasons. */
  reasons: string[];
  /** Codes of errors of `cert lint`, at the same time. */
  findings: string[];
}

export interface Authorities {
  root: Buffer;
  issuing: Buffer;
  rootKey: draft.DraftKey;
  issuingKey: draft.DraftKey;
}

const rootName = `CN=${badFleet} root authority`;
const issuingName = `CN=${badFleet} issuing authority`;
const always = { notBeforeMs: 0, notAfterMs: Date.UTC(9999, 11, 31, 23, 59, 59) };

export function makeAuthorities(): Authorities {
  const [rootKey, issuingKey] = [ecKey(), ecKey()];
  const root = signDraft({
    ...always, subject: rootName, key: rootKey, extensions: [...draft.authorityExtensions(1), draft.subjectKeyId(rootKey)],
  }); // prettier-ignore
  const issuing = signDraft({
    ...always, subject: issuingName, key: issuingKey, issuer: { subject: rootName, key: rootKey },
    extensions: [...draft.authorityExtensions(0), draft.subjectKeyId(issuingKey), draft.authorityKeyId(rootKey)],
  }); // prettier-ignore
  return { root, issuing, rootKey, issuingKey };
}

/** @param issuerName of the authority whose key is given */
export function makeBadCertificates(
  { issuingKey, rootKey }: Pick<Authorities, 'issuingKey' | 'rootKey'>,
  fleetId = badFleet,
  issuerName = issuingName,
  nowMs = draftNowMs,
): BadCertificate[] {
  const issuer = { subject: issuerName, key: issuingKey };
  const good = draft.deviceExtensions(fleetId, id);
  const uri = draft.altNames({ type: 'uri', value: `flotilla://${fleetId}/device/${id}` });
  const leaf = (change: Partial<draft.Draft> = {}) => {
    const key = change.key ?? ecKey();
    return { key, chain: [signDraft({ subject: `CN=${id}`, key, issuer, extensions: good, nowMs, ...change })] };
  };
  const without = (oid: string, ...more: draft.DraftExtension[]) => [...good.filter((one) => one.oid !== oid), ...more];
  const [san, eku, basic] = ['2.5.29.17', '2.5.29.37', '2.5.29.19'];
  const bad: BadCertificate[] = [];
  const add = (name: string, made: string, rest: Omit<BadCertificate, 'name' | 'made'>) =>
    bad.push({ name, made, ...rest });

  add('expired', 'ended a day before', {
    ...leaf({ notAfterMs: nowMs - dayMs }),
    reasons: ['expired'],
    findings: ['expired'],
  });
  add('not-yet-valid', 'begins a day later', {
    ...leaf({ notBeforeMs: nowMs + dayMs }), reasons: ['not-yet-valid'], findings: ['not-yet-valid'],
  }); // prettier-ignore
  add('validity-reversed', 'ends before it begins', {
    ...leaf({ notBeforeMs: nowMs - dayMs, notAfterMs: nowMs - 2 * dayMs }), reasons: ['expired'], findings: ['validity-reversed'],
  }); // prettier-ignore
  add('wrong-purpose', 'extended key usage serverAuth', {
    ...leaf({ extensions: without(eku, draft.purposeOf(draft.serverAuth)) }),
    reasons: ['purpose-not-allowed', 'identity-missing'], findings: ['identity-malformed'],
  }); // prettier-ignore
  add('purpose-wide', 'clientAuth and serverAuth', {
    ...leaf({ extensions: without(eku, draft.purposeOf(draft.clientAuth, draft.serverAuth)) }),
    reasons: ['identity-missing'], findings: ['identity-malformed', 'purpose-wide'],
  }); // prettier-ignore
  add('purpose-any', 'anyExtendedKeyUsage', {
    ...leaf({ extensions: without(eku, draft.purposeOf('2.5.29.37.0')) }),
    reasons: ['purpose-not-allowed', 'identity-missing'], findings: ['identity-malformed', 'purpose-any'],
  }); // prettier-ignore
  add('purpose-missing', 'no extended key usage', {
    ...leaf({ extensions: without(eku) }),
    reasons: ['purpose-not-allowed', 'identity-missing'], findings: ['identity-malformed', 'purpose-missing'],
  }); // prettier-ignore

  const strangerKey = ecKey();
  add('wrong-authority', 'signed by another authority', {
    ...leaf({ issuer: { subject: 'CN=stranger', key: strangerKey } }), reasons: ['issuer-unknown'], findings: [],
  }); // prettier-ignore
  add('forged-authority', 'signed by another key under the name of the issuing authority', {
    ...leaf({ issuer: { subject: issuerName, key: strangerKey } }), reasons: ['signature-invalid'], findings: [],
  }); // prettier-ignore
  add('self-signed', 'signed by itself', {
    ...selfSigned(good), reasons: ['root-untrusted'], findings: [],
  }); // prettier-ignore

  add('sha1', 'signed with ECDSA and SHA-1', {
    ...leaf({ hash: 'sha1' }),
    reasons: ['signature-weak'],
    findings: ['signature-weak'],
  });
  add('weak-rsa', 'RSA of 1024 bits', {
    ...leaf({ key: rsaKey(1024) }),
    reasons: ['key-weak'],
    findings: ['key-weak'],
  });
  add('small-exponent', 'RSA with exponent 3', {
    ...leaf({ key: rsaKey(2048, 3) }), reasons: ['key-weak'], findings: ['exponent-small'],
  }); // prettier-ignore
  add('odd-curve', 'EC secp256k1', {
    ...leaf({ key: ecKey('secp256k1') }), reasons: ['key-weak'], findings: ['key-not-accepted'],
  }); // prettier-ignore
  add('algorithm-mismatch', 'ecdsa-with-SHA384 inside, SHA256 outside of the signature', {
    ...leaf({ innerAlgorithm: draft.algorithmOf(issuingKey, 'sha384') }),
    reasons: ['signature-algorithm-mismatch'], findings: ['signature-algorithm-mismatch'],
  }); // prettier-ignore

  add('name-missing', 'no subjectAltName', {
    ...leaf({ extensions: without(san) }), reasons: ['identity-missing'], findings: ['alt-name-missing'],
  }); // prettier-ignore
  add('name-other', 'CN gw-001, name of gw-002', {
    ...leaf({ extensions: without(san, draft.altNames({ type: 'uri', value: `flotilla://${fleetId}/device/gw-002` })) }),
    reasons: ['identity-missing'], findings: ['name-mismatch', 'identity-malformed'],
  }); // prettier-ignore
  add('name-several', 'the name of a second device behind that of the first', {
    ...leaf({ extensions: without(san, draft.altNames({ type: 'uri', value: `flotilla://${fleetId}/device/${id}` }, { type: 'uri', value: `flotilla://${fleetId}/device/gw-002` })) }),
    reasons: ['identity-missing'], findings: ['names-several'],
  }); // prettier-ignore
  add('name-null', 'a zero byte in the name', {
    ...leaf({ extensions: without(san, draft.altNames({ type: 'uri', value: `flotilla://${fleetId}/device/${id}\0.evil` })) }),
    reasons: ['identity-missing'], findings: ['name-mismatch', 'identity-malformed'],
  }); // prettier-ignore
  add('authority-on-leaf', 'a device that is an authority', {
    ...leaf({ extensions: without(basic, draft.basicConstraints(true)) }),
    reasons: ['identity-missing'], findings: ['authority-on-leaf', 'cert-sign-missing'],
  }); // prettier-ignore
  add('cert-sign-on-leaf', 'keyCertSign on a device', {
    ...leaf({ extensions: without('2.5.29.15', draft.keyUsage(0, 5)) }), reasons: ['key-usage-cert-sign'], findings: ['cert-sign-on-leaf'],
  }); // prettier-ignore
  add('path-length-on-leaf', 'a path length on a device', {
    ...leaf({ extensions: without(basic, draft.basicConstraints(false, 0)) }),
    reasons: ['extension-malformed'], findings: ['path-length-on-leaf'],
  }); // prettier-ignore
  add('no-signature-usage', 'key usage keyAgreement alone', {
    ...leaf({ extensions: without('2.5.29.15', draft.keyUsage(4)) }),
    reasons: ['key-usage-no-signature'], findings: ['key-usage-no-signature'],
  }); // prettier-ignore

  add('duplicate-extension', 'two subjectAltNames', {
    ...leaf({ extensions: [...good, draft.altNames({ type: 'uri', value: `flotilla://${fleetId}/device/gw-002` })] }),
    reasons: ['extension-duplicate'], findings: ['extension-duplicate'],
  }); // prettier-ignore
  add('critical-unknown', 'an unknown critical extension', {
    ...leaf({ extensions: [...good, { oid: '1.3.6.1.4.1.99999.1', critical: true, value: octets(Buffer.from('x')) }] }),
    reasons: ['extension-critical-unknown'], findings: ['extension-critical-unknown'],
  }); // prettier-ignore
  add('malformed-extension', 'a basicConstraints that is no sequence', {
    ...leaf({ extensions: without(basic, { oid: basic, critical: true, value: Buffer.from('0500', 'hex') }) }),
    reasons: ['extension-malformed'], findings: ['extension-malformed'],
  }); // prettier-ignore
  add('version-1', 'version 1 with extensions', {
    ...leaf({ version: 1 }),
    reasons: ['version-wrong'],
    findings: ['version-old'],
  });

  const serial = (hex: string) => leaf({ serial: Buffer.from(hex, 'hex') });
  add('serial-negative', 'a negative serial number', {
    ...serial('ff1234567890abcdef'),
    reasons: ['serial-invalid', 'identity-missing'],
    findings: ['serial-negative', 'identity-malformed'],
  });
  add('serial-zero', 'serial number 0', {
    ...serial('00'),
    reasons: ['serial-invalid', 'identity-missing'],
    findings: ['serial-zero', 'identity-malformed'],
  });
  add('serial-long', 'a serial number of 40 bytes', {
    ...serial(`4a${'77'.repeat(39)}`),
    reasons: ['serial-invalid'],
    findings: ['serial-too-long'],
  });

  addChains(add, { issuingKey, rootKey, good, leafKey: ecKey() });
  addBytes(add, leaf().chain[0]!, uri);
  return bad;
}

function selfSigned(extensions: draft.DraftExtension[]): { key: draft.DraftKey; chain: Buffer[] } {
  const key = ecKey();
  return { key, chain: [signDraft({ subject: `CN=${id}`, key, extensions })] };
}

type Add = (name: string, made: string, rest: Omit<BadCertificate, 'name' | 'made'>) => void;

/** Below an authority of their own, which the root has signed. */
function addChains(
  add: Add,
  {
    rootKey,
    good,
    leafKey,
    issuingKey,
  }: { rootKey: draft.DraftKey; issuingKey: draft.DraftKey; good: draft.DraftExtension[]; leafKey: draft.DraftKey },
): void {
  const root = { subject: rootName, key: rootKey };
  const below = (extensions: draft.DraftExtension[], change: Partial<draft.Draft> = {}) => {
    const key = ecKey();
    const subject = 'CN=site authority';
    const site = signDraft({ subject, key, issuer: root, extensions, ...change });
    return [signDraft({ subject: `CN=${id}`, key: leafKey, issuer: { subject, key }, extensions: good }), site];
  };
  const authority = draft.authorityExtensions(0);
  add('constraint-uri', 'below an authority for URIs of host f2 alone', {
    chain: below([...authority, draft.nameConstraints([{ type: 'uri', value: 'f2' }])]),
    reasons: ['name-not-permitted'], findings: [],
  }); // prettier-ignore
  add('constraint-excluded', 'below an authority that excludes URIs of host f1', {
    chain: below([...authority, draft.nameConstraints([], [{ type: 'uri', value: 'f1' }])]),
    reasons: ['name-excluded'], findings: [],
  }); // prettier-ignore
  add('constraint-directory', 'below an authority for O=Harbour alone', {
    chain: below([...authority, draft.nameConstraints([{ type: 'directory', value: 'O=Harbour' }])]),
    reasons: ['name-not-permitted'], findings: [],
  }); // prettier-ignore
  add('authority-not-ca', 'below a certificate that is no authority', {
    chain: below([draft.basicConstraints(false), draft.keyUsage(5)]), reasons: ['key-usage-cert-sign', 'not-an-authority'], findings: ['cert-sign-on-leaf', 'alt-name-missing', 'purpose-missing', 'key-usage-no-signature'],
  }); // prettier-ignore
  add('authority-no-cert-sign', 'below an authority without keyCertSign', {
    chain: below([draft.basicConstraints(true, 0), draft.keyUsage(6)]),
    reasons: ['key-usage-no-cert-sign'], findings: ['cert-sign-missing'],
  }); // prettier-ignore
  add('authority-expired', 'below an expired authority', {
    chain: below(authority, { notAfterMs: draftNowMs - dayMs }), reasons: ['expired'], findings: ['expired'],
  }); // prettier-ignore
  add('authority-server-only', 'below an authority for servers', {
    chain: below([...authority, draft.purposeOf(draft.serverAuth)]), reasons: ['purpose-not-allowed'], findings: [],
  }); // prettier-ignore

  const [first, second] = [ecKey(), ecKey()];
  const issuing = { subject: issuingName, key: issuingKey };
  const one = signDraft({ subject: 'CN=below', key: first, issuer: issuing, extensions: draft.authorityExtensions(0) });
  add('path-too-long', 'an authority below the issuing authority, whose path length is 0', {
    chain: [signDraft({ subject: `CN=${id}`, key: second, issuer: { subject: 'CN=below', key: first }, extensions: good }), one],
    reasons: ['path-length-exceeded', 'path-length-exceeded'], findings: [],
  }); // prettier-ignore
  add('chain-endless', 'twelve authorities without path lengths, below the root', {
    chain: longChain(root, good), reasons: ['chain-too-long'], findings: [],
  }); // prettier-ignore
}

function longChain(root: { subject: string; key: draft.DraftKey }, good: draft.DraftExtension[]): Buffer[] {
  const chain: Buffer[] = [];
  let issuer = root;
  for (let at = 0; at < 12; at++) {
    const next = { subject: `CN=authority ${at}`, key: ecKey() };
    chain.unshift(signDraft({ ...next, issuer, extensions: draft.authorityExtensions() }));
    issuer = next;
  }
  return [signDraft({ subject: `CN=${id}`, key: ecKey(), issuer, extensions: good }), ...chain];
}

/** What is not even a certificate, or only on the outside. */
function addBytes(add: Add, whole: Buffer, uri: draft.DraftExtension): void {
  const malformed = { reasons: ['malformed'], findings: ['der-malformed'] };
  add('truncated', 'the first 200 bytes', { chain: [whole.subarray(0, 200)], ...malformed });
  add('trailing', 'a byte behind its end', { chain: [Buffer.concat([whole, Buffer.alloc(1)])], ...malformed });
  add('garbage', '300 bytes of a counter', {
    chain: [Buffer.from(Array.from({ length: 300 }, (_, at) => (at * 7) % 256))],
    ...malformed,
  });
  add('huge-length', 'a length of four gigabytes', { chain: [Buffer.from('3084ffffffff30', 'hex')], ...malformed });
  add('indefinite', 'an indefinite length, which is BER', {
    chain: [Buffer.concat([Buffer.from('3080', 'hex'), whole.subarray(4), Buffer.alloc(2)])],
    ...malformed,
  });
  add('padded-length', 'a length in more bytes than it needs', {
    chain: [Buffer.concat([Buffer.from([0x30, 0x83, 0, whole[2]!, whole[3]!]), whole.subarray(4)])], ...malformed,
  }); // prettier-ignore
  let bomb: Buffer = integer(1);
  for (let depth = 0; depth < 5000; depth++) bomb = sequence(bomb);
  add('bomb', '5,000 sequences in each other', { chain: [bomb], ...malformed });
  const bombInside = draft.signDraft({
    subject: `CN=${id}`, key: ecKey(), issuer: { subject: 'CN=stranger', key: ecKey() },
    extensions: [uri, { oid: '2.5.29.30', critical: true, value: bomb }],
  }); // prettier-ignore
  add('bomb-in-extension', 'name constraints of 5,000 sequences in each other', {
    chain: [bombInside],
    reasons: ['extension-malformed', 'issuer-unknown', 'purpose-not-allowed', 'identity-missing'],
    findings: ['extension-malformed', 'identity-malformed', 'purpose-missing'],
  }); // prettier-ignore
  const odd = sequence(objectId('1.2.840.10045.2.1'), objectId('1.2.3.4'));
  add('unknown-key', 'an EC key of a curve that nobody knows', {
    chain: [
      draft.signDraft({
        subject: `CN=${id}`, key: ecKey(), issuer: { subject: 'CN=stranger', key: ecKey() }, spki: sequence(odd, bits(Buffer.alloc(65, 4))),
        extensions: draft.deviceExtensions(badFleet, id),
      }),
    ],
    reasons: ['key-unknown', 'issuer-unknown'], findings: ['key-unknown', 'identity-malformed'],
  }); // prettier-ignore
  const empty = element(DerTag.sequence, element(contextTag(0, true)));
  add('empty-inside', 'a sequence that holds next to nothing', { chain: [empty], ...malformed });
}
