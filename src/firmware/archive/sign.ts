import { realpath } from 'node:fs/promises';
import { BundleFile } from './bundle-file.ts';
import { metaConfMember, readBundleHead, signatureMember } from './bundle-head.ts';
import { ByteReader } from './byte-reader.ts';
import { inspectBundle } from './inspect.ts';
import { readPrivateKey, signatureBytes, signMetaConf } from './key.ts';
import { malformed } from './malformed.ts';
import { writeFileAtomically } from './atomic-file.ts';
import type { BundleSummary } from './bundle-summary.ts';
import { resourceNameOf, resourceRecord } from '../config/resource.ts';
import { fromByteString } from '../config/source-text.ts';
import { checkedResource, isDelta, memberData, resourceMissing } from './resource-check.ts';
import { ZipReader } from './zip-reader.ts';
import { ZipWriter } from './zip-writer.ts';

export interface SignOption {
  inputPath: string;
  /** May be the input itself: it is replaced only when the new one is whole. */
  outputPath: string;
  privateKeyPath: string;
  /** Becomes meta.conf's date; by default now. */
  sourceDateEpochSeconds?: number;
}

/**
 * Signs, or signs again: drops an old signature and repacks every member. meta.conf's bytes and so the UUID stay.
 * What is signed is what is streamed, and every resource is checked on the way: damage is never signed.
 */
export async function signBundle(option: SignOption): Promise<BundleSummary> {
  const privateKey = await readPrivateKey(option.privateKeyPath);
  const mtimeSeconds = option.sourceDateEpochSeconds ?? Math.floor(Date.now() / 1000);
  const outputPath = await realpath(option.outputPath).catch(() => option.outputPath);
  const reader = new ByteReader(new BundleFile(option.inputPath));
  try {
    const zip = new ZipReader(reader);
    const head = await readBundleHead(zip, {});
    await writeFileAtomically(outputPath, async (write) => {
      const out = new ZipWriter(write);
      await addSignedHead(out, head.metaConfBytes, privateKey, mtimeSeconds);
      const sections = new Map(head.metaConf.root.all('file-resource').map((section) => [section.title, section]));
      for (let member = await zip.next(); member; member = await zip.next()) {
        const name = resourceNameOf(member.name);
        if (name === '') {
          for await (const chunk of zip.data(member, 0)) void chunk; // the folder data/ itself: left out
          continue;
        }
        const section = sections.get(name);
        if (!section) throw malformed(`a member that meta.conf does not name: ${fromByteString(member.name)}`);
        sections.delete(section.title);
        const record = resourceRecord(section);
        const data = isDelta(member, record)
          ? memberData(zip, member, member.sizeBytes!, fromByteString(name))
          : checkedResource(zip, member, record);
        await out.add({ name: member.name, sizeBytes: member.sizeBytes ?? record.dataBytes, data });
      }
      for (const name of sections.keys()) throw resourceMissing(fromByteString(name));
      await out.finish();
    });
  } finally {
    await reader.close();
  }
  return inspectBundle(outputPath);
}

/** As `fwup -S`: every other member is packed again as it is, whether meta.conf names it or not. */
export async function resignLikeFwup(
  inputPath: string,
  { privateKey, mtimeSeconds }: { privateKey: Buffer; mtimeSeconds: number },
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  let sizes: Map<number, number> | undefined;
  const reader = new ByteReader(new BundleFile(inputPath));
  try {
    const zip = new ZipReader(reader);
    const head = await readBundleHead(zip, { asFwup: true });
    const out = new ZipWriter(write);
    await addSignedHead(out, head.metaConfBytes, privateKey, mtimeSeconds);
    for (let member = await zip.next(); member; member = await zip.next()) {
      sizes ??= member.sizeBytes === undefined ? await memberSizes(inputPath) : undefined;
      const sizeBytes = member.sizeBytes ?? sizes?.get(member.localOffset) ?? 0;
      await out.add({ name: member.name, sizeBytes, data: memberData(zip, member, sizeBytes, member.name) });
    }
    await out.finish();
  } finally {
    await reader.close();
  }
}

/** By offset of the local header, which need not tell the size of what follows. */
async function memberSizes(path: string): Promise<Map<number, number>> {
  const reader = new ByteReader(new BundleFile(path));
  const sizes = new Map<number, number>();
  try {
    const zip = new ZipReader(reader);
    for (let member = await zip.next(); member; member = await zip.next()) {
      let size = 0;
      const data = memberData(zip, member, Number.MAX_SAFE_INTEGER, fromByteString(member.name));
      for await (const chunk of data) size += chunk.length;
      sizes.set(member.localOffset, size);
    }
  } finally {
    await reader.close();
  }
  return sizes;
}

/** The signature (if there is a key) and meta.conf, in their compulsory order. */
export async function addSignedHead(
  out: ZipWriter,
  metaConf: Buffer,
  privateKey: Buffer | undefined,
  mtimeSeconds: number,
): Promise<void> {
  if (privateKey) {
    const signature = signMetaConf(metaConf, privateKey);
    await out.add({ name: signatureMember, sizeBytes: signatureBytes, stored: true, data: [signature] });
  }
  await out.add({ name: metaConfMember, sizeBytes: metaConf.length, mtimeSeconds, data: [metaConf] });
}
