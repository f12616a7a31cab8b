import 'reflect-metadata';
import { X509Certificate, createPublicKey } from 'node:crypto';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type JsonGeneralNames,
  type JsonName,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { FlotillaError } from '../../../src/error.ts';
import { createKey } from '../../../src/pki/key.ts';
import { parseDeviceIdentity, parseOperatorIdentity } from '../../../src/pki/peer-identity.ts';

const clientAuth = '1.3.6.1.5.5.7.3.2';
const serverAuth = '1.3.6.1.5.5.7.3.1';
const good = 'flotilla://f1/device/dev-1';

interface Shape {
  subject?: JsonName;
  names?: JsonGeneralNames;
  usage?: string[];
  ca?: boolean;
}

/** A certificate of any shape, self-signed: what an authority that went wrong might have signed. */
async function certificateOf({
  subject = [{ CN: ['dev-1'] }],
  names,
  usage = [clientAuth],
  ca,
}: Shape): Promise<Buffer> {
  const key = await createKey();
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: '00ab12',
    name: subject,
    notBefore: new Date(1_000_000),
    notAfter: new Date(2_000_000),
    keys: {
      privateKey: key.toCryptoKey(algorithm, false, ['sign']),
      publicKey: createPublicKey(key).toCryptoKey(algorithm, true, ['verify']),
    },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: [
      ...(ca === undefined ? [] : [new BasicConstraintsExtension(ca, undefined, true)]),
      ...(usage.length === 0 ? [] : [new ExtendedKeyUsageExtension(usage)]),
      ...(names?.length === 0 ? [] : [new SubjectAlternativeNameExtension(names ?? [{ type: 'url', value: good }])]),
    ],
  });
  return Buffer.from(certificate.rawData);
}

describe('the device that a certificate names', () => {
  it('is read from a certificate of the right shape, with its facts', async () => {
    const der = await certificateOf({});
    const expected = {
      fleetId: 'f1',
      deviceId: 'dev-1',
      serialHex: 'ab12',
      fingerprintSha256Hex: expect.stringMatching(/^[0-9a-f]{64}$/),
      notBeforeMs: 1_000_000,
      notAfterMs: 2_000_000,
    };
    expect(parseDeviceIdentity(der)).toEqual(expected);
    expect(parseDeviceIdentity(new X509Certificate(der))).toEqual(expected);
  });

  it('is read with hosts behind the URI, and with usages of a private enterprise', async () => {
    const names: JsonGeneralNames = [
      { type: 'url', value: good },
      { type: 'dns', value: 'dev-1.site.example.org' },
      { type: 'ip', value: '2001:db8::7' },
    ];
    const der = await certificateOf({ names, usage: [clientAuth, '1.3.6.1.4.1.99999.1'] });
    expect(parseDeviceIdentity(der)).toMatchObject({ deviceId: 'dev-1' });
  });

  const url = (value: string) => [{ type: 'url' as const, value }];
  const refused: [string, Shape][] = [
    ['no subjectAltName', { names: [] }],
    ['two device URIs', { names: [...url(good), ...url('flotilla://f1/device/dev-2')] }],
    ['the same URI twice', { names: [...url(good), ...url(good)] }],
    ['a DNS name before the URI', { names: [{ type: 'dns', value: 'example.org' }, ...url(good)] }],
    ['a mail address beside the URI', { names: [...url(good), { type: 'email', value: 'a@example.org' }] }],
    ['a DNS name that holds a comma', { names: [...url(good), { type: 'dns', value: `a, URI:${good}` }] }],
    ['a DNS name that looks like the URI', { names: [{ type: 'dns', value: `x, URI:${good}` }] }],
    ['a URI that smuggles a second one', { names: url(`${good}, URI:${good}`) }],
    ['a path below the id', { names: url(`${good}/x`) }],
    ['a query', { names: url(`${good}?x=1`) }],
    ['another scheme', { names: url('https://f1/device/dev-1') }],
    ['an upper-case id', { names: url('flotilla://f1/device/DEV-1'), subject: [{ CN: ['DEV-1'] }] }],
    ['an empty id', { names: url('flotilla://f1/device/') }],
    ['a bad fleet id', { names: url('flotilla://-f1/device/dev-1') }],
    ['an operator URI', { names: url('flotilla://f1/operator/admin/dev-1') }],
    ['another CN', { subject: [{ CN: ['dev-2'] }] }],
    ['a second CN', { subject: [{ CN: ['dev-1'] }, { CN: ['dev-2'] }] }],
    ['an organisation in the subject', { subject: [{ O: ['x'] }, { CN: ['dev-1'] }] }],
    ['a CN with a line break', { subject: [{ CN: ['dev-1\nCN=dev-1'] }] }],
    ['no extended key usage', { usage: [] }],
    ['serverAuth alone', { usage: [serverAuth] }],
    ['clientAuth and serverAuth', { usage: [clientAuth, serverAuth] }],
    ['any extended key usage', { usage: ['2.5.29.37.0'] }],
    ['the right of an authority', { ca: true }],
  ];
  it.each(refused)('is refused with %s', async (_what, shape) => {
    const der = await certificateOf(shape);
    expect(() => parseDeviceIdentity(der)).toThrow(
      expect.objectContaining({ name: 'FlotillaError', code: 'pki-not-a-device', fault: 'forbidden' }) as Error,
    );
  });

  it('is refused for bytes that are no certificate', () => {
    expect(() => parseDeviceIdentity(Buffer.from('3003020101', 'hex'))).toThrow(FlotillaError);
    expect(() => parseDeviceIdentity(Buffer.alloc(0))).toThrow(FlotillaError);
  });
});

describe('the operator that a certificate names', () => {
  const subject = [{ CN: ['ada'] }];

  it('is read with the role', async () => {
    const names: JsonGeneralNames = [{ type: 'url', value: 'flotilla://f1/operator/release/ada' }];
    expect(parseOperatorIdentity(await certificateOf({ subject, names }))).toMatchObject({
      fleetId: 'f1',
      name: 'ada',
      role: 'release',
    });
  });

  it.each(['flotilla://f1/operator/root/ada', 'flotilla://f1/operator/ada', 'flotilla://f1/device/ada'])(
    'is refused for %s',
    async (value) => {
      const der = await certificateOf({ subject, names: [{ type: 'url', value }] });
      expect(() => parseOperatorIdentity(der)).toThrow(FlotillaError);
    },
  );
});
