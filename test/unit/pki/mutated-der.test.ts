/** Bytes that were changed, cut, or made up: every parser answers or refuses, soon, and never throws anything else. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { FlotillaError } from '../../../src/error.ts';
import { inspect } from '../../../src/pki/inspect/index.ts';
import { lintMaterial } from '../../../src/pki/lint/lint.ts';
import { signRevocationList } from '../../../src/pki/sign-revocation-list.ts';
import { verifyCertificate } from '../../../src/pki/verify/verify.ts';
import { writePkcs12 } from '../../../src/pki/pkcs12/write-pkcs12.ts';
import { makeAuthorities } from '../../support/bad-certificate.ts';
import * as draft from '../../support/certificate-draft.ts';

const directory = join(import.meta.dirname, '..', '..', 'vectors', 'pki');
const corpus = readdirSync(directory)
  .filter((name) => name.endsWith('.pem'))
  .map((name) => readFileSync(join(directory, name)));
const nowMs = draft.draftNowMs;
const maxMs = 2000;
const seeds: Buffer[] = [];
const { root, issuing, issuingKey, rootKey } = makeAuthorities();
const trusted = [
  { source: 'trusted', bytes: Buffer.from(draft.pem('CERTIFICATE', issuing) + draft.pem('CERTIFICATE', root)) },
];

beforeAll(async () => {
  const key = draft.ecKey();
  const rsa = draft.rsaKey();
  const issuer = { subject: 'CN=f1 issuing authority', key: issuingKey };
  const names = draft.altNames(
    { type: 'uri', value: 'flotilla://f1/device/gw-001' }, { type: 'ip', value: Buffer.alloc(16, 1) },
    { type: 'directory', value: 'CN=x/O=y' }, { type: 'email', value: 'a@example.org' },
  ); // prettier-ignore
  const constraints = draft.nameConstraints([
    { type: 'dns', value: 'example.org' },
    { type: 'ip', value: Buffer.alloc(8) },
  ]);
  seeds.push(
    draft.signDraft({ subject: 'CN=gw-001', key, issuer, extensions: draft.deviceExtensions('f1', 'gw-001') }),
    draft.signDraft({ subject: 'CN=gw-001/O=Harbour', key: rsa, issuer, extensions: [names, constraints, draft.subjectKeyId(rsa)] }),
    root,
    draft.signRequest('CN=gw-001', key, [names]),
    draft.signRequest('CN=gw-001', rsa),
    signRevocationList(
      { certificatePem: draft.pem('CERTIFICATE', root), privateKey: rootKey.privateKey },
      { number: 7, thisUpdateMs: nowMs, nextUpdateMs: nowMs, revoked: [{ serial: '4a01', revokedAtMs: nowMs, reasonCode: 1 }] },
    ),
    key.privateKey.export({ type: 'pkcs8', format: 'der' }),
    rsa.publicKey.export({ type: 'spki', format: 'der' }),
    await writePkcs12({ privateKey: key.privateKey, certificates: [root], friendlyName: 'x', passphrase: 'passphrase', legacy: true }),
  ); // prettier-ignore
});

/** Bits flipped, bytes replaced by those that mean something in DER, pieces cut out or doubled. */
const change = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  kind: fc.constantFrom('flip', 'set', 'cut', 'double', 'truncate'),
  byte: fc.constantFrom(0x00, 0x01, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xa0, 0xff),
  length: fc.nat(40),
});

function mutate(seed: Buffer, changes: (typeof change extends fc.Arbitrary<infer T> ? T : never)[]): Buffer {
  let bytes = Buffer.from(seed);
  for (const { at, kind, byte, length } of changes) {
    const place = Math.floor(at * bytes.length);
    if (kind === 'flip') bytes[place]! ^= 1 << (length & 7);
    else if (kind === 'set') bytes[place] = byte;
    else if (kind === 'cut') bytes = Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + length)]);
    else if (kind === 'double') bytes = Buffer.concat([bytes.subarray(0, place + length), bytes.subarray(place)]);
    else bytes = bytes.subarray(0, place);
    if (bytes.length === 0) break;
  }
  return bytes;
}

async function survives(bytes: Buffer): Promise<void> {
  const startedAt = performance.now();
  const tries = [
    () => inspect({ file: 'mutant', bytes, passphrase: 'passphrase' }),
    () => lintMaterial([{ file: 'mutant', bytes, mode: 0o644 }], { nowMs, soonDays: 30, passphrase: 'passphrase' }),
    async () =>
      verifyCertificate({ certificate: { source: 'mutant', bytes }, trusted, purpose: 'device', atMs: nowMs }),
    async () =>
      verifyCertificate({ certificate: trusted[0]!, trusted, lists: [{ source: 'mutant', bytes }], atMs: nowMs }),
  ];
  for (const attempt of tries) {
    await attempt().catch((error: unknown) => {
      if (!(error instanceof FlotillaError) || error.fault === 'ours') throw error;
    });
  }
  expect(performance.now() - startedAt).toBeLessThan(maxMs);
}

describe('a parser of certificates and the like', () => {
  it('survives DER that was changed', async () => {
    const input = fc.tuple(fc.nat(), fc.array(change, { minLength: 1, maxLength: 6 }));
    await fc.assert(
      fc.asyncProperty(input, ([which, changes]) => survives(mutate(seeds[which % seeds.length]!, changes))),
      { numRuns: 1500 },
    );
  });

  it('survives PEM that was changed', async () => {
    const input = fc.tuple(fc.nat(corpus.length - 1), fc.array(change, { minLength: 1, maxLength: 4 }));
    await fc.assert(
      fc.asyncProperty(input, ([which, changes]) => survives(mutate(corpus[which]!, changes))),
      { numRuns: 500 },
    );
  });

  it('survives any bytes', async () => {
    const any = fc.oneof(
      fc.uint8Array({ maxLength: 600 }),
      fc.string().map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(any, (bytes) => survives(Buffer.from(bytes))),
      { numRuns: 500 },
    );
  });

  it.each([
    ['a megabyte of BEGIN lines', () => Buffer.from('-----BEGIN CERTIFICATE-----\n'.repeat(40_000))],
    ['a megabyte of dashes', () => Buffer.alloc(1_000_000, '-')],
    ['a megabyte of nested sequences', () => Buffer.alloc(1_000_000, Buffer.from('3080', 'hex'))],
    ['a megabyte of zeros', () => Buffer.alloc(1_000_000)],
    ['sixteen megabytes that say they are a list', () => Buffer.concat([Buffer.from('308400fffff0', 'hex'), Buffer.alloc(0xfffff0, 0x30)])],
  ] as const)('survives %s', async (_, make) => {
    await survives(make());
  }); // prettier-ignore
});
