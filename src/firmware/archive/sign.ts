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
import { checkedResource, resourceDamaged } from './resource-check.ts';
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
        await out.add({ name: member.name, sizeBytes: record.dataBytes, data: checkedResource(zip, member, record) });
      }
      for (const name of sections.keys()) throw resourceDamaged(fromByteString(name), 'it is not in the archive');
      await out.finish();
    });
  } finally {
    await reader.close();
  }
  return inspectBundle(outputPath);
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
