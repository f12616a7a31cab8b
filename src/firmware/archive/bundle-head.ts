import { fromByteString } from '../config/source-text.ts';
import { FlotillaError } from '../../error.ts';
import { isoSeconds } from './iso-seconds.ts';
import { maxMetaConfBytes, minMetaConfBytes, parseMetaConf, type MetaConf } from '../config/meta-conf.ts';
import { bundleUuid } from './blake2b.ts';
import { bundleNickname } from './nickname.ts';
import { maxPublicKeys, signatureBytes, signerOf } from './key.ts';
import { malformed, MemberDamage } from './malformed.ts';
import type { ZipMember, ZipReader } from './zip-reader.ts';

export const signatureMember = 'meta.conf.ed25519';
export const metaConfMember = 'meta.conf';

/** The first members of an archive: nothing behind them has been read. */
export interface BundleHead {
  readonly metaConfBytes: Buffer;
  readonly metaConf: MetaConf;
  readonly uuid: string;
  readonly nickname: string;
  readonly signature: Buffer | undefined;
  /** Which of the given keys verified; undefined when none was asked for. */
  readonly signedBy: number | undefined;
  readonly mtimeSeconds: number;
}

export interface HeadOption {
  /** Absent: the signature is not looked at. Present: one of them must have signed, and none is a refusal. */
  readonly publicKeys?: readonly Buffer[];
  /** For run-time substitution in meta.conf. */
  readonly variables?: Readonly<Record<string, string | undefined>>;
  /** Takes what fwup takes: with no key nothing is proved, and what a newer fwup wrote is passed over. */
  readonly asFwup?: boolean;
}

/** Refuses to go on without a key: a bundle that cannot be authenticated is not one that is fine. */
export function requireKeys(publicKeys: readonly Buffer[]): void {
  if (publicKeys.length === 0) {
    throw new FlotillaError('refused', 'firmware-no-key', 'no public key to verify the bundle with', {
      expected: 'at least one public key of the fleet',
      suggestion: 'give one with --key, or work inside the fleet that has keys/firmware.pub',
    });
  }
  if (publicKeys.length > maxPublicKeys) {
    throw new FlotillaError('usage', 'firmware-too-many-keys', `more than ${maxPublicKeys} public keys`, {
      seen: `${publicKeys.length} keys`,
    });
  }
}

/** There is a signature, and no key to check it with: only fwup's command line goes on then. */
export function isUnproved({ signature }: BundleHead, publicKeys: readonly Buffer[]): boolean {
  return signature !== undefined && publicKeys.length === 0;
}

export const unprovedText = 'Firmware archive is signed, but signature verification is off.';

/** Reads signature and meta.conf, checks the signature before the text is parsed. */
export async function readBundleHead(
  zip: ZipReader,
  { publicKeys: keys, variables = {}, asFwup = false }: HeadOption,
): Promise<BundleHead> {
  const publicKeys = asFwup && keys?.length === 0 ? undefined : keys;
  if (publicKeys) requireKeys(publicKeys);
  let member = await zip.next();
  let signature: Buffer | undefined;
  if (member?.name === signatureMember) {
    signature = await readSignature(zip, member);
    member = await zip.next();
  }
  if (member?.name !== metaConfMember) {
    if (signature && !member) {
      throw malformed('meta.conf is missing', 'the end', 'Expecting more than meta.conf.ed25519 in archive');
    }
    throw new FlotillaError('refused', 'firmware-metadata-missing', 'meta.conf is not at the beginning', {
      seen: member === undefined ? 'the end of the archive' : fromByteString(member.name),
      suggestion: 'fetch or build the bundle again',
    });
  }
  const metaConfBytes = await readMetaConf(zip, member);
  const signedBy = publicKeys && checkSignature(metaConfBytes, signature, publicKeys);
  const uuid = await bundleUuid(metaConfBytes);
  const nickname = bundleNickname(uuid);
  const creationDate = isoSeconds(member.mtimeSeconds);
  const metaConf = parseMetaConf(metaConfBytes, { uuid, nickname, creationDate }, { variables, lenient: asFwup });
  return { metaConfBytes, metaConf, uuid, nickname, signature, signedBy, mtimeSeconds: member.mtimeSeconds };
}

function checkSignature(metaConf: Buffer, signature: Buffer | undefined, publicKeys: readonly Buffer[]): number {
  if (!signature) {
    throw new FlotillaError('refused', 'firmware-unsigned', 'the bundle is not signed', {
      suggestion: 'sign it with "flotilla firmware sign"',
      fwup: 'Expecting signed firmware archive.',
    });
  }
  const signer = signerOf(metaConf, signature, publicKeys);
  if (signer >= 0) return signer;
  throw new FlotillaError(
    'refused',
    'firmware-wrong-key',
    'the signature does not belong to this meta.conf and any of the given keys',
    {
      seen: `tried ${publicKeys.length} public key${publicKeys.length === 1 ? '' : 's'}`,
      suggestion: 'it was signed with another key, or changed after it was signed: build and sign it again',
      fwup: "Firmware archive's meta.conf fails digital signature verification.",
    },
  );
}

async function readSignature(zip: ZipReader, member: ZipMember): Promise<Buffer> {
  const bad = (seen: string, bytes: number): FlotillaError =>
    new FlotillaError('refused', 'firmware-bad-signature', 'the signature in the bundle is damaged', {
      seen,
      suggestion: 'fetch the bundle again',
      fwup: `Unexpected meta.conf.ed25519 size: ${bytes}`,
    });
  const bytes = await readWhole(zip, member, signatureBytes, (damage) => bad(damage.message, 0));
  if (bytes.length !== signatureBytes) throw bad(`${bytes.length} bytes instead of ${signatureBytes}`, bytes.length);
  return bytes;
}

async function readMetaConf(zip: ZipReader, member: ZipMember): Promise<Buffer> {
  const bad = (seen: string, bytes: number): FlotillaError =>
    new FlotillaError('refused', 'firmware-metadata-damaged', "the bundle's meta.conf is damaged", {
      seen,
      suggestion: 'fetch the bundle again',
      fwup: `Unexpected meta.conf size: ${bytes}`,
    });
  const tooLong = (member.sizeBytes ?? 0) > maxMetaConfBytes;
  const bytes = await readWhole(zip, member, maxMetaConfBytes, (damage) =>
    bad(damage.message, tooLong ? maxMetaConfBytes + 1 : 0),
  );
  if (bytes.length < minMetaConfBytes) throw bad(`${bytes.length} bytes`, bytes.length);
  return bytes;
}

async function readWhole(
  zip: ZipReader,
  member: ZipMember,
  maxBytes: number,
  describe: (damage: MemberDamage) => Error,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of zip.data(member, maxBytes)) chunks.push(Buffer.from(chunk));
  } catch (error) {
    throw error instanceof MemberDamage ? describe(error) : error;
  }
  return Buffer.concat(chunks);
}
