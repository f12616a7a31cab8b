/** PKCS#12 both ways with openssl: what we write it reads, what it writes we read; RSA and EC, modern and old. */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import forge from 'node-forge';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspect } from '../../../src/pki/inspect/index.ts';
import { unpackPkcs12 } from '../../../src/pki/pkcs12/unpack.ts';
import { flotilla } from '../../support/cli.ts';
import { deviceExtensions, ecKey, pem, rsaKey, signDraft, type DraftKey } from '../../support/certificate-draft.ts';
import { makeAuthorities } from '../../support/bad-certificate.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { refusal } from '../../support/refusal.ts';

const passphrase = 'Zürich – 東京 pass';
let scratch: Awaited<ReturnType<typeof temporaryDirectory>>;
const at = (...path: string[]) => join(scratch.path, ...path);
const cli = (args: string[]) => flotilla(args, { cwd: scratch.path });

async function openssl(...args: string[]): Promise<string> {
  const ran = await execa('openssl', args, { reject: false, all: true, stdin: 'ignore', cwd: scratch.path });
  expect(ran.exitCode, ran.all).toBe(0);
  return ran.all;
}

beforeAll(async () => {
  scratch = await temporaryDirectory();
  await writeFile(at('pass'), `${passphrase}\n`, { mode: 0o600 });
  const { root, issuing, issuingKey } = makeAuthorities();
  await writeFile(at('chain.pem'), pem('CERTIFICATE', root) + pem('CERTIFICATE', issuing));
  const issuer = { subject: 'CN=f1 issuing authority', key: issuingKey };
  for (const [name, key] of [
    ['ec', ecKey()],
    ['p384', ecKey('P-384')],
    ['rsa', rsaKey()],
  ] as [string, DraftKey][]) {
    const certificate = signDraft({ subject: 'CN=gw-001', key, issuer, extensions: deviceExtensions('f1', 'gw-001') });
    await writeFile(at(`${name}.crt`), pem('CERTIFICATE', certificate));
    await writeFile(at(`${name}.key`), key.privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  }
});
afterAll(() => scratch?.[Symbol.asyncDispose]());

const same = async (file: string, key: string) => {
  const read = async (path: string) =>
    createPrivateKey(await readFile(at(path))).export({ type: 'pkcs8', format: 'der' });
  return (await read(file)).equals(await read(key));
};

describe.each(['ec', 'p384', 'rsa'])('a key of kind %s', (name) => {
  it.each([['modern'], ['legacy']])('that we export (%s) is read by openssl', async (form) => {
    const out = `${name}-${form}.p12`;
    const legacy = form === 'legacy' ? ['--legacy'] : [];
    const ran = await cli([
      'cert', 'export', `${name}.crt`, '--key', `${name}.key`, '--chain', 'chain.pem', '--out', out,
      '--passphrase-file', 'pass', '--json', ...legacy,
    ]); // prettier-ignore
    expect([ran.exitCode, ran.stderr]).toEqual([0, '']);
    expect(ran.json().certificates).toEqual(['CN=gw-001', 'CN=f1 issuing authority', 'CN=f1 root authority']);
    expect((await stat(at(out))).mode & 0o777).toBe(0o600);
    const told = await openssl('pkcs12', '-in', out, '-passin', 'file:pass', '-info', '-noenc', '-out', `${out}.pem`);
    if (form === 'modern') expect(told).toMatch(/MAC: sha256.*[\s\S]*AES-256-CBC.*hmacWithSHA256/);
    const text = await readFile(at(`${out}.pem`), 'utf8');
    await writeFile(at(`${out}.key`), text.slice(text.indexOf('-----BEGIN PRIVATE KEY')));
    expect(await same(`${out}.key`, `${name}.key`)).toBe(true);
    expect(text.match(/BEGIN CERTIFICATE/g)).toHaveLength(3);
  });

  it.each([
    ['as it comes', []],
    ['legacy: RC2 and 3DES', ['-legacy']],
    ['3DES', ['-keypbe', 'PBE-SHA1-3DES', '-certpbe', 'PBE-SHA1-3DES', '-macalg', 'sha1']],
    ['AES-128, SHA-512', ['-keypbe', 'AES-128-CBC', '-certpbe', 'AES-128-CBC', '-macalg', 'sha512', '-iter', '10000']],
    ['open certificates', ['-certpbe', 'NONE']],
    ['no MAC', ['-nomac']],
  ])('that openssl exports (%s) is imported', async (form, args) => {
    const stem = `${name}-${form.replaceAll(/\W+/g, '-')}`;
    await openssl(
      'pkcs12', '-export', '-inkey', `${name}.key`, '-in', `${name}.crt`, '-certfile', 'chain.pem',
      '-out', `${stem}.p12`, '-passout', 'file:pass', '-name', 'gateway', ...args,
    ); // prettier-ignore
    const bytes = await readFile(at(`${stem}.p12`));
    const { identities, authorities } = await unpackPkcs12(bytes, passphrase, stem);
    expect([identities.length, authorities.length]).toEqual([1, 2]);
    await writeFile(at(`${stem}.key`), identities[0]!.keyPem);
    expect(await same(`${stem}.key`, `${name}.key`)).toBe(true);
    const leaf = new X509Certificate(identities[0]!.certificatePem!);
    expect(leaf.raw.equals(new X509Certificate(await readFile(at(`${name}.crt`))).raw)).toBe(true);
    const shown = await inspect({ file: stem, bytes, passphrase });
    expect(shown.objects[0]).toMatchObject({ kind: 'pkcs12', opened: true, friendlyName: 'gateway' });
    expect(JSON.stringify(shown)).not.toMatch(/PRIVATE/);
  });
});

describe('PKCS#12', () => {
  it('with indefinite lengths and octets in pieces, as others write it, is imported', async () => {
    const source = at('ber-source.p12');
    await openssl('pkcs12', '-export', '-inkey', 'ec.key', '-in', 'ec.crt', '-out', source, '-passout', 'file:pass');
    await writeFile(at('ber.p12'), toBer(await readFile(source)));
    const ran = await cli(['cert', 'import', 'ber.p12', '--out', 'ber', '--passphrase-file', 'pass', '--json']);
    expect([ran.exitCode, ran.stdout]).toEqual([0, expect.stringContaining('device.key')]);
    expect(await same('ber/device.key', 'ec.key')).toBe(true);
    expect((await stat(at('ber', 'device.key'))).mode & 0o777).toBe(0o600);
  });

  it('is refused with another passphrase, damaged, cut off, or when it asks for a year of work', async () => {
    await writeFile(at('wrong'), 'something else\n', { mode: 0o600 });
    const good = await readFile(at('ec-modern.p12'));
    await writeFile(at('cut.p12'), good.subarray(0, 500));
    const damaged = Buffer.from(good);
    damaged[200]! ^= 1;
    await writeFile(at('damaged.p12'), damaged);
    await openssl('pkcs12', '-export', '-inkey', 'ec.key', '-in', 'ec.crt', '-out', 'costly.p12', '-passout', 'file:pass', '-iter', '6000000', '-nomac', '-certpbe', 'NONE'); // prettier-ignore
    const tries: [string, string, string, number][] = [
      ['ec-modern.p12', 'wrong', 'pki-passphrase-wrong', 2],
      ['damaged.p12', 'pass', 'pki-passphrase-wrong', 2],
      ['cut.p12', 'pass', 'pki-der-malformed', 2],
      ['costly.p12', 'pass', 'pki-encryption-cost', 6],
      ['ec.crt', 'pass', 'pki-der-malformed', 2],
    ];
    for (const [file, pass, code, exit] of tries) {
      const { error, exitCode } = await refusal(cli, [
        'cert',
        'import',
        file,
        '--out',
        'none',
        '--passphrase-file',
        pass,
      ]);
      expect([file, error.code, exitCode]).toEqual([file, code, exit]);
    }
    await expect(stat(at('none'))).rejects.toThrow('ENOENT');
  });

  it('is never written over another file, with a short passphrase, or for another key', async () => {
    await writeFile(at('short'), 'short\n', { mode: 0o600 });
    const exported = (...more: string[]) => refusal(cli, ['cert', 'export', 'ec.crt', ...more]);
    const named = async (...more: string[]) => (await exported(...more)).error.code;
    expect(await named('--key', 'ec.key', '--out', 'ec.key', '--passphrase-file', 'pass')).toBe('file-exists');
    expect(await named('--key', 'ec.key', '--out', 'n.p12', '--passphrase-file', 'short')).toBe('pki-passphrase-short');
    expect(await named('--key', 'rsa.key', '--out', 'n.p12', '--passphrase-file', 'pass')).toBe('pki-key-mismatch');
    expect(await named('--key', 'ec.key', '--out', 'n.p12')).toBe('passphrase-not-given');
    await expect(stat(at('n.p12'))).rejects.toThrow('ENOENT');
  });
});

/** The same with an indefinite length around it, around its content, and with the content in two pieces. */
function toBer(der: Buffer): Buffer {
  const pfx = forge.asn1.fromDer(der.toString('binary'));
  const [version, info, mac] = (pfx.value as forge.asn1.Asn1[]).map((one) => Buffer.from(forge.asn1.toDer(one).getBytes(), 'binary')); // prettier-ignore
  const [type, explicit] = forge.asn1.fromDer(info!.toString('binary')).value as forge.asn1.Asn1[];
  const octets = Buffer.from((explicit!.value as forge.asn1.Asn1[])[0]!.value as string, 'binary');
  const piece = (bytes: Buffer) => Buffer.from(forge.asn1.toDer(forge.asn1.create(0, 4, false, bytes.toString('binary'))).getBytes(), 'binary'); // prettier-ignore
  const endless = (tag: number, ...parts: Buffer[]) =>
    Buffer.concat([Buffer.from([tag, 0x80]), ...parts, Buffer.alloc(2)]);
  const content = endless(0x24, piece(octets.subarray(0, 100)), piece(octets.subarray(100)));
  const oid = Buffer.from(forge.asn1.toDer(type!).getBytes(), 'binary');
  return endless(0x30, version!, endless(0x30, oid, endless(0xa0, content)), mac!);
}
