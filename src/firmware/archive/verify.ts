import { checkDeltaHeader, decodeDelta } from '../delta/decode.ts';
import { resourceNameOf, resourceRecord } from '../config/resource.ts';
import { fromByteString, type ByteString } from '../config/source-text.ts';
import type { Section } from '../config/section.ts';
import { BundleFile } from './bundle-file.ts';
import { readBundleHead, type BundleHead } from './bundle-head.ts';
import { summarizeBundle, type BundleSummary } from './bundle-summary.ts';
import { ByteReader } from './byte-reader.ts';
import { checkCentralDirectory } from './central-directory.ts';
import { takesDelta } from './delta-origin.ts';
import { malformed } from './malformed.ts';
import { checkedResource, isDelta, memberData, resourceDamaged, resourceMissing } from './resource-check.ts';
import { ZipReader } from './zip-reader.ts';

export interface VerifyOption {
  path: string;
  /** 32-byte Ed25519 keys; any one of them is enough, none is refused. */
  publicKeys: readonly Buffer[];
}

/**
 * Proves that one of the keys signed this bundle and that every byte which decides what is written is intact. Reads
 * the whole file once, in constant memory. Refusals name their reason: firmware-no-key, -unsigned, -wrong-key,
 * -bad-signature, -metadata-damaged, -resource-damaged, -malformed. A delta is proved to be whole and well-formed;
 * whether it makes the signed resource shows when it is applied, before anything is switched over.
 */
export async function verifyBundle({ path, publicKeys }: VerifyOption): Promise<BundleSummary> {
  const file = new BundleFile(path, { hashed: true });
  const reader = new ByteReader(file);
  try {
    const zip = new ZipReader(reader);
    const head = await readBundleHead(zip, { publicKeys });
    await checkMembers(zip, head, (name, data) => checkDelta(name, data, head));
    await checkCentralDirectory(reader, zip.members);
    while (await reader.some(1 << 20));
    return summarizeBundle(head, { fileBytes: file.bytes, sha256: file.sha256() });
  } finally {
    await reader.close();
  }
}

/**
 * What `fwup -V` looks at, and no more: a key is not asked for, nothing behind the members is read, and of a delta
 * only the header.
 */
export async function verifyLikeFwup({ path, publicKeys }: VerifyOption): Promise<BundleHead> {
  const reader = new ByteReader(new BundleFile(path));
  try {
    const zip = new ZipReader(reader);
    const head = await readBundleHead(zip, { publicKeys, asFwup: true });
    await checkMembers(zip, head, async (_name, data) => {
      await checkDeltaHeader(data);
      for await (const chunk of data) void chunk;
    });
    return head;
  } finally {
    await reader.close();
  }
}

/** A member of another size is a delta only for a task that takes one; else it is damage. */
async function checkDelta(name: ByteString, data: AsyncIterable<Buffer>, { metaConf }: BundleHead): Promise<void> {
  const isTaken = metaConf.root.all('task').some((task) => {
    const section = task.find('on-resource', name);
    return section !== undefined && takesDelta(section);
  });
  if (!isTaken) throw resourceDamaged(fromByteString(name), 'its size is not the one in meta.conf');
  for await (const chunk of decodeDelta(data, undefined)) void chunk;
}

/** Every resource exactly once, nothing else, all of them whole. */
async function checkMembers(
  zip: ZipReader,
  head: BundleHead,
  delta: (name: ByteString, data: AsyncGenerator<Buffer, void>) => Promise<void>,
): Promise<void> {
  const expected = new Map(head.metaConf.root.all('file-resource').map((section) => [section.title, section]));
  const seen = new Set<string>();
  for (let member = await zip.next(); member; member = await zip.next()) {
    const name = resourceNameOf(member.name);
    if (name === '') {
      for await (const chunk of zip.data(member, 0)) void chunk; // the folder data/ itself
      continue;
    }
    const section = expected.get(name);
    checkExpected(fromByteString(name), section, seen.has(name));
    seen.add(name);
    const record = resourceRecord(section!);
    if (isDelta(member, record)) await delta(name, memberData(zip, member, member.sizeBytes!, fromByteString(name)));
    else for await (const chunk of checkedResource(zip, member, record)) void chunk;
  }
  for (const name of [...expected.keys()].toReversed()) {
    if (!seen.has(name)) throw resourceMissing(fromByteString(name));
  }
}

function checkExpected(shown: string, section: Section | undefined, isSecond: boolean): void {
  if (!section) {
    throw malformed(
      `a member that meta.conf does not name: ${shown}`,
      undefined,
      `Can't find file-resource for ${shown}`,
    );
  }
  if (isSecond) {
    throw malformed(
      `the resource '${shown}' is there twice`,
      undefined,
      `Processing ${shown} twice. Archive is corrupt.`,
    );
  }
}
