import { resourceNameOf, resourceRecord } from '../config/resource.ts';
import { fromByteString } from '../config/source-text.ts';
import { BundleFile } from './bundle-file.ts';
import { readBundleHead, type BundleHead } from './bundle-head.ts';
import { summarizeBundle, type BundleSummary } from './bundle-summary.ts';
import { ByteReader } from './byte-reader.ts';
import { checkCentralDirectory } from './central-directory.ts';
import { malformed } from './malformed.ts';
import { checkedResource, resourceDamaged } from './resource-check.ts';
import { ZipReader } from './zip-reader.ts';

export interface VerifyOption {
  path: string;
  /** 32-byte Ed25519 keys; any one of them is enough, none is refused. */
  publicKeys: readonly Buffer[];
}

/**
 * Proves that one of the keys signed this bundle and that every byte which decides what is written is intact. Reads
 * the whole file once, in constant memory. Refusals name their reason: firmware-no-key, -unsigned, -wrong-key,
 * -bad-signature, -metadata-damaged, -resource-damaged, -malformed.
 */
export async function verifyBundle({ path, publicKeys }: VerifyOption): Promise<BundleSummary> {
  const file = new BundleFile(path);
  const reader = new ByteReader(file);
  try {
    const zip = new ZipReader(reader);
    const head = await readBundleHead(zip, { publicKeys });
    await checkMembers(zip, head);
    await checkCentralDirectory(reader, zip.members);
    while (await reader.some(1 << 20));
    return summarizeBundle(head, { fileBytes: file.bytes, sha256: file.sha256() });
  } finally {
    await reader.close();
  }
}

/** Every resource exactly once, nothing else, all of them whole. */
async function checkMembers(zip: ZipReader, head: BundleHead): Promise<void> {
  const expected = new Map(head.metaConf.root.all('file-resource').map((section) => [section.title, section]));
  const seen = new Set<string>();
  for (let member = await zip.next(); member; member = await zip.next()) {
    const name = resourceNameOf(member.name);
    if (name === '') {
      for await (const chunk of zip.data(member, 0)) void chunk; // the folder data/ itself
      continue;
    }
    const shown = fromByteString(name);
    const section = expected.get(name);
    if (!section) throw malformed(`a member that meta.conf does not name: ${shown}`);
    if (seen.has(name)) throw malformed(`the resource '${shown}' is there twice`);
    seen.add(name);
    for await (const chunk of checkedResource(zip, member, resourceRecord(section))) void chunk;
  }
  for (const name of expected.keys()) {
    if (!seen.has(name)) throw resourceDamaged(fromByteString(name), 'it is not in the archive');
  }
}
